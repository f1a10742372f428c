from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_batchad.errors import Unreachable
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.rest import BatchRequest, BatchResponse, Steps, ask, run
from airflow_provider_batchad.jobs.shapes import missent, misshapen

JOB = {
    "id": "j",
    "state": "completed",
    "metadata": [{"name": "a", "value": "b"}, {"name": "c"}],
    "executionInfo": {"startTime": "2026", "terminateReason": None, "failureInfo": None},
}
TASK = {
    "id": "t",
    "executionInfo": {"exitCode": 2, "failureInfo": {"code": "x", "details": [{"name": "a", "value": "b"}]}},
    "nodeInfo": {"nodeId": "tvm"},
    "dependsOn": {"taskIds": ["a"], "taskIdRanges": [{"start": 1, "end": 2}]},
    "somethingNew": 7,
}


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("Get Job", JOB),
        ("List Jobs", {"value": [], "odata.nextLink": None}),
        ("List Jobs", {"value": [JOB], "odata.nextLink": "https://x"}),
        ("List Tasks", {"value": [TASK]}),
        ("Get Job Task Counts", {"taskCounts": {"active": 0, "failed": 1}, "taskSlotCounts": 7}),
        ("Create Task Collection", {"value": [{"taskId": "t", "status": "Success"}]}),
        ("Update Job", {"anything": "goes"}),
        ("List Job Preparation And Release Task Status", {"value": [{"nodeId": "x"}]}),
    ],
)
def test_what_batch_answers_is_let_pass(operation: str, body: dict[str, Any]) -> None:
    assert misshapen(operation, body) is None


@pytest.mark.parametrize(
    ("operation", "body", "wrong"),
    [
        ("Get Job", {}, "id"),
        ("Get Job", {"id": 7}, "id"),
        ("Get Job", {**JOB, "state": ["completed"]}, "state"),
        ("Get Job", {**JOB, "metadata": {"a": "b"}}, "metadata"),
        ("Get Job", {**JOB, "metadata": ["a"]}, "metadata"),
        ("Get Job", {**JOB, "executionInfo": "over"}, "executionInfo"),
        ("List Jobs", {}, "value"),
        ("List Jobs", {"value": 7}, "value"),
        ("List Jobs", {"value": [None]}, "value"),
        ("List Jobs", {"value": [{"state": "active"}]}, "value.id"),
        ("List Tasks", {"value": [TASK], "odata.nextLink": 7}, "odata.nextLink"),
        (
            "List Tasks",
            {"value": [{**TASK, "executionInfo": {"exitCode": "2"}}]},
            "value.executionInfo.exitCode",
        ),
        (
            "List Tasks",
            {"value": [{**TASK, "executionInfo": {"exitCode": True}}]},
            "value.executionInfo.exitCode",
        ),
        ("Get Job Task Counts", {"taskCounts": {"active": "none"}}, "taskCounts.active"),
        ("Create Task Collection", {"value": {"t": "Success"}}, "value"),
    ],
)
def test_what_no_batch_answers_is_named_by_its_field(
    operation: str, body: dict[str, Any], wrong: str
) -> None:
    assert misshapen(operation, body) == wrong


@pytest.mark.parametrize(
    ("operation", "status", "headers", "problem"),
    [
        ("Create Job", 201, {"etag": "0x8D"}, None),
        ("Create Job", 200, {"etag": "0x8D"}, "its status is not that of Create Job"),
        ("Create Job", 201, {}, "it has no header etag"),
        ("Update Job", 200, {}, None),
        ("Update Job", 202, {}, "its status is not that of Update Job"),
        ("Terminate Job", 200, {}, "its status is not that of Terminate Job"),
        ("Get Task File", 206, {"ocp-batch-file-url": "x"}, None),
        ("Get Task File", 200, {"content-type": "text/html"}, "it has no header ocp-batch-file-url"),
    ],
)
def test_a_success_that_batch_does_not_send_is_none(
    operation: str, status: int, headers: dict[str, str], problem: str | None
) -> None:
    assert missent(operation, status, headers) == problem


def answered_with(content: bytes) -> Any:
    def steps() -> Steps[Any]:
        return (yield from ask(requests.get_job("j"))).json()

    def send(request: BatchRequest) -> BatchResponse:
        return BatchResponse(status=200, content=content, operation=request.operation)

    return run(steps(), send, lambda _: None)


def test_an_answer_that_is_none_of_batch_says_nothing_of_the_job() -> None:
    assert answered_with(json.dumps(JOB).encode()) == JOB
    for content in (b"", b"{}", b"[]", b"<html>", b"7", b'{"id": 7}', b'{"id":' + b"[" * 100_000):
        with pytest.raises(Unreachable, match="is not Batch"):
            answered_with(content)
