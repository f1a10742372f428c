from __future__ import annotations

import pytest

from airflow_provider_batchad.errors import PermissionDenied
from airflow_provider_batchad.jobs.logs import read_tail, with_logs
from airflow_provider_batchad.jobs.outcome import JobOutcome, read_outcome
from airflow_provider_batchad.jobs.rest import run
from tests.unit.batch_model import BatchModel
from tests.unit.tries import PREFIX, plan_of, spec_of, submit_to

JOB_ID = f"{PREFIX}3-1"


@pytest.fixture
def model() -> BatchModel:
    return BatchModel()


def finish(model: BatchModel, count: int = 3, **exit_codes: int) -> JobOutcome:
    model.exit_codes = exit_codes
    submit_to(model, plan_of(), spec_of(count))
    model.settle()
    return run(read_outcome(JOB_ID, spec_of(count).task_ids), model.send, lambda _: None)


def with_file(model: BatchModel, content: bytes, name: str = "stderr.txt") -> BatchModel:
    finish(model, 3, t1=1)
    model.jobs[JOB_ID].tasks["t1"].files[name] = content
    model.sent.clear()
    return model


def tail(model: BatchModel, max_bytes: int = 20) -> str:
    return run(read_tail(JOB_ID, "t1", "stderr.txt", max_bytes), model.send, lambda _: None)


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (b"", ""),
        (b"short\n", "short\n"),
        (b"exactly twenty bytes", "exactly twenty bytes"),
        (b"a first line\nand the last one\n", "and the last one\n"),
        (b"one very long line without an end", " line without an end"),
        (b"one very long line with an end at last\n", "with an end at last\n"),
        ("é".encode() * 15, "é" * 10),
        ("天気".encode() * 5, "\ufffd\ufffd" + "天気" * 3),
        (b"\xff\xfe broken", "\ufffd\ufffd broken"),
    ],
)
def test_the_tail_is_the_last_whole_lines_or_what_there_is_of_one(
    model: BatchModel, content: bytes, shown: str
) -> None:
    assert tail(with_file(model, content)) == shown


def test_no_more_is_asked_for_than_the_tail(model: BatchModel) -> None:
    with_file(model, b"x" * 100_000)
    assert len(tail(model, max_bytes=4096)) == 4096
    _, get = model.sent
    assert get.headers["ocp-range"] == "bytes=95904-99999"
    assert get.max_bytes == 4096


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (404, "FileNotFound"),
        (404, "NodeNotFound"),
        (409, "TaskFilesUnavailable"),
        (409, "TaskFilesCleanedup"),
        (409, "NodeStateUnusable"),
        (416, "InvalidRange"),
        (503, "ServerBusy"),
    ],
)
@pytest.mark.parametrize("operation", ["Get Task File Properties", "Get Task File"])
def test_a_log_that_cannot_be_read_is_left_empty_and_changes_no_verdict(
    model: BatchModel, operation: str, status: int, code: str
) -> None:
    with_file(model, b"why")
    model.refusals = {operation: (status, code)}
    assert tail(model) == ""


@pytest.mark.parametrize("lost", ["before", "after"])
def test_a_log_whose_answer_is_lost_is_left_empty(model: BatchModel, lost: str) -> None:
    with_file(model, b"why")
    model.fault = lambda _: lost
    assert tail(model) == ""


def test_a_log_that_may_not_be_read_is_an_error(model: BatchModel) -> None:
    with_file(model, b"why")
    model.refusals = {"Get Task File": (403, "AuthorizationFailure")}
    with pytest.raises(PermissionDenied):
        tail(model)


def test_the_logs_are_read_of_the_first_failures_alone(model: BatchModel) -> None:
    outcome = finish(model, 5, t1=1, t2=1, t4=1)
    for task_id in ("t1", "t4"):
        files = model.jobs[JOB_ID].tasks[task_id].files
        files["stderr.txt"], files["stdout.txt"] = f"{task_id} broke".encode(), f"{task_id} says".encode()
    told = run(with_logs(outcome, most=2), model.send, lambda _: None)
    assert [(one.task_id, one.stderr_tail, one.stdout_tail) for one in told.failures] == [
        ("t1", "t1 broke", "t1 says"),
        ("t2", "", ""),
        ("t4", "", ""),
    ]
