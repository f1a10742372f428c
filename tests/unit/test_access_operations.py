"""The catalogue against Microsoft's client, and against local Azure's own table."""

from __future__ import annotations

import inspect
import io
import re

import pytest
from azure.batch._operations import _operations

from airflow_provider_batchad.access.actions import Action, DataAction, Need
from airflow_provider_batchad.access.operations import (
    BY_NAME,
    OPERATIONS,
    Basis,
    find_operation,
    need_of,
)
from airflow_provider_batchad.local.batch.operations import OPERATIONS as LOCAL_OPERATIONS
from airflow_provider_batchad.local.batch.permissions import REQUIREMENTS

_BUILDER = re.compile(r'_url = "(?P<path>/[^"]*)".*?method="(?P<method>[A-Z]+)"', re.DOTALL)


def requests_of_the_client() -> set[tuple[str, str]]:
    """Method and path of every request that azure-batch can build."""
    builders = [
        function
        for name, function in inspect.getmembers(_operations, inspect.isfunction)
        if re.fullmatch(r"build_batch_\w+_request", name)
    ]
    found = [_BUILDER.search(inspect.getsource(function)) for function in builders]
    assert len(found) > 70
    return {(one["method"], re.sub(r"\{\w+\}", "{}", one["path"])) for one in found if one is not None}


def test_no_operation_of_the_client_is_without_a_row() -> None:
    assert {(one.method, one.path) for one in OPERATIONS} == requests_of_the_client()


def test_names_and_requests_are_unique() -> None:
    assert len(BY_NAME) == len(OPERATIONS) == len({(one.method, one.path) for one in OPERATIONS})


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
@pytest.mark.parametrize("name", ["a", "files", "disable", "a%2Fb.txt", "Ä"])
def test_every_request_is_found_by_its_path(operation: object, name: str) -> None:
    assert find_operation(operation.method, operation.path.replace("{}", name)) is operation  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/jobs"),
        ("GET", "/"),
        ("GET", ""),
        ("POST", "/jobs/j/purge"),
        ("GET", "/jobs/j/tasks/t/x/y"),
    ],
)
def test_what_is_no_operation_is_none(method: str, path: str) -> None:
    assert find_operation(method, path) is None


def test_the_path_of_a_file_may_have_segments() -> None:
    found = find_operation("GET", "/jobs/j/tasks/t/files/wd/out/x.json")
    assert found is BY_NAME["Get Task File"]


def test_case_of_the_fixed_segments_does_not_matter() -> None:
    assert find_operation("GET", "/Jobs/j/TaskCounts") is BY_NAME["Get Job Task Counts"]


@pytest.mark.parametrize("name", ["Create Job", "Update Job", "Replace Job"])
def test_an_auto_pool_needs_pools_write(name: str) -> None:
    body = b'{"poolInfo":{"autoPoolSpecification":{"poolLifetimeOption":"job"}}}'
    operation = BY_NAME[name]
    assert need_of(operation, body) == Need.of(DataAction.JOBS_WRITE, Action.POOLS_WRITE)
    assert need_of(operation, body.decode()) == need_of(operation, body)
    for other in (None, b'{"poolInfo":{"poolId":"autoPoolSpecification"}}', b'{"poolInfo":{}}', b"[]"):
        assert need_of(operation, other) == Need.of(DataAction.JOBS_WRITE)
    named = b'{"metadata":[{"name":"autoPoolSpecification","value":"x"}],"poolInfo":null}'
    assert need_of(operation, named) == Need.of(DataAction.JOBS_WRITE)


def test_an_auto_pool_of_a_schedule_needs_pools_write() -> None:
    body = b'{"jobSpecification":{"poolInfo":{"autoPoolSpecification":{"poolLifetimeOption":"job"}}}}'
    needed = Need.of(DataAction.JOB_SCHEDULES_WRITE, Action.POOLS_WRITE)
    assert need_of(BY_NAME["Create Job Schedule"], body) == needed


def test_local_azure_asks_for_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """Both were written from the documents; an inferred row on which they agree stays inferred."""
    inferred = []
    for local in LOCAL_OPERATIONS:
        path = re.sub(r"\{[^}]*\}", "{}", local.path)
        ours = find_operation(local.method, path)
        assert ours is not None, local.name
        theirs = REQUIREMENTS[local.name]
        assert {action.value for action in ours.need.actions} == set(theirs.actions), local.name
        assert {action.value for action in ours.need.data_actions} == set(theirs.data_actions), local.name
        if ours.basis is Basis.INFERRED:
            inferred.append(f"{ours.name}: {', '.join(action.value for action in ours.need.all())}")
    with capsys.disabled():
        print(f"\n{len(inferred)} inferred rows:", *inferred, sep="\n  ")  # noqa: T201 - asked for


@pytest.mark.parametrize(
    ("method", "path"),
    [
        # urllib3 sends this one to /pools/p.
        ("DELETE", "/jobs/j/tasks/t/files/../../../../../pools/p"),
        ("DELETE", "/jobs/j/tasks/t/files/..%2F..%2Fx"),
        ("DELETE", "/jobs/j/tasks/t/files/a%5C..%5Cx"),
        ("DELETE", "/jobs/j/tasks/.."),
        ("DELETE", "/jobs/j/tasks/%2e%2E"),
        ("GET", "/jobs/."),
        ("GET", "/jobs/x%2F..%2F..%2Fpools"),
        ("POST", "//pools"),
        ("POST", "/jobs//terminate"),
        ("delete", "/jobs/j"),
        ("POST", "/j%6Fbs"),
    ],
)
def test_a_path_that_others_would_read_otherwise_is_no_operation(method: str, path: str) -> None:
    assert find_operation(method, path) is None


def test_a_file_may_have_dots_in_its_name() -> None:
    found = find_operation("GET", "/jobs/j/tasks/t/files/wd%2F..a%2Fb..txt")
    assert found is BY_NAME["Get Task File"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"poolInfo":{"autoPoolSpecific\\u0061tion":{}}}',
        '{"poolInfo":{"autoPoolSpecification":{}}}'.encode("utf-16"),
        b'{"poolInfo":{"autoPoolSpecification":{}},"poolInfo":{}}',
        b'{"poolInfo":{"autoPoolSpecification":{},"autoPoolSpecification":null}}',
        b'{"PoolInfo":{"AutoPoolSpecification":{}}}',
        '{"poolInfo":{"autoPoolSpecification":{}}}',
        b'{"poolInfo":{"autoPoolSpecification":{}',
        io.BytesIO(b"{}"),
        iter([b"{}"]),
        {"a": "b"},
    ],
    ids=lambda body: type(body).__name__ if hasattr(body, "__next__") else repr(body),
)
def test_a_body_that_may_ask_for_a_pool_needs_the_right_to_make_one(body: object) -> None:
    assert need_of(BY_NAME["Create Job"], body).actions == {Action.POOLS_WRITE}


@pytest.mark.parametrize(
    "body",
    [
        b'{"id":"j","poolInfo":{"poolId":"autoPoolSpecification"}}',
        b'{"poolInfo":{"poolId":"p","autoPoolSpecification":null}}',
        '{"metadata":[{"name":"autoPoolSpecification","value":"1"}]}',
        b"",
        None,
    ],
)
def test_a_body_that_names_a_pool_needs_no_right_to_make_one(body: object) -> None:
    assert need_of(BY_NAME["Create Job"], body).actions == frozenset()
