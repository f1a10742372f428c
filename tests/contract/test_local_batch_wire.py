"""Local Batch on the wire: headers, errors, queries, pages, filters."""

from __future__ import annotations

import re

import pytest
import requests
from azure.batch import models
from azure.core.exceptions import HttpResponseError

from tests.contract.batch_fixtures import API_VERSION, Batch

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6}[1-9]|\.[1-9])?Z")


def check_error(answer: requests.Response, status: int, code: str, **values: str) -> None:
    """The whole envelope, as it was recorded."""
    assert answer.status_code == status
    body = answer.json()
    assert body["code"] == code
    assert body["odata.metadata"].endswith(
        "/$metadata#Microsoft.Azure.Batch.Protocol.Entities.Container.errors/@Element"
    )
    assert set(body) <= {"odata.metadata", "code", "message", "values"}
    assert body["message"]["lang"] == "en-US"
    text, request_id, time = body["message"]["value"].split("\n")
    assert text.endswith(".")
    assert request_id == f"RequestId:{answer.headers['request-id']}"
    assert GUID.fullmatch(answer.headers["request-id"])
    assert TIME.fullmatch(time.removeprefix("Time:"))
    found = {item["key"]: item["value"] for item in body.get("values", [])}
    assert {name: found.get(name) for name in values} == values
    assert answer.headers["Content-Type"] == "application/json; odata=minimalmetadata"


def test_every_answer_has_the_services_headers(batch: Batch) -> None:
    job_id = batch.create_job()
    for answer in (
        batch.send("GET", f"/jobs/{job_id}"),
        batch.send("GET", "/jobs/no-such-job"),
        batch.send("GET", "/nothing/here"),
        batch.send("HEAD", "/pools/cpu"),
        batch.send("PATCH", f"/jobs/{job_id}", {"priority": 3}),
    ):
        assert answer.headers["DataServiceVersion"] == "3.0"
        assert answer.headers["Server"] == "Microsoft-HTTPAPI/2.0"
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert GUID.fullmatch(answer.headers["request-id"])
        assert "client-request-id" not in answer.headers


def test_number_may_come_as_a_string(batch: Batch) -> None:
    job_id = batch.create_job()
    assert batch.send("PATCH", f"/jobs/{job_id}", {"priority": "-7"}).status_code == 200
    assert batch.client.get_job(job_id).priority == -7
    for wrong in ("seven", "7.5", "", " 7", "\u0667", True):
        answer = batch.send("PATCH", f"/jobs/{job_id}", {"priority": wrong})
        reason = (
            "Cannot convert a primitive value to the expected type 'Edm.Int32'. See the inner exception for "
            "more details."
        )
        check_error(answer, 400, "InvalidRequestBody", Reason=reason)
    assert batch.send("PATCH", f"/jobs/{job_id}", {"priority": "1001"}).status_code == 400


def test_clients_request_id_comes_back_if_it_is_asked_for(batch: Batch) -> None:
    headers = {"client-request-id": "abc", "return-client-request-id": "true"}
    assert batch.send("GET", "/jobs/none", headers=headers).headers["client-request-id"] == "abc"
    headers["return-client-request-id"] = "false"
    assert "client-request-id" not in batch.send("GET", "/jobs/none", headers=headers).headers


def test_created_entities_say_where_they_are(batch: Batch) -> None:
    job_id = batch.new_id()
    job = batch.send("POST", "/jobs", {"id": job_id, "poolInfo": {"poolId": "cpu"}})
    assert job.status_code == 201
    assert job.content == b""
    assert job.headers["Location"] == job.headers["DataServiceId"] == f"{batch.url}/jobs/job-1"
    assert re.fullmatch(r"0x[0-9A-F]{15}", job.headers["ETag"])
    shown = batch.send("GET", f"/jobs/{job_id}")
    assert shown.json()["eTag"] == shown.headers["ETag"] == job.headers["ETag"]
    task = batch.send("POST", f"/jobs/{job_id}/tasks", {"id": "T", "commandLine": "/bin/true"})
    assert task.headers["Location"] == task.headers["DataServiceId"] == f"{batch.url}/jobs/{job_id}/tasks/T"


