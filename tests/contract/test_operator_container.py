"""Results in a blob container: left by the pool's identity, read back as the connection's principal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_batchad.errors import (
    AccountRefusedToken,
    JobFailed,
    OutputUnavailable,
    ServiceUnavailable,
)
from airflow_provider_batchad.local.config import AssignmentConfig
from airflow_provider_batchad.local.faults import FaultRule
from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.batch_fixtures import eventually
from tests.contract.blob_storage import OTHER, READS, WRITES, config_with, container_url, outputs_in
from tests.contract.full_accounts import shared_tokens
from tests.contract.operator_runs import context_of, operator_of, resume, submit, wait_for_the_end
from tests.contract.signing_in import SigningIn, connected

Start = Callable[..., LocalAzure]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Start]:
    """Starts local Azure with these assignments."""
    with ExitStack() as stack:

        def run(*assignments: AssignmentConfig, **changes: Any) -> LocalAzure:
            config = config_with(*assignments, state_dir=tmp_path / "state", **changes)
            signing_in: AbstractContextManager[SigningIn] = connected(monkeypatch, config)
            return stack.enter_context(signing_in).azure

        yield run


def writes(**content: str) -> list[dict[str, Any]]:
    """A task for each: its id, and what it writes to ``r.json``."""
    return [
        {"id": task_id, "command_line": f"/bin/sh -c 'printf %s \"{text}\" > r.json'"}
        for task_id, text in content.items()
    ]


def storage_requests(azure: LocalAzure) -> list[tuple[str, str | None, int]]:
    return [(one.operation, one.principal, one.status) for one in azure.ledger.entries(service="storage")]


@pytest.mark.parametrize("deferrable", [False, True])
def test_results_outlive_their_nodes(start: Start, deferrable: bool) -> None:
    azure = start(WRITES, READS)
    operator = operator_of(command_line=None, tasks=writes(b="[1, 2]", a="{}"), outputs=outputs_in(azure))
    context = context_of(operator)
    if deferrable:
        job = submit(operator, context)
        wait_for_the_end()
        found = resume(operator, context, "completed", job)
    else:
        found = operator.execute(context)
    assert found == [[1, 2], {}]
    requests = [*[("Get Blob", "airflow-batch", 206)] * 2, *[("Put Blob", "batch-node", 201)] * 2]
    # A request is on the ledger once its answer is sent.
    assert eventually(lambda: sorted(storage_requests(azure)) == requests)


def test_several_files_of_each_task_and_nothing_of_one_that_failed(start: Start) -> None:
    azure = start(WRITES, READS)
    tasks = [
        {"id": "a", "command_line": "/bin/sh -c 'mkdir d; echo x > \"d/t 1.csv\"; : > e.txt'"},
        {"id": "b", "command_line": "false"},
    ]
    operator = operator_of(
        command_line=None,
        tasks=tasks,
        outputs=outputs_in(azure, files=["d/t 1.csv", "./e.txt"]),
        max_failed_tasks=1,
    )
    nothing = {"d/t 1.csv": None, "e.txt": None}
    assert operator.execute(context_of(operator)) == [{"d/t 1.csv": "x\n", "e.txt": ""}, nothing]


def test_a_retry_of_the_failed_tasks_finds_what_the_others_left_before(start: Start, tmp_path: Path) -> None:
    azure = start(WRITES, READS)
    second = (
        f"/bin/sh -c 'test -e {tmp_path}/again && echo 2 > r.json || {{ touch {tmp_path}/again; exit 1; }}'"
    )
    tasks = [*writes(a="1"), {"id": "b", "command_line": second}]
    outputs = outputs_in(azure)
    operator = operator_of(
        command_line=None,
        tasks=tasks,
        outputs=outputs,
        retry="failed_tasks",
    )
    with pytest.raises(JobFailed):
        operator.execute(context_of(operator))
    assert operator.execute(context_of(operator, number=2)) == [1, 2]


def test_urls_alone_need_no_right_to_read(start: Start) -> None:
    azure = start(WRITES)
    operator = operator_of(command_line=None, tasks=writes(a="1"), outputs=outputs_in(azure, read_back=False))
    [url] = operator.execute(context_of(operator))
    assert url.startswith(f"{container_url(azure)}/d-t-")
    assert url.endswith("/a/r.json")
    assert storage_requests(azure) == [("Put Blob", "batch-node", 201)]


def test_a_missing_right_is_named_with_the_command_that_gives_it_and_not_tried_again(start: Start) -> None:
    azure = start(WRITES)
    operator = operator_of(command_line=None, tasks=writes(a="1"), outputs=outputs_in(azure))
    with pytest.raises(AirflowFailException) as caught:
        operator.execute(context_of(operator))
    said = str(caught.value)
    application = azure.config.applications[0].client_id
    assert "HTTP 403 AuthorizationPermissionMismatch" in said
    assert f"Give application {application} the role 'Storage Blob Data Reader'" in said
    assert "az role assignment create" in said
    azure.roles.assign(
        principal_id=azure.config.applications[0].object_id,
        role="Storage Blob Data Reader",
        scope=azure.config.container_scope("results"),
    )
    # The job is there still, and has succeeded: a further try reads what it left.
    assert operator.execute(context_of(operator, number=2)) == [1]
    assert azure.ledger.counts()["batch"]["Create Job"] == 1


def test_a_file_that_no_task_wrote_is_a_failure(start: Start) -> None:
    azure = start(WRITES, READS)
    operator = operator_of(command_line="true", outputs=outputs_in(azure))
    with pytest.raises(OutputUnavailable, match=r"HTTP 404 BlobNotFound.*Batch uploads"):
        operator.execute(context_of(operator))


def test_results_that_xcom_should_not_hold_are_not_read_whole(start: Start) -> None:
    azure = start(WRITES, READS)
    tasks = [{"id": "a", "command_line": "/bin/sh -c 'head -c 9000000 /dev/zero | tr \"\\0\" x > r.txt'"}]
    operator = operator_of(
        command_line=None, tasks=tasks, outputs=outputs_in(azure, files="r.txt"), max_output_bytes=1000
    )
    with pytest.raises(AirflowFailException, match="larger than max_output_bytes"):
        operator.execute(context_of(operator))
    [read] = eventually(lambda: azure.ledger.entries(service="storage", operation="Get Blob"))
    assert read.response_bytes < 2000


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://acc.blob.core.windows.net/results", "is in the cloud 'public'"),
        ("https://results.example.com/a/b", "is not a host of the cloud 'local'"),
    ],
)
def test_no_token_goes_to_a_host_of_the_authors(start: Start, url: str, problem: str) -> None:
    azure = start(WRITES, READS)
    operator = operator_of(outputs=outputs_in(azure, container_url=url))
    with pytest.raises(AirflowFailException, match=r"^outputs\.container_url is ") as caught:
        operator.execute(context_of(operator))
    assert problem in str(caught.value)
    assert not azure.ledger.counts().get("batch")


def test_an_identity_that_the_pool_does_not_have_fails_the_task_that_wants_it(start: Start) -> None:
    azure = start(WRITES, READS)
    outputs = outputs_in(azure, identity_resource_id=azure.config.identity_scope(OTHER))
    operator = operator_of(command_line=None, tasks=writes(a="1"), outputs=outputs)
    with pytest.raises(JobFailed, match="FileUploadMiscError"):
        operator.execute(context_of(operator))


@pytest.mark.parametrize(
    ("rule", "times", "error"),
    [
        ({"status": 503}, 2, None),
        ({"broken": "reset"}, 2, None),
        ({"status": 429, "headers": {"Retry-After": "90"}}, 1, "HTTP 429"),
        ({"status": 401, "code": "InvalidAuthenticationInfo"}, 2, "HTTP 401"),
        ({"status": 403, "code": "AuthenticationFailed"}, 1, "another tenant"),
        ({"status": 403, "code": "AuthorizationFailure"}, 1, "firewall"),
    ],
)
def test_what_storage_answers_is_what_it_means(
    start: Start, monkeypatch: pytest.MonkeyPatch, rule: dict[str, Any], times: int, error: str | None
) -> None:
    azure = start(WRITES, READS)
    operator = operator_of(command_line=None, tasks=writes(a="1"), outputs=outputs_in(azure))
    azure.faults.add(FaultRule(service="storage", operation="Get Blob", times=times, **rule))
    if error is None:
        assert operator.execute(context_of(operator)) == [1]
        return
    kinds = (ServiceUnavailable, AccountRefusedToken, AirflowFailException)
    with pytest.raises(kinds, match=error):
        operator.execute(context_of(operator))
    # Whatever it was, the next try attaches to the job that has succeeded.
    assert operator.execute(context_of(operator, number=2)) == [1]
    assert azure.ledger.counts()["batch"]["Create Job"] == 1


def test_one_token_for_storage_serves_all_tasks_of_a_machine(
    start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    azure = start(WRITES, READS)
    with shared_tokens(monkeypatch, tmp_path):
        for run_id in ("a", "b", "c"):
            operator = operator_of(command_line=None, tasks=writes(a="1"), outputs=outputs_in(azure))
            context = context_of(operator)
            context["ti"].run_id = run_id
            assert operator.execute(context) == [1]
    # One for Batch, one for storage.
    assert len(azure.ledger.entries(service="entra", operation="*Token*")) == 2
