"""What the worker's log shows of a job while it runs, and what outputs a job leaves."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.batch import models

from airflow_provider_batchad.errors import JobFailed, OutputUnavailable
from airflow_provider_batchad.hooks import AzureBatchAdHook
from airflow_provider_batchad.local.config import (
    DEFAULT_ASSIGNMENTS,
    AssignmentConfig,
    LocalAzureConfig,
)
from airflow_provider_batchad.local.faults import FaultRule
from tests.contract.batch_fixtures import eventually, shell
from tests.contract.operator_runs import context_of, operator_of, resume, submit, wait_for_the_end
from tests.contract.signing_in import SigningIn, connected

# The application may also take nodes out of a pool.
CONFIG = LocalAzureConfig(
    port=0,
    assignments=(
        *DEFAULT_ASSIGNMENTS,
        AssignmentConfig(principal="airflow-batch", role="Azure Batch Data Contributor", resource="batch"),
    ),
)
STEPS = "echo first >&2; echo begun; while ! test -e {go}; do sleep 0.05; done; echo onwards; printf last"


@pytest.fixture
def signing_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[SigningIn]:
    with connected(monkeypatch, CONFIG) as signing_in:
        yield signing_in


def run_until(go: Path, seen: str, capsys: pytest.CaptureFixture[str], **arguments: object) -> str:
    """The log of an operator whose Batch task goes on once the log has shown something."""
    operator = operator_of(command_line=shell(STEPS.format(go=go)), poll_interval=0.05, **arguments)
    said: list[str] = []
    over = threading.Event()

    def watch() -> None:
        def look() -> bool:
            said.append(capsys.readouterr().out)
            return over.is_set() or seen in "".join(said)

        try:
            eventually(look, seconds=60)
        finally:
            go.touch()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        assert operator.execute(context_of(operator))["succeeded"] == 1
    finally:
        over.set()
        watcher.join()
    said.append(capsys.readouterr().out)
    return "".join(said)


def test_the_output_of_a_single_task_is_in_the_log_while_it_runs(
    signing_in: SigningIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = run_until(tmp_path / "go", "begun", capsys)
    order = ["begun", "onwards", "last", "is completed: 1 of 1"]
    assert sorted(order, key=log.index) == order
    assert "stderr of Batch task task:\\nfirst" in log or "stderr of Batch task task:\nfirst" in log
    between = Counter(entry.operation for entry in signing_in.azure.ledger.entries(service="batch"))
    assert between["Get Task File"] <= 2 * between["Get Job"] + 2


def test_files_that_cannot_be_read_change_nothing_of_the_wait(
    signing_in: SigningIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for operation in ("Get Task File", "Get Task File Properties"):
        signing_in.azure.faults.add(FaultRule(service="batch", operation=operation, status=403))
    log = run_until(tmp_path / "go", "is active: of 1 task(s) 0 wait, 1 run", capsys)
    assert "begun" not in log
    assert "is completed: 1 of 1" in log


def test_lines_on_stdout_are_the_return_value_one_result_a_task_in_task_order(signing_in: SigningIn) -> None:
    said = """echo '::{"outputs": {"n": %d, "of": 3}}::'; echo between; echo '::{"outputs": {"of": [3]}}::'"""
    tasks = [{"id": f"t{number}", "command_line": shell(said % number)} for number in (2, 0, 1)]
    operator = operator_of(command_line=None, tasks=tasks, outputs="::stdout::")
    assert operator.execute(context_of(operator)) == [{"n": number, "of": [3]} for number in (2, 0, 1)]


@pytest.mark.parametrize(
    ("command", "outputs", "said"),
    [
        ("true", "::stdout::", r"'::stdout::' of Batch task 'task'.*no line"),
        (
            "python3 -c \"open('deep.json', 'w').write('[' * 40000)\"",
            "deep.json",
            r"'deep.json' of Batch task 'task' .*more than 64 deep",
        ),
    ],
)
def test_an_output_that_says_nothing_names_what_and_which_task(
    signing_in: SigningIn, command: str, outputs: str, said: str
) -> None:
    operator = operator_of(command_line=shell(command), outputs=outputs)
    with pytest.raises(OutputUnavailable, match=said):
        operator.execute(context_of(operator))


def remove_the_nodes() -> None:
    """Take the nodes out of the pool, with all that is on them."""
    with AzureBatchAdHook(actions=("pools/read", "pools/write")) as hook:
        client = hook.get_conn()
        ids = [node.id for node in client.list_nodes("cpu")]
        client.begin_remove_nodes("cpu", models.BatchNodeRemoveOptions(node_ids=ids))
        eventually(lambda: not list(client.list_nodes("cpu")), seconds=60)


def run_and_lose_the_nodes(operator: Any) -> Any:
    """The Airflow task resumes only when the Batch job is over and its nodes are gone."""
    context = context_of(operator)
    job = submit(operator, context)
    wait_for_the_end()
    remove_the_nodes()
    return resume(operator, context, "completed", job)


def test_logs_that_are_gone_with_their_node_are_a_warning_and_no_verdict(
    signing_in: SigningIn, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(JobFailed, match=r"1 of 1 task\(s\) failed: task \(exit code 3\)"):
        run_and_lose_the_nodes(operator_of(command_line=shell("echo lost >&2; exit 3")))
    assert "Batch task task left no stderr that can be read." in capsys.readouterr().out


@pytest.mark.parametrize("outputs", ["r.json", "::stdout::"])
def test_a_demanded_output_that_is_gone_with_its_node_is_a_failure(
    signing_in: SigningIn, outputs: str
) -> None:
    said = shell("""echo 1 > r.json; echo '::{"outputs": {"a": 1}}::'""")
    with pytest.raises(OutputUnavailable, match=f"Output '{outputs}' of Batch task 'task'.*NodeNotFound"):
        run_and_lose_the_nodes(operator_of(command_line=said, outputs=outputs))


def test_a_success_without_outputs_needs_no_node(signing_in: SigningIn) -> None:
    assert run_and_lose_the_nodes(operator_of())["succeeded"] == 1
