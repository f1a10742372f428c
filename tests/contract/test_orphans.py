"""Orphans are found and ended in local Azure, by the hooks and by the command; what Airflow has is given."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchad.cli import main
from airflow_provider_batchad.hooks import AzureBatchAdHook, orphans, task_instances
from airflow_provider_batchad.jobs.naming import TaskInstanceName, job_prefix
from airflow_provider_batchad.jobs.orphans import KnownTaskInstance, TaskInstanceKey
from airflow_provider_batchad.local.config import LocalAzureConfig
from tests.contract.operator_runs import context_of, operator_of, submit
from tests.contract.signing_in import SigningIn, connected

KEY: TaskInstanceKey = ("d", "r", "t", -1)
STARTED = "2026-01-01T00:00:00+00:00"
SLEEPING = "/bin/sleep 60"


@pytest.fixture
def signing_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SigningIn]:
    with connected(monkeypatch, LocalAzureConfig(port=0, state_dir=tmp_path / "state")) as signing_in:
        yield signing_in


class Airflow(dict[TaskInstanceKey, KnownTaskInstance]):
    """What Airflow's database has."""

    def knows(self, context: dict[str, Any], state: str) -> None:
        name = TaskInstanceName(
            deployment="", dag_id="d", run_id="r", run_started=STARTED, task_id=KEY[2], map_index=-1
        )
        ti = context["ti"]
        self[KEY] = KnownTaskInstance(
            id=str(ti.id),
            state=state,
            number=ti.try_number,
            max_tries=ti.max_tries,
            prefix=job_prefix(name),
        )


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> Airflow:
    airflow = Airflow()
    monkeypatch.setattr(task_instances, "find_task_instances", lambda keys, _: airflow)
    return airflow


def job_of(signing_in: SigningIn, job_id: str) -> tuple[str, str | None]:
    job = signing_in.azure.batch.jobs.get(job_id)
    assert job is not None
    return str(job.state), job.terminate_reason


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["orphans", *arguments])
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out, said.err


def test_the_job_of_a_task_that_is_over_is_listed_and_ended_on_request(
    signing_in: SigningIn, airflow: Airflow, capsys: pytest.CaptureFixture[str]
) -> None:
    context = context_of(operator_of(command_line=SLEEPING))
    job_id = submit(operator_of(command_line=SLEEPING), context)["job_id"]
    airflow.knows(context, "deferred")
    assert command(capsys) == (0, "No orphans among 1 job(s) of this Airflow that are not over.\n", "")
    airflow.knows(context, "failed")
    status, out, _ = command(capsys)
    assert status == 1
    assert f"{job_id}  d" in out
    assert "the task instance is failed" in out
    assert job_of(signing_in, job_id) == ("active", None)
    status, out, _ = command(capsys, "batchad_default", "--terminate", "--json")
    assert status == 0
    [row] = [json.loads(line) for line in out.splitlines()]
    assert (row["job_id"], row["task_id"], row["why"]) == (job_id, "t", "the task instance is failed")
    assert row["terminated"] is True
    reason = (
        f"Airflow: the task instance is failed; ended by {getpass.getuser()} with 'airflow batchad orphans'."
    )
    assert job_of(signing_in, job_id)[1] == reason
    assert command(capsys)[0] == 0


def test_a_job_that_a_later_try_attached_to_meanwhile_is_left(
    signing_in: SigningIn, airflow: Airflow
) -> None:
    operator = operator_of(command_line=SLEEPING)
    first, second = context_of(operator), context_of(operator, number=2)
    job_id = submit(operator, first)["job_id"]
    airflow.knows(first, "failed")
    with AzureBatchAdHook(actions=("jobs/read", "jobs/write")) as hook:
        [orphan] = orphans.find_orphans(hook).orphans
        assert submit(operator, second)["job_id"] == job_id
        assert not orphans.end_orphan(hook, orphan, who="anybody")
    assert job_of(signing_in, job_id) == ("active", None)


@pytest.mark.parametrize("argument", ["wait_for_completion", "cancel_on_kill"])
def test_a_job_that_its_author_wants_to_outlive_its_task_is_left(
    signing_in: SigningIn, airflow: Airflow, capsys: pytest.CaptureFixture[str], argument: str
) -> None:
    operator = operator_of(command_line=SLEEPING, **{argument: False})
    context = context_of(operator)
    if argument == "wait_for_completion":
        operator.execute(context)
    else:
        submit(operator, context)
    airflow.knows(context, "success")
    assert command(capsys)[0] == 0


def test_a_job_that_may_be_another_deployments_is_named_and_left(
    signing_in: SigningIn, airflow: Airflow, capsys: pytest.CaptureFixture[str]
) -> None:
    operator = operator_of(command_line=SLEEPING)
    job_id = submit(operator, context_of(operator))["job_id"]
    status, _, err = command(capsys, "--terminate")
    assert status == 0
    assert f"Left out: 1 job(s) of task instances that this Airflow does not have, such as {job_id}" in err
    assert job_of(signing_in, job_id) == ("active", None)


def test_a_job_of_another_deployment_is_not_looked_at(
    signing_in: SigningIn,
    airflow: Airflow,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    operator = operator_of(command_line=SLEEPING)
    submit(operator, context_of(operator))
    monkeypatch.setenv("AIRFLOW__BATCHAD__DEPLOYMENT", "another")
    assert command(capsys) == (0, "No orphans among 0 job(s) of this Airflow that are not over.\n", "")


def test_where_it_cannot_be_said_the_status_is_2(
    signing_in: SigningIn, airflow: Airflow, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = command(capsys, "there_is_none")
    assert (status, out) == (2, "")
    assert err == "batchad orphans: Airflow has no connection 'there_is_none'.\n"


def test_without_airflows_database_the_status_is_2(
    signing_in: SigningIn, capsys: pytest.CaptureFixture[str]
) -> None:
    operator = operator_of(command_line=SLEEPING)
    submit(operator, context_of(operator))
    status, _, err = command(capsys)
    assert status == 2
    assert err.startswith("batchad orphans: Airflow's database could not be asked: no such table")