@pytest.mark.parametrize(
    ("path", "status", "code", "values"),
    [
        ("/jobs?api-version=", 400, "MissingRequiredQueryParameter", {"QueryParameterName": "api-version"}),
        ("/jobs?api-version=2199-01-01", 400, "UnsupportedRequestVersion", {}),
        ("/jobs/none", 404, "JobNotFound", {}),
        ("/jobs/none/tasks", 404, "JobNotFound", {}),
        ("/jobs/none/taskcounts", 404, "JobNotFound", {}),
        ("/pools/none", 404, "PoolNotFound", {}),
        ("/pools/cpu/nodes/none", 404, "NodeNotFound", {}),
        (
            "/jobs?maxresults=-5",
            400,
            "InvalidQueryParameterValue",
            {
                "QueryParameterName": "maxresults",
                "QueryParameterValue": "-5",
                "Reason": "MaxResults cannot be less than 1",
            },
        ),
        ("/jobs?maxresults=1001", 400, "InvalidQueryParameterValue", {"QueryParameterName": "maxresults"}),
        ("/jobs?maxresults=ten", 400, "InvalidQueryParameterValue", {"QueryParameterName": "maxresults"}),
        (
            "/jobs?$filter=priority eq 3",
            400,
            "InvalidQueryParameterValue",
            {"QueryParameterName": "$filter", "QueryParameterValue": "priority eq 3"},
        ),
        ("/jobs?$select=id,nothing", 400, "InvalidQueryParameterValue", {"QueryParameterName": "$select"}),
        ("/jobs?$expand=tasks", 400, "InvalidQueryParameterValue", {"QueryParameterName": "$expand"}),
        ("/jobs?$skiptoken=x%", 400, "InvalidQueryParameterValue", {"QueryParameterName": "$skiptoken"}),
        ("/nothing", 400, "InvalidUri", {}),
        ("/jobs/none/terminate", 405, "UnsupportedHttpVerb", {}),
    ],
)
def test_refused_reads(batch: Batch, path: str, status: int, code: str, values: dict[str, str]) -> None:
    check_error(batch.send("GET", path), status, code, **values)


@pytest.mark.parametrize(
    ("body", "code", "values"),
    [
        ({"poolInfo": {"poolId": "cpu"}}, "MissingRequiredProperty", {"PropertyName": "id"}),
        ({"id": "x"}, "MissingRequiredProperty", {"PropertyName": "poolInfo"}),
        ({"id": "x", "poolInfo": {}}, "MissingRequiredProperty", {"PropertyName": "poolId"}),
        (
            {"id": "a b", "poolInfo": {"poolId": "cpu"}},
            "InvalidPropertyValue",
            {"PropertyName": "id", "PropertyValue": "a b"},
        ),
        ({"id": "x" * 65, "poolInfo": {"poolId": "cpu"}}, "InvalidPropertyValue", {"PropertyName": "id"}),
        (
            {"id": "x", "poolInfo": {"poolId": "cpu"}, "priority": 1001},
            "InvalidPropertyValue",
            {"PropertyName": "priority", "PropertyValue": "1001"},
        ),
        (
            {"id": "x", "poolInfo": {"poolId": "cpu"}, "onAllTasksComplete": "explode"},
            "InvalidPropertyValue",
            {"PropertyName": "onAllTasksComplete", "PropertyValue": "explode"},
        ),
        (
            {"id": "x", "poolInfo": {"poolId": "cpu"}, "constraints": {"maxWallClockTime": "soon"}},
            "InvalidPropertyValue",
            {"PropertyName": "maxWallClockTime"},
        ),
        ({"id": "x", "poolInfo": {"poolId": "cpu"}, "unknown": 1}, "InvalidRequestBody", {}),
        (
            {"id": 5, "poolInfo": {"poolId": "cpu"}},
            "InvalidRequestBody",
            {
                "Reason": "Cannot convert a primitive value to the expected type 'Edm.String'. See the inner "
                "exception for more details."
            },
        ),
        ({"id": "x", "poolInfo": "cpu"}, "InvalidRequestBody", {}),
        ({"id": {}, "poolInfo": {"poolId": "cpu"}}, "InvalidRequestBody", {}),
        ([], "InvalidRequestBody", {}),
        (
            {"id": "x", "poolInfo": {"autoPoolSpecification": {"poolLifetimeOption": "job"}}},
            "MissingRequiredProperty",
            {"PropertyName": "pool"},
        ),
        (
            {
                "id": "x",
                "poolInfo": {"poolId": "cpu"},
                "networkConfiguration": {"subnetId": "x", "skipWithdrawFromVNet": False},
            },
            "UnsupportedProperty",
            {"PropertyName": "networkConfiguration"},
        ),
    ],
)
def test_refused_bodies(batch: Batch, body: object, code: str, values: dict[str, str]) -> None:
    check_error(batch.send("POST", "/jobs", body), 400, code, **values)
    assert batch.send("GET", "/jobs/x").status_code == 404


