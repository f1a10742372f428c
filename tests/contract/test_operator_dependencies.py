"""Fan-outs whose tasks wait for each other, waited for in the worker and by the trigger: each ends by itself.

No task here has an ``execution_timeout``: what Batch would never end is seen, ended, and said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred
from airflow.triggers.base import TriggerEvent

from airflow_provider_batchad.errors import JobFailed
from airflow_provider_batchad.hooks import AzureBatchAdHook
from airflow_provider_batchad.local.config import LocalAzureConfig
from airflow_provider_batchad.triggers import job as trigger_module
from tests.contract.batch_fixtures import shell
from tests.contract.operator_runs import context_of, operator_of
from tests.contract.signing_in import SigningIn, connected

INTERVAL = 0.05


@pytest.fixture
def signing_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[SigningIn]:
    monkeypatch.setattr(trigger_module, "SETTLE_SECONDS", 0.0)
    with connected(monkeypatch, LocalAzureConfig(port=0)) as signing_in:
        yield signing_in


both_ways = pytest.mark.parametrize("deferrable", [False, True], ids=["in the worker", "by the trigger"])
by_trigger = pytest.param(True, marks=pytest.mark.nightly, id="by the trigger")
mostly_in_the_worker = pytest.mark.parametrize(
    "deferrable", [pytest.param(False, id="in the worker"), by_trigger]
)


def run(deferrable: bool, *, number: int = 1, **arguments: Any) -> Any:
    """One try of the operator to its end, through its trigger where it defers."""
    given = {"command_line": None, "poll_interval": INTERVAL, "deferrable": deferrable, **arguments}
    operator = operator_of(**given)
    return go_through(operator, context_of(operator, number=number))


def go_through(operator: Any, context: Any) -> Any:
    """Submit or attach, and wait for the end, through the trigger where the operator defers."""
    try:
        return operator.execute(context)
    except TaskDeferred as deferred:
        event = asyncio.run(_first_event(deferred.trigger))
        return operator.execute_complete(context, event.payload, **(deferred.kwargs or {}))


async def _first_event(trigger: Any) -> TriggerEvent:
    async for event in trigger.run():
        assert isinstance(event, TriggerEvent)
        return event
    raise AssertionError("a trigger fires once")


def task(name: str, command: str = "true", *parents: str, **more: Any) -> dict[str, Any]:
    depends = {"depends_on": {"task_ids": list(parents)}} if parents else {}
    return {"id": name, "command_line": shell(command), **depends, **more}


def ended() -> list[tuple[str, str]]:
    """State and reason of each job, without the package's own beginning."""
    with AzureBatchAdHook(actions=["jobs/read"]) as hook:
        jobs = list(hook.get_conn().list_jobs())
    assert all(job.execution_info is not None for job in jobs)
    return [(str(job.state.value), str(job.execution_info.termination_reason)) for job in jobs]  # type: ignore[union-attr]


@both_ways
def test_a_failed_parent_ends_the_job_with_the_children_that_it_blocks(
    signing_in: SigningIn, deferrable: bool
) -> None:
    tasks = [
        task("ok"),
        task("bad", "exit 4"),
        task("child", "true", "ok", "bad"),
        task("grandchild", "true", "child"),
    ]
    said = r"could not go on, and was ended: 2 task\(s\) wait for ever .*child for bad, grandchild for child"
    with pytest.raises(JobFailed, match=said) as failed:
        run(deferrable, tasks=tasks)
    assert failed.value.failed_task_ids == ("bad",)
    [(state, reason)] = ended()
    assert state == "completed"
    assert reason.startswith("Airflow: blocked: 2 task(s)")


@pytest.mark.nightly
@both_ways
def test_a_failed_parent_of_a_range_ends_the_job(signing_in: SigningIn, deferrable: bool) -> None:
    span = {"depends_on": {"task_id_ranges": [{"start": 1, "end": 3}]}}
    tasks = [task("1"), task("2", "exit 1"), task("3"), task("last", **span)]
    with pytest.raises(JobFailed, match=r"could not go on.*last for 2"):
        run(deferrable, tasks=tasks)


