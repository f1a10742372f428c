"""Triggers that another version of the package stored with a waiting task."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_batchad.triggers import AzureBatchJobTrigger

PRESENT = {
    "batchad_conn_id": "batchad_default",
    "job_id": "j",
    "poll_interval": 30.0,
    "deadline": "2026-03-01T00:00:00+00:00",
    "can_block": True,
    "cancel_on_kill": False,
    "etag": "0x1",
    "pool_id": "cpu",
}
MINIMAL = {"batchad_conn_id": "batchad_default", "job_id": "j"}
FIRST = {**MINIMAL, "poll_interval": 30.0, "deadline": None}


def test_the_arguments_of_this_version_come_back() -> None:
    path, stored = AzureBatchJobTrigger(**PRESENT).serialize()
    assert path == "airflow_provider_batchad.triggers.job.AzureBatchJobTrigger"
    assert stored == PRESENT


@pytest.mark.parametrize("stored", [MINIMAL, FIRST, {**PRESENT, "of_another_version": 1}])
def test_what_another_version_stored_loads(stored: dict[str, Any]) -> None:
    trigger = AzureBatchJobTrigger(**stored)
    defaults = {"poll_interval": 30.0, "deadline": None, "can_block": False, "cancel_on_kill": True}
    known = {name: value for name, value in stored.items() if name in PRESENT}
    assert trigger.serialize()[1] == {**defaults, "etag": None, "pool_id": None, **known}
