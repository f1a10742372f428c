"""What elements of roles, deny assignments and answers of Batch are taken to say."""

from __future__ import annotations

import pytest

from airflow_provider_batchad.access.actions import ACTIONS, OPENS_EVERYTHING, AnyAction, DataAction
from airflow_provider_batchad.access.permissions import Permission
from airflow_provider_batchad.access.preflight import (
    PROBES,
    Denial,
    Held,
    RoleElement,
    judge_elements,
    judge_probes,
)

READ = DataAction.JOBS_READ
JOBS = Permission(data_actions=("Microsoft.Batch/batchAccounts/jobs/*",))
KEYS = Permission(actions=(OPENS_EVERYTHING.value,))


def role(permission: Permission, *, conditional: bool = False) -> RoleElement:
    return RoleElement(permission=permission, role="r", conditional=conditional)


SURE, UNSURE = Denial(permission=JOBS), Denial(permission=JOBS, certain=False)


@pytest.mark.parametrize(
    ("elements", "denials", "held"),
    [
        ([role(JOBS)], [], Held.YES),
        ([role(JOBS, conditional=True)], [], Held.UNKNOWN),
        ([role(JOBS, conditional=True), role(JOBS)], [], Held.YES),
        ([role(JOBS, conditional=True), role(KEYS)], [], Held.YES),
        ([role(KEYS, conditional=True)], [], Held.UNKNOWN),
        ([role(KEYS)], [Denial(permission=KEYS)], Held.NO),
        ([role(JOBS)], [SURE], Held.NO),
        ([role(JOBS)], [UNSURE], Held.UNKNOWN),
        ([], [UNSURE], Held.NO),
        ([role(JOBS)], [UNSURE, SURE], Held.NO),
    ],
)
def test_what_is_not_certain_is_neither_held_nor_denied(
    elements: list[RoleElement], denials: list[Denial], held: Held
) -> None:
    findings, _ = judge_elements(elements, denials)
    assert next(one.held for one in findings if one.action is READ) is held


def test_a_404_is_said_to_be_inferred_from() -> None:
    answers: dict[AnyAction, int | None] = {
        probe.action: 404 if "{}" in probe.path else 200 for probe in PROBES
    }
    findings = judge_probes(answers)
    assert {one.action for one in findings} == set(ACTIONS)
    for one in findings:
        by_absence = any(probe.action is one.action and "{}" in probe.path for probe in PROBES)
        assert ("inferred" in one.how) is by_absence
    assert next(one.held for one in findings if one.action is OPENS_EVERYTHING) is Held.UNKNOWN


def test_no_probe_can_reach_what_is_there() -> None:
    for probe in PROBES:
        assert probe.method == "GET" or "{}" in probe.path
