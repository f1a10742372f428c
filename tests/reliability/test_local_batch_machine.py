"""Random operations, clock steps and faults against local Batch, beside a small model of what may come of it.

The model knows what was asked, not when the service gets round to it: between two looks a job or a task may
have gone any way that the REST API's states allow, and no other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from airflow_provider_batchad.local.faults import FaultRule
from tests.contract.batch_fixtures import CONFIG, Batch, eventually
from tests.contract.state_fixtures import start
from tests.reliability.batch_states import (
    CLOSED,
    COMMANDS,
    JOB_LIMIT_SECONDS,
    TASK_LIMIT_SECONDS,
    JobModel,
    TaskModel,
    check_job,
    check_task,
)

NUMBERS = st.integers(0, 400)


class BatchMachine(RuleBasedStateMachine):
    """One run on an account that all runs share; each has jobs of its own."""

    def __init__(self, batch: Batch) -> None:
        super().__init__()
        self.batch = batch
        self.jobs: dict[str, JobModel] = {}
        self.fault: str | None = None
        self.has_restarted = False

    @initialize(
        kinds=st.lists(st.sampled_from(sorted(COMMANDS)), min_size=2, max_size=5), retries=st.integers(0, 2)
    )
    def begin(self, kinds: list[str], retries: int) -> None:
        """Two jobs with tasks: most of what can happen needs them."""
        self.batch.azure.faults.clear()
        for number, pool in enumerate(("cpu", "empty")):
            self.create_job(pool, is_limited=False)
            self.add_tasks(number, kinds, retries, is_limited=number == 0)

    def now(self) -> float:
        return self.batch.azure.clock.time()

    def change(self, method: str, path: str, body: object = None) -> int | None:
        """The status of a change; ``None``: a fault answered, and kept the change from happening or not."""
        fault, self.fault = self.fault, None
        answer = self.batch.send(method, path, body)
        self.batch.azure.faults.clear()
        assert answer.status_code < 500 or fault is not None, answer.text
        if fault is None:
            return answer.status_code
        assert answer.status_code == 503
        return None

    # What is drawn must not depend on how far the service is: so numbers are, taken modulo what there is.
    def pick(self, number: int) -> JobModel:
        return tuple(self.jobs.values())[number % len(self.jobs)]

    def pick_task(self, number: int) -> tuple[JobModel, str, TaskModel]:
        job = self.pick(number)
        name = f"t{number // 7 % max(1, len(job.tasks))}"
        # Without a task the request goes out all the same, to one that is not there.
        return job, name, job.tasks.get(name, TaskModel(kind="failure", retries=0, is_limited=False))

    def expect(self, status: int | None, job: JobModel, *usual: int) -> bool:
        """Whether the change was made; it may be refused only where the job may have ended."""
        if status is None:
            return False
        if status in usual:
            return True
        assert status in (404, 409), status
        assert job.may_have_ended(self.now()) or job.seen in CLOSED
        return False

    @rule(pool=st.sampled_from(["cpu", "empty"]), is_limited=st.booleans())
    def create_job(self, pool: str, is_limited: bool) -> None:
        job_id = self.batch.new_id()
        body: dict[str, Any] = {"id": job_id, "poolInfo": {"poolId": pool}}
        if is_limited:
            body["constraints"] = {"maxWallClockTime": f"PT{JOB_LIMIT_SECONDS}S"}
        created = self.now()
        status = self.change("POST", "/jobs", body)
        if status is None and self.batch.send("GET", f"/jobs/{job_id}").status_code == 404:
            return
        assert status in (201, None)
        self.jobs[job_id] = JobModel(id=job_id, pool=pool, created=created, is_limited=is_limited)
        assert self.batch.send("POST", "/jobs", body).status_code == 409

    @rule(
        number=NUMBERS,
        kinds=st.lists(st.sampled_from(sorted(COMMANDS)), min_size=1, max_size=4),
        retries=st.integers(0, 2),
        is_limited=st.booleans(),
    )
    def add_tasks(self, number: int, kinds: list[str], retries: int, is_limited: bool) -> None:
        job = self.pick(number)
        first = len(job.tasks)
        models = {
            f"t{first + n}": TaskModel(kind=kind, retries=retries, is_limited=is_limited)
            for n, kind in enumerate(kinds)
        }
        constraints: dict[str, Any] = {"maxTaskRetryCount": retries}
        if is_limited:
            constraints["maxWallClockTime"] = f"PT{TASK_LIMIT_SECONDS}S"
        bodies = [
            {"id": name, "commandLine": COMMANDS[model.kind][0], "constraints": constraints}
            for name, model in models.items()
        ]
        status = self.change("POST", f"/jobs/{job.id}/addtaskcollection", {"value": bodies})
        if self.expect(status, job, 200) or (status is None and self.task_is_there(job, f"t{first}")):
            job.tasks.update(models)

    def task_is_there(self, job: JobModel, name: str) -> bool:
        return self.batch.send("GET", f"/jobs/{job.id}/tasks/{name}").status_code == 200

    @rule(number=NUMBERS)
    def terminate_task(self, number: int) -> None:
        job, name, task = self.pick_task(number)
        status = self.change("POST", f"/jobs/{job.id}/tasks/{name}/terminate")
        assert status in (204, 404, 409, None)
        assert status != 404 or not job.tasks or job.was_deleted
        task.ended = True

    @rule(number=NUMBERS)
    def reactivate_task(self, number: int) -> None:
        job, name, task = self.pick_task(number)
        status = self.change("POST", f"/jobs/{job.id}/tasks/{name}/reactivate")
        if status in (204, None):
            # Without an answer it may have happened, or not.
            assert task.kind != "success" or task.ended or task.is_limited or status is None
            task.reactivated = True
        else:
            assert status in (404, 409)

    @rule(number=NUMBERS)
    def wait_for_short_tasks(self, number: int) -> None:
        job = self.pick(number)
        if job.pool == "cpu" and not job.was_disabled and self.fault is None:
            self.end_sleepers()
            eventually(lambda: self.has_run_its_tasks(job))

    @rule(number=NUMBERS, tasks=st.sampled_from(["requeue", "terminate", "wait"]), is_enabled=st.booleans())
    def disable_and_enable_job(self, number: int, tasks: str, is_enabled: bool) -> None:
        job = self.pick(number)
        job.was_disabled = True
        if tasks == "terminate":
            for task in job.tasks.values():
                task.ended = True
        self.expect(self.change("POST", f"/jobs/{job.id}/disable", {"disableTasks": tasks}), job, 202)
        if is_enabled:
            self.expect(self.change("POST", f"/jobs/{job.id}/enable"), job, 202)

    @rule(number=NUMBERS, how=st.sampled_from(["enable", "seal", "terminate", "delete"]))
    def change_job(self, number: int, how: str) -> None:
        job = self.pick(number)
        if how == "enable":
            self.expect(self.change("POST", f"/jobs/{job.id}/enable"), job, 202)
        elif how == "seal":
            job.is_sealed = True
            body = {"onAllTasksComplete": "terminatejob"}
            self.expect(self.change("PATCH", f"/jobs/{job.id}", body), job, 200)
        elif how == "terminate":
            job.was_terminated = True
            self.expect(self.change("POST", f"/jobs/{job.id}/terminate"), job, 202)
        else:
            job.was_deleted = True
            assert self.change("DELETE", f"/jobs/{job.id}") in (202, 404, 409, None)

    @rule(seconds=st.sampled_from([1, 30, TASK_LIMIT_SECONDS, JOB_LIMIT_SECONDS]))
    def let_time_pass(self, seconds: int) -> None:
        self.batch.azure.clock.advance(seconds)

    @precondition(lambda self: self.fault is None)
    @rule(when=st.sampled_from(["before", "after"]))
    def break_the_next_change(self, when: Any) -> None:
        # Reads go on; the operation that breaks is whichever change comes next.
        self.fault = when
        for operation in CHANGES:
            self.batch.azure.faults.add(
                FaultRule(service="batch", operation=operation, when=when, status=503, times=1)
            )

    # Once is enough of what takes as long as everything else together.
    @precondition(lambda self: not self.has_restarted)
    @rule()
    def restart(self) -> None:
        """What was over before is as it was, to the last member."""
        self.has_restarted = True
        self.fault = None
        before = self.finished_tasks()
        self.batch.azure.stop()
        self.batch.azure = start(self.batch.azure.config)
        after = self.finished_tasks()
        for (job_id, name), shown in before.items():
            if self.batch.send("GET", f"/jobs/{job_id}").status_code == 200:
                assert after[job_id, name] == shown

    def finished_tasks(self) -> dict[tuple[str, str], Any]:
        return {
            (job.id, shown["id"]): shown
            for job in self.jobs.values()
            for shown in self.batch.send("GET", f"/jobs/{job.id}/tasks").json().get("value", ())
            if shown["state"] == "completed" and not job.was_deleted
        }

    @invariant()
    def looks_are_legal(self) -> None:
        for job in self.jobs.values():
            answer = self.batch.send("GET", f"/jobs/{job.id}")
            if answer.status_code == 404:
                assert job.was_deleted
                job.is_gone = True
                continue
            assert not job.is_gone
            check_job(job, answer.json(), self.now())
            if job.seen != "deleting":
                self.look_at_tasks(job)

    def look_at_tasks(self, job: JobModel) -> None:
        answer = self.batch.send("GET", f"/jobs/{job.id}/tasks")
        if answer.status_code == 404:
            assert job.was_deleted
            return
        listed = answer.json()["value"]
        assert {shown["id"] for shown in listed} == set(job.tasks)
        answer = self.batch.send("GET", f"/jobs/{job.id}/taskcounts")
        if answer.ok:
            counts = answer.json()["taskCounts"]
            assert counts["active"] + counts["running"] + counts["completed"] == len(job.tasks)
            assert counts["succeeded"] + counts["failed"] == counts["completed"]
        for shown in listed:
            check_task(job, job.tasks[shown["id"]], shown, self.now())

    def teardown(self) -> None:
        """Whatever has happened: jobs that are open run their short tasks to the right exit codes."""
        self.batch.azure.faults.clear()
        self.fault = None
        jobs = tuple(self.jobs.values())
        try:
            for job in jobs:
                self.batch.send("POST", f"/jobs/{job.id}/enable")
            self.end_sleepers()
            for job in jobs:
                eventually(lambda job=job: self.has_run_its_tasks(job))
            self.looks_are_legal()
        finally:
            for job in jobs:
                self.batch.send("DELETE", f"/jobs/{job.id}")
            for job in jobs:
                eventually(lambda job=job: self.is_gone(job))

    def is_gone(self, job: JobModel) -> bool:
        return self.batch.send("GET", f"/jobs/{job.id}").status_code == 404

    def end_sleepers(self) -> None:
        """They hold the slots that other tasks wait for."""
        for job in self.jobs.values():
            for name, task in job.tasks.items():
                if task.kind == "sleeper":
                    task.ended = True
                    self.batch.send("POST", f"/jobs/{job.id}/tasks/{name}/terminate")

    def has_run_its_tasks(self, job: JobModel) -> bool:
        answer = self.batch.send("GET", f"/jobs/{job.id}")
        if answer.status_code == 404:
            return True
        state = answer.json()["state"]
        if state in ("terminating", "disabling", "deleting"):
            return False
        listed = self.batch.send("GET", f"/jobs/{job.id}/tasks").json()["value"]
        short = [shown for shown in listed if job.tasks[shown["id"]].kind != "sleeper"]
        if state == "completed" or job.pool == "empty":
            return not any(shown["state"] == "running" for shown in listed)
        if state == "disabled":
            return not any(shown["state"] == "running" for shown in short)
        return all(shown["state"] == "completed" for shown in short)


CHANGES = (
    "Create Job",
    "Create Task Collection",
    "Terminate Task",
    "Reactivate Task",
    "Disable Job",
    "Enable Job",
    "Update Job",
    "Terminate Job",
    "Delete Job",
)


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Batch]:
    state = tmp_path_factory.mktemp("azure")
    # However far the clock goes, the token lasts.
    azure = start(replace(CONFIG, token_lifetime_seconds=1e9, state_dir=state))
    account = Batch(azure)
    yield account
    account.close()
    account.azure.stop()


def run(batch: Batch, examples: int, steps: int) -> None:
    run_state_machine_as_test(
        lambda: BatchMachine(batch),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(600)
def test_random_operations_make_only_legal_transitions(batch: Batch) -> None:
    run(batch, 25, 30)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_many_random_operations_make_only_legal_transitions(batch: Batch) -> None:
    run(batch, 200, 50)
