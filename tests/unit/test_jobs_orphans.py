"""Which jobs nobody wants any more: the table of decisions, and how jobs are read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_batchad.errors import BatchServiceError
from airflow_provider_batchad.jobs.orphans import (
    FINISHED,
    YOUNG,
    Judgement,
    KnownTaskInstance,
    OwnedJob,
    judge,
    list_owned_jobs,
)
from airflow_provider_batchad.jobs.requests import dump
from airflow_provider_batchad.jobs.rest import BatchRequest, BatchResponse, run

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PREFIX = "etl-load-0123456789abcdef-"
UNFINISHED = (
    None, "scheduled", "queued", "running", "restarting", "up_for_retry", "up_for_reschedule", "deferred",
)  # fmt: skip


def job(**changes: Any) -> OwnedJob:
    fields = {
        "job_id": f"{PREFIX}2-1",
        "etag": "0x1",
        "created": NOW - timedelta(hours=1),
        "deployment": "prod",
        "key": ("etl", "r1", "load", -1),
        "owner": "try-1",
        "epoch": "2",
        "number": "1",
        "outlives_task": False,
    }
    return OwnedJob(**{**fields, **changes})


def known(**changes: Any) -> KnownTaskInstance:
    fields = {"id": "try-1", "state": "running", "number": 1, "max_tries": 2, "prefix": PREFIX}
    return KnownTaskInstance(**{**fields, **changes})


def why(given: OwnedJob, instance: KnownTaskInstance | None, *, deployment: str = "prod") -> str | None:
    return judge(given, instance, deployment=deployment, now=NOW).why


@pytest.mark.parametrize("state", UNFINISHED)
@pytest.mark.parametrize("deployment", ["prod", ""])
def test_a_job_of_a_try_that_goes_on_is_wanted(state: str | None, deployment: str) -> None:
    assert judge(job(), known(state=state), deployment=deployment, now=NOW) == Judgement()


@pytest.mark.parametrize("state", sorted(FINISHED))
@pytest.mark.parametrize("deployment", ["prod", ""])
@pytest.mark.parametrize("owner", ["try-1", "a try before"])
def test_a_job_of_a_finished_task_instance_is_an_orphan(state: str, deployment: str, owner: str) -> None:
    found = why(job(owner=owner), known(state=state), deployment=deployment)
    assert found == f"the task instance is {state}"


@pytest.mark.parametrize("state", UNFINISHED)
def test_a_job_that_the_next_try_may_attach_to_is_wanted(state: str | None) -> None:
    now = known(id="try-2", number=2, state=state)
    assert why(job(), now) is None
    assert why(job(), known(id="try-2", number=2, state=state, named_job=job().job_id)) is None


@pytest.mark.parametrize("state", UNFINISHED)
def test_a_job_of_before_a_clear_is_an_orphan(state: str | None) -> None:
    assert why(job(), known(id="try-2", number=2, max_tries=4, state=state)) == "the task was cleared"


def test_a_job_that_a_later_try_went_past_is_an_orphan() -> None:
    passed = known(id="try-2", number=2, state="deferred", named_job="another")
    assert why(job(), passed) == "try 2 has another job, another"
    # What the try before named stands there until the next one begins.
    assert why(job(), known(id="try-2", number=2, state="queued", named_job="another")) is None


def test_a_job_of_a_run_that_was_made_again_is_an_orphan() -> None:
    anew = known(id="other", prefix="etl-load-ffffffffffffffff-")
    assert why(job(), anew) == "its DAG run was made or started anew"


def test_a_job_without_a_task_instance_is_an_orphan_once_it_is_not_young() -> None:
    assert why(job(), None) == "there is no such task instance any more"
    assert why(job(created=NOW - YOUNG + timedelta(seconds=1)), None) is None


@pytest.mark.parametrize(
    "instance",
    [
        pytest.param(None, id="no task instance"),
        pytest.param(known(id="other", prefix="etl-load-ffffffffffffffff-", state="failed"), id="other run"),
        pytest.param(known(id="other", prefix=None, state="failed"), id="dags test"),
    ],
)
def test_without_a_name_of_the_deployment_what_may_be_anothers_is_left(
    instance: KnownTaskInstance | None,
) -> None:
    assert judge(job(deployment=""), instance, deployment="", now=NOW) == Judgement(unknown=True)


def test_a_job_of_dags_test_is_wanted_until_its_task_instance_is_finished() -> None:
    assert why(job(), known(id="try-2", prefix=None, number=2)) is None
    found = why(job(), known(id="try-2", prefix=None, number=2, state="failed"))
    assert found == "the task instance is failed"


def test_a_job_that_outlives_its_task_is_wanted() -> None:
    assert why(job(outlives_task=True), known(state="success")) is None
    assert why(job(outlives_task=True), None) is None


def test_ids_are_compared_without_case() -> None:
    assert why(job(job_id=f"{PREFIX.upper()}2-1"), known(id="try-2", state="failed")) is not None


METADATA = {
    "airflow_deployment": "prod",
    "airflow_dag": "etl",
    "airflow_run": "r1",
    "airflow_task": "load",
    "airflow_map_index": "3",
    "airflow_task_instance": "try-1",
    "airflow_epoch": "2",
    "airflow_try": "1",
}


def as_listed(state: str = "active", **metadata: str | None) -> dict[str, Any]:
    said = {name: value for name, value in {**METADATA, **metadata}.items() if value is not None}
    return {
        "id": f"{PREFIX}2-1",
        "state": state,
        "eTag": "0x1",
        "creationTime": "2026-03-01T11:00:00.1234567Z",
        "metadata": [{"name": name, "value": value} for name, value in said.items()],
    }


def listed(*jobs: dict[str, Any], refuses_filter: bool = False) -> list[OwnedJob]:
    def send(request: BatchRequest) -> BatchResponse:
        if refuses_filter and "$filter" in request.query:
            raise BatchServiceError("no such filter", operation="List Jobs", status=400)
        return BatchResponse(status=200, content=dump({"value": jobs}))

    return run(list_owned_jobs(), send, lambda _: None)


@pytest.mark.parametrize("refuses_filter", [False, True])
def test_jobs_that_are_not_over_are_read_with_what_they_say(refuses_filter: bool) -> None:
    outlives = as_listed("disabled", airflow_outlives_task="true")
    over = [as_listed(state) for state in ("completed", "terminating", "deleting")]
    found = listed(as_listed(), outlives, *over, refuses_filter=refuses_filter)
    assert [one.outlives_task for one in found] == [False, True]
    assert found[0] == job(
        key=("etl", "r1", "load", 3), created=datetime(2026, 3, 1, 11, 0, 0, 123456, tzinfo=UTC)
    )


@pytest.mark.parametrize(
    "missing",
    ["airflow_dag", "airflow_run", "airflow_task", "airflow_map_index", "airflow_task_instance"],
)
def test_a_job_that_no_airflow_task_made_is_none_of_ours(missing: str) -> None:
    assert listed(as_listed(**{missing: None})) == []
