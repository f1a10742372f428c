from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from airflow_provider_batchad.errors import Unreachable
from airflow_provider_batchad.jobs import streaming
from airflow_provider_batchad.jobs.following import Follower, followed
from airflow_provider_batchad.jobs.rest import BatchRequest, run
from airflow_provider_batchad.jobs.waiting import Wait, Waited, WaitResult, wait_for_end
from tests.unit.batch_model import BatchModel, ModelTask
from tests.unit.tries import PREFIX, plan_of, spec_of, submit_to

JOB_ID = f"{PREFIX}3-1"
FILES = {"Get Task File", "Get Task File Properties"}


class Watched:
    """A job that is waited for while a play goes on: one act in each pause."""

    def __init__(self, tasks: int) -> None:
        self.model = BatchModel()
        submit_to(self.model, plan_of(), spec_of(tasks))
        self.model.sent.clear()
        self.said: list[str] = []
        self.looks: list[int] = []
        self._sent = 0

    @property
    def tasks(self) -> dict[str, ModelTask]:
        return self.model.jobs[JOB_ID].tasks

    def write(self, content: bytes, name: str = "stdout.txt") -> None:
        files = self.tasks["t0"].files
        files[name] = files.get(name, b"") + content

    def wait(self, *acts: Callable[[], object]) -> Waited:
        """Wait until the acts are over and the service has settled."""
        play = iter((*acts, self.model.settle))

        def pause(_: float) -> None:
            sent = self.model.operations[self._sent :]
            self._sent = len(self.model.sent)
            self.looks.append(len([one for one in sent if one != "Get Job"]))
            next(play)()

        wait = Wait(poll_interval_seconds=30)
        waiting = wait_for_end(JOB_ID, wait, now=lambda: datetime.now(UTC))
        return run(
            followed(waiting, Follower(JOB_ID, [*self.tasks], self.said.append)), self.model.send, pause
        )


def start(task: ModelTask) -> None:
    task.state = "running"


def end(task: ModelTask, exit_code: int = 0) -> None:
    task.state = "completed"
    task.execution = {"exitCode": exit_code, "result": "failure" if exit_code else "success"}


def test_a_job_of_many_tasks_is_one_line_a_change_and_one_request_a_look() -> None:
    watched = Watched(40)
    tasks = list(watched.tasks.values())
    nothing: Callable[[], object] = lambda: None  # noqa: E731 - an act of the play
    result = watched.wait(
        nothing,
        nothing,
        lambda: [start(task) for task in tasks[:4]],
        nothing,
        lambda: [end(task) for task in tasks[:3]],
        lambda: end(tasks[3], 1),
        nothing,
        lambda: [end(task) for task in tasks[4:20]],
    )
    assert result.result is WaitResult.COMPLETED
    head = f"Batch job {JOB_ID} is active: of 40 task(s) "
    assert watched.said == [
        f"{head}40 wait, 0 run, 0 are done, 0 of these failed.",
        f"{head}36 wait, 4 run, 0 are done, 0 of these failed.",
        f"{head}36 wait, 0 run, 4 are done, 1 of these failed.",
        f"{head}20 wait, 0 run, 20 are done, 1 of these failed.",
    ]
    assert set(watched.looks) == {1}


def test_a_change_of_the_jobs_state_is_said() -> None:
    watched = Watched(2)
    job = watched.model.jobs[JOB_ID]
    watched.wait(lambda: setattr(job, "state", "disabled"), lambda: setattr(job, "state", "active"))
    assert [line.split(":")[0].rsplit(" ", 1)[1] for line in watched.said] == ["active", "disabled", "active"]


def test_what_the_only_task_writes_is_shown_in_whole_lines_as_it_runs() -> None:
    watched = Watched(1)
    task = watched.tasks["t0"]
    watched.wait(
        lambda: start(task),
        lambda: watched.write("one\ntwo\nthr\u00e9".encode()[:-1]),
        lambda: watched.write("\u00e9".encode()[-1:] + b"e\n"),
        lambda: watched.write(b"oh\r\n", "stderr.txt"),
        lambda: watched.write(b" 10 %\r 20 %\r 30 %\nlast, without an end"),
    )
    assert watched.said[2:] == [
        "stdout of Batch task t0:\none\ntwo",
        "stdout of Batch task t0:\nthr\u00e9e",
        "stderr of Batch task t0:\noh",
        "stdout of Batch task t0:\n 30 %",
        "stdout of Batch task t0:\nlast, without an end",
    ]
    assert max(watched.looks) == 2