@pytest.mark.parametrize("content", [b"", b"{", b'{"id": NaN}', b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_refused(batch: Batch, content: bytes) -> None:
    answer = batch.session.post(f"{batch.url}/jobs?api-version={API_VERSION}", data=content, timeout=30)
    assert answer.status_code == 400
    assert answer.json()["code"] == "InvalidRequestBody"


def test_text_that_is_no_unicode_is_refused(batch: Batch) -> None:
    body = {"id": batch.new_id(), "displayName": "\ud800", "poolInfo": {"poolId": "cpu"}}
    check_error(batch.send("POST", "/jobs", body), 400, "InvalidPropertyValue", PropertyName="displayName")


def test_body_beyond_a_mebibyte_is_refused(batch: Batch) -> None:
    job_id = batch.create_job()
    for size, status in ((1_048_576, 400), (1_048_577, 413), (5_000_000, 413)):
        answer = batch.session.post(
            f"{batch.url}/jobs/{job_id}/addtaskcollection?api-version={API_VERSION}",
            data=b" " * size,
            timeout=30,
        )
        assert answer.status_code == status
    check_error(answer, 413, "RequestBodyTooLarge", MaxLimit="1048576")


def test_unknown_task_and_path_are_told_apart(batch: Batch) -> None:
    job_id = batch.create_job()
    check_error(batch.send("GET", f"/jobs/{job_id}/tasks/none"), 404, "TaskNotFound")
    check_error(
        batch.send("GET", f"/jobs/{job_id}/jobpreparationandreleasetaskstatus"),
        409,
        "JobPreparationTaskOrReleaseTaskNotSpecified",
    )


def test_query_names_have_no_case(batch: Batch) -> None:
    answer = batch.send("GET", f"/jobs?API-Version={API_VERSION}&MaxResults=1&$SELECT=id&timeOut=5")
    assert answer.status_code == 200
    assert all(set(job) == {"id"} for job in answer.json()["value"])


@pytest.mark.parametrize("version", ["2024-02-01.19.0", "2024-07-01.20.0", "2020-03-01.11.0"])
def test_older_versions_are_accepted(batch: Batch, version: str) -> None:
    job_id = batch.create_job()
    answer = batch.send("GET", f"/jobs/{job_id}/taskcounts?api-version={version}")
    assert answer.status_code == 200
    assert ("taskSlotCounts" in answer.json()) == (version > "2020-09")
    space = " " if version > "2024" else ""
    assert answer.headers["Content-Type"] == f"application/json;{space}odata=minimalmetadata"


def test_condition_that_is_no_time_is_refused(batch: Batch) -> None:
    answer = batch.send("GET", f"/jobs/{batch.create_job()}", headers={"If-Modified-Since": "a while ago"})
    check_error(answer, 400, "InvalidHeaderValue", HeaderName="If-Modified-Since", HeaderValue="a while ago")


def test_jobs_are_listed_by_id_without_case_and_page_by_page(own_batch: Batch) -> None:
    pool = models.BatchPoolInfo(pool_id="cpu")
    for job_id in ("b", "A", "c", "B-2", "a-1"):
        own_batch.client.create_job(models.BatchJobCreateOptions(id=job_id, pool_info=pool))
    expected = ["A", "a-1", "b", "B-2", "c"]
    assert [job.id for job in own_batch.client.list_jobs()] == expected
    assert [job.id for job in own_batch.client.list_jobs(max_results=2)] == expected
    page = own_batch.send("GET", "/jobs?maxresults=2").json()
    link = page["odata.nextLink"]
    assert link.startswith(f"{own_batch.url}/jobs?")
    assert "+" not in link
    last = own_batch.send("GET", "/jobs?maxresults=5").json()
    assert "odata.nextLink" not in last


def test_page_goes_on_behind_a_job_that_was_deleted_meanwhile(own_batch: Batch) -> None:
    ids = sorted((own_batch.create_job() for _ in range(4)), key=str.lower)
    pages = own_batch.client.list_jobs(max_results=2).by_page()
    assert [job.id for job in next(pages)] == ids[:2]
    own_batch.client.begin_delete_job(ids[1], polling_interval=0).wait()
    assert [job.id for job in next(pages)] == ids[2:]


def test_filter_and_select_go_with_the_pages(batch: Batch) -> None:
    job_id = batch.create_job()
    tasks = [
        models.BatchTaskCreateOptions(id=f"t{n:02}", command_line=f"/bin/sh -c 'exit {n % 2}'")
        for n in range(30)
    ]
    batch.client.create_tasks(job_id, tasks)
    for task in tasks:
        batch.finished(job_id, task.id)
    failed = batch.client.list_tasks(
        job_id,
        filter="executionInfo/exitCode ne 0 and state eq 'completed'",
        select=["id", "executionInfo"],
        max_results=4,
    )
    assert [task.id for task in failed] == [f"t{n:02}" for n in range(30) if n % 2]
    answer = batch.send("GET", f"/jobs/{job_id}/tasks?$select=id,commandLine,constraints&maxresults=1")
    assert set(answer.json()["value"][0]) == {"id", "commandLine", "constraints"}


def test_newest_transitions_can_be_asked_for(batch: Batch) -> None:
    first, second = batch.create_job(), batch.create_job()
    batch.send("POST", f"/jobs/{first}/terminate")
    moment = batch.job_in(first, "completed").state_transition_time.isoformat()
    batch.send("POST", f"/jobs/{second}/terminate")
    batch.job_in(second, "completed")
    newest = batch.client.list_jobs(
        filter=f"state eq 'completed' and stateTransitionTime gt DateTime'{moment}'",
        select=["id", "state", "executionInfo"],
    )
    assert second in [job.id for job in newest]
    assert first not in [job.id for job in newest]


@pytest.mark.parametrize("filter_text", ["displayName eq 'x'", "nodeInfo/nodeId eq 'x'", "state like 'x'"])
def test_filter_beyond_the_documented_properties_is_refused(batch: Batch, filter_text: str) -> None:
    with pytest.raises(HttpResponseError) as error:
        list(batch.client.list_tasks(batch.create_job(), filter=filter_text))
    assert error.value.status_code == 400


def test_pools_nodes_and_counts_can_be_looked_at(batch: Batch) -> None:
    pool = batch.client.get_pool("CPU")
    assert (pool.id, pool.current_dedicated_nodes, pool.task_slots_per_node) == ("cpu", 2, 4)
    assert batch.client.pool_exists("cpu")
    nodes = list(batch.client.list_nodes("cpu"))
    assert len({node.id for node in nodes}) == 2
    counts = {
        one.pool_id: one.dedicated.total for one in batch.client.list_pool_node_counts() if one.dedicated
    }
    assert counts == {"cpu": 2, "empty": 0, "one": 1}
