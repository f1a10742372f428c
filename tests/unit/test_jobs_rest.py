from __future__ import annotations

import json

import pytest

from airflow_provider_batchad.errors import NotFound, Unreachable
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.rest import BatchRequest, BatchResponse, Pause, Steps, ask, run

REQUEST = requests.get_job("j")


def send_nothing(_: BatchRequest) -> BatchResponse:
    raise AssertionError("nothing is to be sent")


def no_pause(seconds: float) -> None:
    raise AssertionError("no pause is to be made")


def test_steps_are_sent_the_answers_and_return_their_result() -> None:
    def steps() -> Steps[list[bytes]]:
        first = yield from ask(requests.get_job("a"))
        second = yield from ask(requests.get_job("b"))
        return [first.content, second.content]

    sent: list[str] = []

    def send(request: BatchRequest) -> BatchResponse:
        sent.append(request.path)
        return BatchResponse(status=200, content=b"x" * len(sent))

    assert run(steps(), send, no_pause) == [b"x", b"xx"]
    assert sent == ["/jobs/a", "/jobs/b"]


def test_an_error_is_thrown_in_at_the_request_that_it_answers() -> None:
    def steps() -> Steps[str]:
        try:
            yield from ask(REQUEST)
        except Unreachable as error:
            answer = yield from ask(requests.get_job("again"))
            return f"{error.step} {answer.status}"
        return "no error"

    def send(request: BatchRequest) -> BatchResponse:
        if request is REQUEST:
            raise Unreachable("lost", step="batch")
        return BatchResponse(status=200)

    assert run(steps(), send, no_pause) == "batch 200"


def test_an_error_that_the_steps_do_not_expect_comes_out_as_it_is() -> None:
    gone = NotFound("gone", operation="Get Job", status=404)

    def send(_: BatchRequest) -> BatchResponse:
        raise gone

    with pytest.raises(NotFound) as caught:
        run(ask(REQUEST), send, no_pause)
    assert caught.value is gone


def test_pauses_are_made_by_the_one_who_runs_the_steps() -> None:
    def steps() -> Steps[str]:
        yield Pause(seconds=1.5)
        yield Pause(seconds=3)
        return "done"

    pauses: list[float] = []
    assert run(steps(), send_nothing, pauses.append) == "done"
    assert pauses == [1.5, 3]


def test_a_pause_that_is_broken_off_is_thrown_into_the_steps() -> None:
    class Stop(Exception):
        pass

    cleaned: list[str] = []

    def steps() -> Steps[None]:
        try:
            yield Pause(seconds=1)
        finally:
            cleaned.append("up")

    def pause(_: float) -> None:
        raise Stop

    with pytest.raises(Stop):
        run(steps(), send_nothing, pause)
    assert cleaned == ["up"]


def test_what_ends_the_process_is_not_held_up() -> None:
    def steps() -> Steps[None]:
        try:
            yield from ask(REQUEST)
        except Exception:  # noqa: BLE001 - shows that it does not come here
            raise AssertionError("the steps must not see it") from None

    def send(_: BatchRequest) -> BatchResponse:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(steps(), send, no_pause)


def test_a_request_without_an_answer_is_an_error_of_the_one_who_runs_the_steps() -> None:
    steps = ask(REQUEST)
    next(steps)
    with pytest.raises(TypeError, match="Get Job was not answered"):
        steps.send(None)


def test_an_empty_body_reads_as_an_empty_object() -> None:
    assert BatchResponse(status=202).json() == {}


def test_all_pages_follow_the_links_to_the_end() -> None:
    pages = {
        "/jobs": {"value": [{"id": "a"}], "odata.nextLink": "https://x/jobs?$skiptoken=1"},
        "https://x/jobs?$skiptoken=1": {"value": [], "odata.nextLink": "https://x/jobs?$skiptoken=2"},
        "https://x/jobs?$skiptoken=2": {"value": [{"id": "b"}]},
    }
    sent: list[BatchRequest] = []

    def send(request: BatchRequest) -> BatchResponse:
        sent.append(request)
        return BatchResponse(status=200, content=json.dumps(pages[request.path]).encode())

    listed = run(requests.all_pages(requests.list_jobs(where="state eq 'active'")), send, no_pause)
    assert listed == [{"id": "a"}, {"id": "b"}]
    assert [request.operation for request in sent] == ["List Jobs"] * 3
    assert sent[0].query == {"maxresults": "1000", "$filter": "state eq 'active'"}
    assert [dict(request.query) for request in sent[1:]] == [{}, {}]


def test_every_part_of_a_path_is_one_segment() -> None:
    request = requests.get_task_file("a/b", "t?1", "wd/sub dir/o#.txt", max_bytes=10, start=5)
    assert request.path == "/jobs/a%2Fb/tasks/t%3F1/files/wd%2Fsub%20dir%2Fo%23.txt"
    assert request.headers == {"ocp-range": "bytes=5-14"}
    assert request.max_bytes == 10


@pytest.mark.parametrize(
    ("request_", "method", "path", "operation"),
    [
        (requests.create_job({"id": "j"}), "POST", "/jobs", "Create Job"),
        (requests.update_job("j", {}), "PATCH", "/jobs/j", "Update Job"),
        (requests.terminate_job("j", reason="x"), "POST", "/jobs/j/terminate", "Terminate Job"),
        (requests.delete_job("j"), "DELETE", "/jobs/j", "Delete Job"),
        (
            requests.create_task_collection("j", [b"{}"]),
            "POST",
            "/jobs/j/addtaskcollection",
            "Create Task Collection",
        ),
        (requests.list_tasks("j"), "GET", "/jobs/j/tasks", "List Tasks"),
        (requests.get_task_counts("j"), "GET", "/jobs/j/taskcounts", "Get Job Task Counts"),
        (
            requests.get_task_file_properties("j", "t", "stderr.txt"),
            "HEAD",
            "/jobs/j/tasks/t/files/stderr.txt",
            "Get Task File Properties",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_operation_has_its_method_and_path(
    request_: BatchRequest, method: str, path: str, operation: str
) -> None:
    assert (request_.method, request_.path, request_.operation) == (method, path, operation)
    if request_.body is not None:
        assert request_.headers["Content-Type"] == "application/json; odata=minimalmetadata"
        json.loads(request_.body)


@pytest.mark.parametrize("etag", ["0x8D1", None])
def test_an_etag_goes_as_if_match(etag: str | None) -> None:
    update = requests.update_job("j", {}, etag=etag)
    terminate = requests.terminate_job("j", reason="because", etag=etag)
    assert update.headers.get("If-Match") == terminate.headers.get("If-Match") == etag
    assert json.loads(terminate.body or b"") == {"terminateReason": "because"}
