from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchad.errors import BatchServiceError, ServiceUnavailable, TasksRejected
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.adding import MAX_CHUNK_BYTES, add_tasks, chunks
from airflow_provider_batchad.jobs.requests import create_task_collection
from airflow_provider_batchad.jobs.rest import BatchRequest, BatchResponse, run
from airflow_provider_batchad.jobs.tasks import TaskSpec
from tests.unit.batch_model import BatchModel

JOB_ID = "job"


def tasks_of(count: int, size: int = 40) -> list[TaskSpec]:
    return [task_of(f"t{number}", size) for number in range(count)]


def task_of(task_id: str, size: int) -> TaskSpec:
    body = json.dumps({"id": task_id, "commandLine": ""}).encode()
    return TaskSpec(id=task_id, body=body.replace(b'""', b'"' + b"x" * (size - len(body)) + b'"'))


@pytest.fixture
def model() -> BatchModel:
    model = BatchModel()
    model.send(requests.create_job({"id": JOB_ID, "onAllTasksComplete": "noaction"}))
    return model


def add(model: BatchModel, tasks: list[TaskSpec]) -> list[float]:
    pauses: list[float] = []
    run(add_tasks(JOB_ID, tasks), model.send, pauses.append)
    return pauses


def added(model: BatchModel) -> list[str]:
    return [task.body["id"] for task in model.jobs[JOB_ID].tasks.values()]


def sizes(model: BatchModel) -> list[int]:
    return [len(json.loads(request.body or b"")["value"]) for request in model.sent[1:]]


@given(st.lists(st.integers(50, 400_000), max_size=40), st.integers(0, 300))
def test_chunks_are_the_tasks_in_order_within_the_limits(large: list[int], small: int) -> None:
    tasks = [task_of(f"l{number}", size) for number, size in enumerate(large)] + tasks_of(small)
    made = list(chunks(tasks))
    assert [task for chunk in made for task in chunk] == tasks
    for chunk in made:
        body = create_task_collection(JOB_ID, (task.body for task in chunk)).body
        assert body is not None
        assert json.loads(body)["value"]
        assert len(chunk) <= 100
        assert len(body) < MAX_CHUNK_BYTES