def test_one_look_reads_a_bounded_piece_and_of_much_the_end_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "MOST_BYTES_A_LOOK", 10)
    monkeypatch.setattr(streaming, "MOST_BYTES_AT_THE_END", 20)
    watched = Watched(1)
    watched.write(b"".join(b"%04d\n" % number for number in range(100)))
    watched.wait(lambda: start(watched.tasks["t0"]), lambda: None)
    sizes = [request.max_bytes for request in watched.model.sent if request.operation == "Get Task File"]
    assert set(sizes) == {10, 20}
    assert watched.said[2:] == [
        "stdout of Batch task t0:\n0000\n0001",
        "stdout of Batch task t0: 470 bytes are not shown here.",
        "stdout of Batch task t0:\n0096\n0097\n0098\n0099",
    ]


def test_a_line_without_an_end_is_cut_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "MOST_BYTES_A_LOOK", 10)
    watched = Watched(1)
    watched.write(b"word token-that-is-long and more words")
    watched.wait(lambda: start(watched.tasks["t0"]), lambda: None, lambda: None)
    assert watched.said[2:] == [
        "stdout of Batch task t0:\nword",
        "stdout of Batch task t0:\ntoken-that-is-long and more",
        "stdout of Batch task t0:\nwords",
    ]


def test_a_log_that_a_further_run_of_the_task_began_anew_is_shown_again() -> None:
    watched = Watched(1)
    watched.write(b"the first run was long\n")
    anew = {"stdout.txt": b"second run\n"}
    watched.wait(
        lambda: start(watched.tasks["t0"]), lambda: None, lambda: watched.tasks["t0"].files.update(anew)
    )
    assert watched.said[2:] == [
        "stdout of Batch task t0:\nthe first run was long",
        "stdout of Batch task t0:\nsecond run",
    ]


@pytest.mark.parametrize(
    "refusal", [(404, "FileNotFound"), (409, "TaskFilesUnavailable"), (416, "InvalidRange")]
)
def test_a_log_that_is_not_there_is_no_news(refusal: tuple[int, str]) -> None:
    watched = Watched(1)
    watched.model.refusals = dict.fromkeys(FILES, refusal)
    result = watched.wait(lambda: start(watched.tasks["t0"]), *[lambda: None] * 3)
    assert result.result is WaitResult.COMPLETED
    assert [line for line in watched.said if "stdout" in line or "stderr" in line] == []
    assert watched.looks[2:] == [2] * 3


@pytest.mark.parametrize(
    "refusal", [(403, "AuthorizationFailure"), (503, "ServerBusy"), (400, "InvalidHeaderValue")]
)
def test_an_error_of_the_look_changes_no_verdict_and_is_left_alone_for_a_while(
    refusal: tuple[int, str],
) -> None:
    watched = Watched(1)
    watched.model.refusals = {**dict.fromkeys(FILES, refusal), "Get Job Task Counts": refusal}
    assert watched.wait(*[lambda: None] * 13).result is WaitResult.COMPLETED
    assert watched.looks == [1, 0, 0, 0, 0, 0] * 2 + [1, 0]
    assert watched.said == []


def test_an_answer_that_is_lost_is_told_to_those_who_wait_and_not_to_the_look() -> None:
    watched = Watched(2)
    lost = {"Get Job": 1, "Get Job Task Counts": 1}

    def fault(request: BatchRequest) -> str | None:
        lost[request.operation] = lost.get(request.operation, 0) - 1
        return "before" if lost[request.operation] >= 0 else None

    watched.model.fault = fault
    assert watched.wait(lambda: None).result is WaitResult.COMPLETED


def test_the_end_of_a_job_that_was_deleted_is_told() -> None:
    watched = Watched(1)
    assert watched.wait(watched.model.jobs.clear).result is WaitResult.GONE


def test_what_ends_the_wait_is_raised_to_who_waits() -> None:
    watched = Watched(1)

    def stop() -> None:
        raise Unreachable("stopped", step="batch")

    with pytest.raises(Unreachable, match="stopped"):
        watched.wait(stop)
