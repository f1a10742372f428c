"""``batchad login`` as a process, with somebody who signs in; then the hooks without anybody."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from airflow_provider_batchad.errors import ConnectionFieldError, SignInError
from airflow_provider_batchad.hooks import AzureBatchAdAsyncHook, AzureBatchAdHook
from airflow_provider_batchad.jobs.requests import list_jobs
from airflow_provider_batchad.local.client_settings import client_environment, describe_connection
from airflow_provider_batchad.local.config import DEVELOPER
from tests.contract import ways
from tests.contract.ways import Machine, running_machine

OURS = (sys.executable, "-c", "from airflow_provider_batchad.cli import main; main()", "login")
AIRFLOWS = (sys.executable, "-m", "airflow", "batchad", "login")
BROWSER = """#!{python}
import sys, requests
session = requests.Session()
session.trust_env = False
session.verify = {ca_file!r}
visit = {{"url": sys.argv[1], "person": {person!r}}}
session.post({control!r} + "/browser/open", json=visit).raise_for_status()
"""


@pytest.fixture
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    """A developer's: the connection, and what the commands find in their environment."""
    with running_machine(request, tmp_path) as machine:
        azure, monkeypatch = machine.signing_in.azure, machine.monkeypatch
        connection = describe_connection(azure)
        connection["login"] = None
        connection["extra"] |= {"sign_in": "integrated", **ways.WITHOUT_VAULT}
        for name, value in client_environment(azure).items():
            if not name.startswith("AZURE_"):
                monkeypatch.setenv(name, value)
        monkeypatch.setenv("AIRFLOW_CONN_AS_MYSELF", json.dumps(connection))
        monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
        monkeypatch.setenv("AIRFLOW__BATCHAD__LOGIN_DIR", str(tmp_path / "logins"))
        yield machine


def begin(command: tuple[str, ...], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def approve(machine: Machine, process: subprocess.Popen[str], verb: str = "approve") -> list[str]:
    """What a person does who reads the code on the screen: on the page of the service."""
    azure = machine.signing_in.azure
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if "devicelogin" in line:
            break
    (waiting,) = azure.sign_ins.device_codes.pending()
    assert waiting.user_code in lines[-1]
    form = {"user_code": waiting.user_code, "person": DEVELOPER.name}
    with requests.Session() as session:
        session.trust_env = False
        session.verify = os.fspath(azure.ca_file)
        page = f"{azure.endpoints.entra}/devicelogin"
        session.post(page, data=form if verb == "approve" else {**form, "decline": "true"}).raise_for_status()
    return lines


def ask_batch() -> Any:
    with AzureBatchAdHook("as_myself") as hook:
        return hook.send(list_jobs(select="id", page_size=1)).status


async def ask_batch_async() -> Any:
    async with AzureBatchAdAsyncHook("as_myself") as hook:
        return (await hook.send(list_jobs(select="id", page_size=1))).status


@pytest.mark.parametrize("command", [OURS, AIRFLOWS], ids=["batchad", "airflow batchad"])
def test_person_signs_in_with_a_code_and_the_hooks_go_on_without(
    machine: Machine, command: tuple[str, ...]
) -> None:
    with pytest.raises(SignInError, match="airflow batchad login as_myself"):
        ask_batch()
    with begin(command, "--device-code", "as_myself") as process:
        approve(machine, process)
        output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert f"Signed in as {DEVELOPER.name} for the connection 'as_myself'." in output
    assert ask_batch() == 200
    assert asyncio.run(ask_batch_async()) == 200
    callers = {entry.principal for entry in machine.signing_in.azure.ledger.entries(service="batch")}
    assert callers == {DEVELOPER.name}


def test_person_signs_in_in_a_browser(machine: Machine) -> None:
    azure = machine.signing_in.azure
    browser = machine.directory / "browser"
    browser.write_text(
        BROWSER.format(
            python=sys.executable,
            ca_file=os.fspath(azure.ca_file),
            control=azure.endpoints.control,
            person=DEVELOPER.name,
        )
    )
    browser.chmod(0o700)
    machine.monkeypatch.setenv("BROWSER", f"{browser} %s")
    with begin(OURS, "as_myself") as process:
        output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "A browser opens" in output
    assert f"Signed in as {DEVELOPER.name}" in output
    assert ask_batch() == 200


def test_person_who_declines_is_not_signed_in(machine: Machine) -> None:
    with begin(OURS, "--device-code", "as_myself") as process:
        approve(machine, process, "decline")
        _, errors = process.communicate()
    assert process.returncode == 1
    assert "was declined" in errors
    assert "Traceback" not in errors
    with pytest.raises(SignInError, match="Nobody has signed in"):
        ask_batch()


@pytest.mark.parametrize(
    ("conn_id", "words"),
    [("batchad_default", "is not 'integrated'"), ("absent", "Airflow has no connection 'absent'")],
)
def test_connection_that_no_person_signs_in_for_is_refused(
    machine: Machine, conn_id: str, words: str
) -> None:
    with begin(OURS, "--device-code", conn_id) as process:
        _, errors = process.communicate()
    assert process.returncode == 1
    assert words in errors
    assert "Traceback" not in errors


def test_hooks_of_a_worker_refuse_the_person(machine: Machine) -> None:
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import CommsDecoder

    connection = AzureBatchAdHook("as_myself").connection
    machine.monkeypatch.setattr(
        task_runner, "SUPERVISOR_COMMS", CommsDecoder.__new__(CommsDecoder), raising=False
    )
    hook = AzureBatchAdHook("as_myself")
    hook.__dict__["connection"] = connection  # looked up before the process had a supervisor
    with pytest.raises(ConnectionFieldError, match="a process that Airflow runs by itself") as caught:
        hook.get_conn()
    assert caught.value.field == "extra.sign_in"