def test_chunks_are_as_large_as_may_be() -> None:
    assert [len(chunk) for chunk in chunks(tasks_of(250))] == [100, 100, 50]
    room = MAX_CHUNK_BYTES - 1 - len(b'{"value":[,]}')
    first, second = task_of("a", room // 2), task_of("b", room - room // 2 - 1)
    assert [len(chunk) for chunk in chunks([first, second])] == [2]
    assert [len(chunk) for chunk in chunks([first, task_of("b", room // 2 + 10)])] == [1, 1]


def test_a_body_of_a_whole_mebibyte_is_too_large() -> None:
    room = MAX_CHUNK_BYTES - len(b'{"value":[,]}')
    tasks = [task_of("a", room // 2), task_of("b", room - room // 2)]
    assert len(create_task_collection(JOB_ID, (task.body for task in tasks)).body or b"") == MAX_CHUNK_BYTES
    assert [len(chunk) for chunk in chunks(tasks)] == [1, 1]


def test_a_task_larger_than_a_chunk_goes_alone() -> None:
    tasks = [task_of("a", 50), task_of("b", MAX_CHUNK_BYTES + 1), task_of("c", 50)]
    assert [[task.id for task in chunk] for chunk in chunks(tasks)] == [["a"], ["b"], ["c"]]


def test_tasks_are_added_in_chunks_of_a_hundred(model: BatchModel) -> None:
    assert add(model, tasks_of(250)) == []
    assert sizes(model) == [100, 100, 50]
    assert added(model) == [f"t{number}" for number in range(250)]


def test_tasks_that_are_there_already_are_a_success(model: BatchModel) -> None:
    add(model, tasks_of(150))
    assert add(model, tasks_of(250)) == []
    assert len(added(model)) == 250


def test_a_task_that_the_service_failed_at_is_sent_again_alone(model: BatchModel) -> None:
    faults = iter(["before", None, "after"])
    model.item_fault = lambda task_id: next(faults, None) if task_id in {"t3", "t5", "t7"} else None
    assert add(model, tasks_of(10)) == [1.0]
    assert sizes(model) == [10, 2]
    assert Counter(added(model)) == Counter(f"t{number}" for number in range(10))


def test_a_task_that_the_answer_leaves_out_is_sent_again(model: BatchModel) -> None:
    def send(request: BatchRequest) -> BatchResponse:
        answer = model.send(request)
        kept = [item for item in answer.json()["value"] if item["taskId"] != "t1" or len(model.sent) > 2]
        return BatchResponse(status=200, content=json.dumps({"value": kept}).encode())

    run(add_tasks(JOB_ID, tasks_of(3)), send, lambda _: None)
    assert sizes(model) == [3, 1]


def test_a_task_that_the_service_always_fails_at_ends_in_an_error_that_a_retry_may_help(
    model: BatchModel,
) -> None:
    model.item_fault = lambda task_id: "before" if task_id == "t4" else None
    pauses: list[float] = []
    with pytest.raises(ServiceUnavailable, match=r"failed 6 times to add 1 task\(s\).*'t4'"):
        run(add_tasks(JOB_ID, tasks_of(10)), model.send, pauses.append)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 15]
    assert sizes(model) == [10, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("spelled", [str, str.lower, str.upper])
def test_the_status_of_a_task_is_compared_without_case(model: BatchModel, spelled: type[str]) -> None:
    """The wire says ``Success`` and ``ClientError``, azure-batch's enum ``success`` and ``clienterror``."""
    model.rejected = {"t1": "InvalidPropertyValue"}

    def send(request: BatchRequest) -> BatchResponse:
        items = model.send(request).json()["value"]
        changed = [{**item, "status": spelled(item["status"])} for item in items]
        return BatchResponse(status=200, content=json.dumps({"value": changed}).encode())

    with pytest.raises(TasksRejected) as caught:
        run(add_tasks(JOB_ID, tasks_of(3)), send, lambda _: None)
    assert list(caught.value.rejected) == ["t1"]


def test_every_rejected_task_of_a_collection_is_named_with_its_code_and_details(model: BatchModel) -> None:
    error = {
        "code": "InvalidPropertyValue",
        "message": {"lang": "en-US", "value": "The value is invalid.\nRequestId:1\nTime:2"},
        "values": [{"key": "PropertyName", "value": "requiredSlots"}],
    }
    results = [{"taskId": f"T{n}", "status": "ClientError", "error": error} for n in range(7)]

    def send(_: BatchRequest) -> BatchResponse:
        return BatchResponse(status=200, content=json.dumps({"value": results}).encode())

    with pytest.raises(TasksRejected) as caught:
        run(add_tasks(JOB_ID, tasks_of(7)), send, lambda _: None)
    said = "InvalidPropertyValue The value is invalid. (PropertyName: requiredSlots)"
    assert caught.value.rejected == {f"t{n}": said for n in range(7)}
    assert str(caught.value) == (
        f"Batch rejected 7 task(s) of job 'job': t0: {said}; t1: {said}; t2: {said}; t3: {said}; "
        f"t4: {said} and 2 more."
    )


def test_a_collection_that_is_too_large_is_halved(model: BatchModel) -> None:
    model.max_body_bytes = 40 * 30
    add(model, tasks_of(100))
    assert sizes(model) == [100, 50, 25, 25, 50, 25, 25]
    assert added(model) == [f"t{number}" for number in range(100)]


def test_a_task_that_is_too_large_by_itself_is_rejected_with_the_services_code(model: BatchModel) -> None:
    model.max_body_bytes = 500
    tasks = [*tasks_of(3), task_of("large", 600)]
    with pytest.raises(TasksRejected, match=r"large: .*RequestBodyTooLarge") as caught:
        add(model, tasks)
    assert list(caught.value.rejected) == ["large"]


def test_any_other_refusal_is_raised_as_it_is(model: BatchModel) -> None:
    model.refusals = {"Create Task Collection": (400, "InvalidRequestBody")}
    with pytest.raises(BatchServiceError, match="InvalidRequestBody"):
        add(model, tasks_of(3))
    assert len(model.sent) == 2


@pytest.mark.parametrize(("asked", "pause"), [(None, 1.0), (0.2, 1.0), (90.0, 90.0), (86_400.0, 300.0)])
def test_a_throttled_collection_is_sent_again_when_the_service_says(
    model: BatchModel, asked: float | None, pause: float
) -> None:
    def send(request: BatchRequest) -> BatchResponse:
        answer = model.send(request)
        if len(model.sent) == 3:
            raise ServiceUnavailable(
                "busy", operation="Create Task Collection", status=429, retry_after_seconds=asked
            )
        return answer

    pauses: list[float] = []
    run(add_tasks(JOB_ID, tasks_of(250)), send, pauses.append)
    assert pauses == [pause]
    assert sizes(model) == [100, 100, 100, 50]
    assert added(model) == [f"t{number}" for number in range(250)]


def test_a_service_that_is_always_busy_is_given_up(model: BatchModel) -> None:
    model.fault = lambda _: "busy"
    with pytest.raises(ServiceUnavailable, match="ServerBusy"):
        add(model, tasks_of(3))
    assert len(sizes(model)) == 6
