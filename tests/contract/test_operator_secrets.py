"""A job that holds what Airflow masks: refused before anything of it is sent, unless the author allows it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_batchad.hooks import AzureBatchAdHook
from airflow_provider_batchad.hooks.masking import masker
from airflow_provider_batchad.local.client_settings import client_environment
from airflow_provider_batchad.local.config import LocalAzureConfig
from tests.contract.operator_runs import context_of, operator_of, resume, submit, wait_for_the_end
from tests.contract.signing_in import SigningIn, connected

SECRET = "canary-2f60-of-an-author"


@pytest.fixture(autouse=True)
def signing_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SigningIn]:
    with connected(monkeypatch, LocalAzureConfig(port=0, state_dir=tmp_path / "state")) as signing_in:
        yield signing_in


def make_tasks(**_: Any) -> Iterator[dict[str, Any]]:
    for number in range(250):
        settings = {"TOKEN": SECRET} if number == 217 else {}
        yield {"id": f"t{number}", "command_line": "true", "environment_settings": settings}


@pytest.mark.parametrize("tasks", [list(make_tasks()), make_tasks], ids=["list", "function"])
def test_nothing_is_sent_of_a_job_with_a_secret_and_its_field_is_named(
    signing_in: SigningIn, tasks: Any
) -> None:
    masker()(SECRET)
    operator = operator_of(command_line=None, tasks=tasks)
    context = context_of(operator)
    operator.render_template_fields(context)
    with pytest.raises(AirflowFailException) as refused:
        operator.execute(context)
    text = str(refused.value)
    assert text.startswith("tasks[217].environment_settings[0].value: holds a value that Airflow masks")
    assert "Key Vault" in text
    assert "allow_secrets_in_job=True" in text
    assert SECRET not in text
    assert not signing_in.azure.ledger.counts().get("batch")


def test_the_password_of_the_connection_itself_is_refused(
    signing_in: SigningIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = json.loads(client_environment(signing_in.azure)["AIRFLOW_CONN_BATCHAD_DEFAULT"])
    connection["password"] = "canary-90e3-of-the-connection"
    extra = connection["extra"]
    connection["extra"] = {name: extra[name] for name in extra if not name.startswith("vault_")}
    monkeypatch.setenv("AIRFLOW_CONN_BATCHAD_DEFAULT", json.dumps(connection))
    operator = operator_of(command_line="login canary-90e3-of-the-connection")
    with pytest.raises(AirflowFailException, match=r"^tasks\[0\]\.command_line: holds a value"):
        operator.execute(context_of(operator))
    assert not signing_in.azure.ledger.counts().get("batch")


def test_it_is_submitted_where_the_author_allows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    masker()(SECRET)
    operator = operator_of(command_line=f"echo {SECRET}", allow_secrets_in_job=True)
    assert operator.execute(context_of(operator))["succeeded"] == 1
    with AzureBatchAdHook() as hook:
        (job,) = hook.get_conn().list_jobs()
        (task,) = hook.get_conn().list_tasks(job.id)
    assert task.command_line == f"echo {SECRET}"


def test_what_the_masker_learns_later_does_not_fail_a_job_that_runs() -> None:
    """As the secret of the connection, which is read after the job was looked at."""
    operator = operator_of(command_line="echo canary-77b1-learnt-later")
    context = context_of(operator)
    job = submit(operator, context)
    masker()("canary-77b1-learnt-later")
    wait_for_the_end()
    assert resume(operator, context, "completed", job)["succeeded"] == 1