@pytest.mark.nightly
@both_ways
def test_a_failed_parent_whose_exit_code_satisfies_blocks_nobody(
    signing_in: SigningIn, deferrable: bool
) -> None:
    satisfying = {
        "exit_conditions": {
            "exit_codes": [{"code": 4, "exit_options": {"dependency_action": "satisfy"}}],
        }
    }
    tasks = [task("bad", "exit 4", **satisfying), task("child", "true", "bad")]
    assert run(deferrable, tasks=tasks, max_failed_tasks=1)["succeeded"] == 1


@mostly_in_the_worker
def test_a_retry_of_the_failed_tasks_runs_the_children_of_a_parent_that_succeeded(
    signing_in: SigningIn, deferrable: bool, tmp_path: Path
) -> None:
    mended = tmp_path / "mended"
    tasks = [
        task("parent", "echo 1 > r.json"),
        task("child", f"test -e {mended} && echo 2 > r.json", "parent"),
        task("grandchild", "echo 3 > r.json", "child"),
    ]
    given: dict[str, Any] = {"tasks": tasks, "retry": "failed_tasks", "outputs": "r.json"}
    with pytest.raises(JobFailed, match="grandchild for child"):
        run(deferrable, **given)
    mended.touch()
    assert run(deferrable, number=2, **given) == [1, 2, 3]
    with AzureBatchAdHook(actions=["jobs/read"]) as hook:
        client = hook.get_conn()
        held = [sorted(str(one.id) for one in client.list_tasks(job.id)) for job in client.list_jobs()]
    assert sorted(held) == [["child", "grandchild"], ["child", "grandchild", "parent"]]


@mostly_in_the_worker
def test_a_preparation_that_fails_on_every_node_ends_the_job(signing_in: SigningIn, deferrable: bool) -> None:
    preparation = {"command_line": shell("exit 5"), "constraints": {"max_task_retry_count": 0}}
    with pytest.raises(JobFailed, match=r"preparation task failed on all .* \(exit codes: 5\)"):
        run(deferrable, tasks=[task("a"), task("b")], job={"job_preparation_task": preparation})
    [(_, reason)] = ended()
    assert "preparation task failed" in reason


@both_ways
def test_a_dependency_on_a_task_that_the_author_forgot_is_refused_before_anything_is_sent(
    signing_in: SigningIn, deferrable: bool
) -> None:
    forgotten = r"tasks\[1\]\.depends_on\.task_ids\[0\]: no task of this job has the id 'absent'"
    with pytest.raises(AirflowFailException, match=forgotten):
        run(deferrable, tasks=[task("a"), task("b", "true", "absent")])
    assert not signing_in.azure.ledger.entries(service="batch")


@mostly_in_the_worker
def test_a_dependency_on_a_task_that_the_job_manager_never_added_ends_the_job(
    signing_in: SigningIn, deferrable: bool
) -> None:
    manager = {"id": "manager", "command_line": "true", "kill_job_on_completion": False}
    with pytest.raises(JobFailed, match=r"could not go on.*b for absent"):
        run(
            deferrable,
            tasks=[task("a"), task("b", "true", "absent")],
            job={"job_manager_task": manager},
        )


@pytest.mark.nightly
@both_ways
def test_a_task_that_somebody_deleted_blocks_its_children_and_is_missing(
    signing_in: SigningIn, deferrable: bool
) -> None:
    tasks = [task("gone", "sleep 600"), task("child", "true", "gone")]
    operator = operator_of(command_line=None, tasks=tasks, poll_interval=INTERVAL, deferrable=True)
    context = context_of(operator)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context)
    job_id = deferred.value.trigger.serialize()[1]["job_id"]
    with AzureBatchAdHook(actions=["jobs/delete"]) as hook:
        hook.get_conn().delete_task(job_id, "gone")
    operator.deferrable = deferrable
    with pytest.raises(JobFailed, match=r"1 of 2 task\(s\) are not in it"):
        go_through(operator, context)
