"""Each request of a job's life, broken on the wire in each way, sync and async: what comes of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchad.errors import BatchAdError, ServiceUnavailable, Unreachable
from airflow_provider_batchad.jobs import requests, waiting
from airflow_provider_batchad.jobs.blocked import why_blocked
from airflow_provider_batchad.jobs.cleanup import delete_jobs
from airflow_provider_batchad.jobs.logs import read_tail
from airflow_provider_batchad.jobs.outcome import read_outcome
from airflow_provider_batchad.jobs.outputs import read_outputs
from airflow_provider_batchad.jobs.plan import Plan
from airflow_provider_batchad.jobs.rest import Steps
from airflow_provider_batchad.jobs.spec import JobSpec, build_job
from airflow_provider_batchad.jobs.submission import submit
from airflow_provider_batchad.jobs.termination import terminate
from airflow_provider_batchad.jobs.waiting import Wait, WaitResult, look_once, wait_for_end
from airflow_provider_batchad.local.config import LocalAzureConfig, PoolConfig
from tests.contract.batch_fixtures import eventually
from tests.contract.fault_matrix import dead_port
from tests.contract.signing_in import SigningIn, running
from tests.contract.wire_faults import FAULTS, Line, Way, connect, new_plan, spare_the_waits
from tests.wire_table import PROPERTY

# Nothing hangs; what is waited for is the machine alone.
BOUND_SECONDS = 60.0
MOST_REQUESTS = 60
AGREED = Path(__file__).with_suffix(".txt")
COMMAND = "/bin/sh -c 'echo 1; echo 1 > r.json'"
ADDRESS = PoolConfig(id="cpu", nodes=2, slots=8), PoolConfig(id="empty", nodes=0, slots=1)


def spec_for(pool: str) -> JobSpec:
    tasks = [{"id": name, "command_line": COMMAND} for name in ("a", "b")]
    return build_job(pool_id=pool, tasks=tasks, command_line=None, job=None)


class Life:
    """One job, and each thing that is done with it.

    :param over: whether it runs to its end; else it waits for a node for ever.
    """

    def __init__(self, line: Line, *, over: bool) -> None:
        self.line = line
        self.plan: Plan = new_plan()
        self.spec = spec_for("cpu" if over else "empty")
        self.job_id = self.plan.job_id

    def now(self) -> datetime:
        return self.line.now

    def submit(self) -> Steps[Any]:
        return submit(self.spec, self.plan, now=self.now)

    def wait(self) -> Steps[Any]:
        return wait_for_end(self.job_id, Wait(poll_interval_seconds=300), now=self.now)

    def look_for_blocked(self) -> Steps[Any]:
        return why_blocked(self.job_id)

    def judge(self) -> Steps[Any]:
        return read_outcome(self.job_id, self.spec.task_ids)

    def read_outputs(self) -> Steps[Any]:
        return read_outputs(self.job_id, self.spec.task_ids, "r.json", 1000)

    def read_log(self) -> Steps[Any]:
        return read_tail(self.job_id, "a", "stdout.txt")

    def terminate(self) -> Steps[Any]:
        return terminate(self.job_id, "told so", owner=self.plan.owner)

    def delete(self) -> Steps[Any]:
        return delete_jobs([self.job_id], number=1)

    def has_ended(self) -> bool:
        return bool(eventually(lambda: self.line.run(look_once(self.job_id)), seconds=60))

    def is_whole(self) -> bool:
        """Whether it was made once, each of its tasks once, and ends by itself."""
        listing = requests.list_jobs(where=f"startswith(id,'{self.plan.prefix}')", select="id")
        found = [job["id"] for job in self.line.run(requests.all_pages(listing))]
        return found == [self.job_id] and self.has_ended() and self.line.run(self.judge()).succeeded()


# Operation → what asks it, whether of a job that is over, and what is true once Batch answers again.
ASKED: dict[str, tuple[Callable[[Life], Steps[Any]], bool, Callable[[Life, Any], bool]]] = {
    "List Jobs": (Life.submit, True, lambda life, _: life.is_whole()),
    "Create Job": (Life.submit, True, lambda life, _: life.is_whole()),
    "Create Task Collection": (Life.submit, True, lambda life, _: life.is_whole()),
    "Update Job": (Life.submit, True, lambda life, _: life.is_whole()),
    "Get Job": (Life.wait, True, lambda _, waited: waited.result is WaitResult.COMPLETED),
    "List Tasks": (Life.judge, True, lambda _, outcome: outcome.succeeded()),
    "Get Job Task Counts": (Life.look_for_blocked, False, lambda _, reason: reason is None),
    "List Job Preparation And Release Task Status": (
        Life.look_for_blocked,
        False,
        lambda _, reason: reason is None,
    ),
    "Get Task File": (Life.read_outputs, True, lambda _, results: results == [1, 1]),
    "Get Task File Properties": (Life.read_log, True, lambda _, text: text == "1\n"),
    "Terminate Job": (Life.terminate, False, lambda life, _: life.has_ended()),
    "Delete Job": (Life.delete, True, lambda _, left: left == {}),
}
CHANGES = ("Create Job", "Create Task Collection", "Update Job", "List Jobs", "Terminate Job", "Delete Job")


@pytest.fixture(scope="module")
def shared() -> Iterator[SigningIn]:
    patch = pytest.MonkeyPatch()
    config = LocalAzureConfig(port=0, pools=ADDRESS)
    with dead_port() as port, running(patch, config) as signing_in:
        connect(signing_in, port, patch)
        try:
            yield signing_in
        finally:
            patch.undo()


@pytest.fixture(params=["sync", "async"])
def line(
    request: pytest.FixtureRequest, shared: SigningIn, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Line]:
    way: Way = request.param
    line = Line(shared, way)
    spare_the_waits(line, monkeypatch)
    monkeypatch.setattr(waiting, "FIRST_INTERVAL_SECONDS", 300.0)
    yield line
    line.close()


def verdict_of(run: Callable[[], Any]) -> str:
    """In a word, what comes of it while the fault is in force."""
    try:
        value = run()
    except ServiceUnavailable as error:
        return f"unavailable {error.status}"
    except Unreachable as error:
        return "not Batch" if "is not Batch" in str(error) else "unreachable"
    except BatchAdError as error:
        # Anything else would blame the author, the role or the job.
        return type(error).__name__
    if isinstance(value, dict) and value:
        return "left, and said"
    return "no log" if value == "" else "done"


def check(line: Line, operation: str, faults: Iterable[str]) -> list[object]:
    """A row of the session's table: what came of each of the faults, as agreed."""
    act, over, holds = ASKED[operation]
    shared_life = Life(line, over=over)
    if operation not in CHANGES:
        line.run(shared_life.submit())
        assert not over or shared_life.has_ended()
    found = {}
    for fault in faults:
        life = Life(line, over=over) if operation in CHANGES else shared_life
        if operation in ("Terminate Job", "Delete Job"):
            line.run(life.submit())
            assert not over or life.has_ended()
        started = time.monotonic()
        with line.broken(operation, fault) as times_met:
            found[fault] = verdict_of(lambda life=life: line.run(act(life)))
            assert 1 <= times_met() <= MOST_REQUESTS, fault
        assert time.monotonic() - started < BOUND_SECONDS
        assert holds(life, line.run(act(life))), f"{fault}: it does not go on once Batch answers again"
    rows = {f"{operation}: {fault}: {verdict}" for fault, verdict in found.items()}
    assert sorted(rows - set(AGREED.read_text().splitlines())) == []
    return [operation, line.way, found]


def some_for(operation: str, way: Way) -> list[str]:
    """Every fourth fault: two operations, both ways, meet each."""
    return list(FAULTS)[2 * (list(ASKED).index(operation) % 2) + (way == "async") :: 4]


@pytest.mark.parametrize("operation", ASKED)
def test_what_comes_of_each_fault_is_what_was_agreed(
    line: Line, operation: str, record_property: Callable[[str, object], None]
) -> None:
    record_property(PROPERTY, check(line, operation, some_for(operation, line.way)))


@pytest.mark.nightly
@pytest.mark.parametrize("operation", ASKED)
def test_what_comes_of_each_other_fault_is_the_same_sync_and_async(
    line: Line, operation: str, record_property: Callable[[str, object], None]
) -> None:
    left = [fault for fault in FAULTS if fault not in some_for(operation, line.way)]
    record_property(PROPERTY, check(line, operation, left))


def test_every_fault_of_every_operation_was_agreed_upon() -> None:
    agreed = [text.rpartition(": ")[0] for text in AGREED.read_text().splitlines()]
    assert agreed == [f"{operation}: {fault}" for operation in ASKED for fault in FAULTS]
