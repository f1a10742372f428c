"""The verbs below ``batchad local``, against one that serves, as Microsoft's clients then see it."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from azure.batch import BatchClient, models
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError
from azure.identity import ClientSecretCredential, ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient

from tests.contract.batch_fixtures import eventually
from tests.contract.command_process import COMMAND, Running, running, verb

PAGE = Path(__file__).parents[2] / "docs" / "develop-offline.md"
SCOPE = "https://batch.core.windows.net//.default"


class KnownToken:
    """A credential that never renews."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *scopes: str, **options: object) -> AccessToken:
        return AccessToken(self._token, 10**11)


class Local:
    """A local Azure that serves, seen by its command's verbs and by Microsoft's client."""

    def __init__(self, process: Running, client: BatchClient, token: str) -> None:
        self.process = process
        self.client = client
        self.token = token

    def __call__(self, *arguments: str) -> str:
        """What a verb prints."""
        ended = verb(*arguments, settings=self.process.settings)
        assert (ended.returncode, ended.stderr) == (0, "")
        return ended.stdout

    def rows(self, *arguments: str) -> list[dict[str, object]]:
        """The same as JSON."""
        return [json.loads(line) for line in self(*arguments, "--json").splitlines()]

    def refused(self, *arguments: str) -> str:
        """What a verb says that had wrong arguments."""
        ended = verb(*arguments, settings=self.process.settings)
        assert (ended.returncode, ended.stdout) == (2, "")
        return ended.stderr


@pytest.fixture(scope="module")
def serving() -> Iterator[Local]:
    """Signed in as the connection that it prints says: the machine reads the secret from Key Vault."""
    with running() as process, pytest.MonkeyPatch.context() as patch:
        settings = process.settings
        for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
            patch.setenv(name, settings[name])
        connection = json.loads(settings["AIRFLOW_CONN_BATCHAD_DEFAULT"])
        extra, trust = connection["extra"], {"connection_verify": settings["BATCHAD_LOCAL_CA_FILE"]}
        with (
            ManagedIdentityCredential(**trust) as machine,
            SecretClient(extra["vault_url"], machine, verify_challenge_resource=False, **trust) as vault,
        ):
            secret = vault.get_secret(extra["vault_credential_name"]).value
        assert secret is not None
        authority = json.loads(settings["AIRFLOW__BATCHAD__CLOUDS"])["local"]["authority"]
        with ClientSecretCredential(
            extra["tenant_id"],
            connection["login"],
            secret,
            authority=authority,
            disable_instance_discovery=True,
            **trust,
        ) as credential:
            token = credential.get_token(SCOPE).token
        with closing(BatchClient(connection["host"], KnownToken(token), retry_total=0, **trust)) as client:
            yield Local(process, client, token)


@pytest.fixture
def local(serving: Local) -> Iterator[Local]:
    """The same; faults and clock are as they were after each test."""
    yield serving
    serving.process.control("/faults", "DELETE").raise_for_status()
    serving.process.control("/clock", "PUT", json={"real": True}).raise_for_status()


def job(job_id: str) -> models.BatchJobCreateOptions:
    return models.BatchJobCreateOptions(id=job_id, pool_info=models.BatchPoolInfo(pool_id="cpu"))


def test_fault_is_added_seen_by_a_client_listed_and_removed(local: Local) -> None:
    local.client.create_job(job("throttled"))
    options = ("--operation", "get j*", "--status", "429", "--header", "Retry-After: 5", "--times", "1")
    fault_id = local("faults", "add", "--service", "batch", *options).strip()
    with pytest.raises(HttpResponseError) as refused:
        local.client.get_job("throttled")
    assert refused.value.status_code == 429
    assert refused.value.response is not None
    assert refused.value.response.headers["Retry-After"] == "5"
    assert local.client.get_job("throttled").id == "throttled"
    [row] = local.rows("faults", "list")
    assert (row["id"], row["hits"], row["headers"]) == (fault_id, 1, {"Retry-After": "5"})
    heading, line = local("faults", "list").splitlines()
    assert heading.split()[:3] == ["ID", "SERVICE", "OPERATION"]
    assert line.split("  ")[0] == fault_id[:8]
    assert "status 429, Retry-After: 5" in line
    assert local("faults", "remove", line.split()[0]) == ""
    assert local.rows("faults", "list") == []


def test_answer_can_be_lost_after_the_operation_took_effect(local: Local) -> None:
    options = ("--operation", "Create Job", "--when", "after", "--broken", "reset", "--times", "1")
    local("faults", "add", *options, "--principal", "airflow-batch")
    with pytest.raises((ServiceRequestError, ServiceResponseError)):
        local.client.create_job(job("lost"))
    assert local.client.get_job("lost").state == "active"


def test_what_a_fault_holds_is_answered_when_faults_are_cleared(local: Local) -> None:
    local.client.create_job(job("held"))
    local("faults", "add", "--service", "batch", "--operation", "Get Job", "--hold")
    found: list[str] = []
    asking = threading.Thread(target=lambda: found.append(local.client.get_job("held").id))
    asking.start()
    eventually(lambda: local.rows("faults", "list")[0]["hits"] == 1)
    assert found == []
    local("faults", "clear")
    asking.join(timeout=60)
    assert found == ["held"]


def test_token_expires_when_the_clock_is_advanced(local: Local) -> None:
    assert local("clock", "show").split()[1] == "real"
    assert list(local.client.list_jobs(max_results=1)) is not None
    assert local("clock", "advance", "1d2h").split()[1] == "ticking"
    with pytest.raises(HttpResponseError) as refused:
        list(local.client.list_jobs())
    assert refused.value.status_code == 401
    local("clock", "advance", "--", "-1d2h")
    assert list(local.client.list_jobs()) is not None


def test_clock_is_set_frozen_run_and_real_again(local: Local) -> None:
    local("clock", "freeze")
    moment = "2030-01-01T00:00:00+00:00"
    assert local("clock", "set", "2030-01-01T01:00:00+01:00") == f"{moment} frozen\n"
    assert local.rows("clock", "show") == [{"now": moment, "is_real": False, "is_frozen": True}]
    with pytest.raises(HttpResponseError) as refused:
        list(local.client.list_jobs())
    assert refused.value.response is not None
    assert refused.value.response.headers["Date"] == "Tue, 01 Jan 2030 00:00:00 GMT"
    assert local("clock", "run").startswith("2030-01-01T00:00")
    assert local("clock", "real").split()[1] == "real"


def test_ledger_is_listed_filtered_counted_and_cleared(local: Local) -> None:
    local("ledger", "--clear")
    local.client.create_job(job("entered"))
    local.client.get_job("entered")
    with pytest.raises(HttpResponseError):
        local.client.get_job("nowhere")
    rows = local.rows("ledger")
    assert [(row["operation"], row["status"]) for row in rows] == [
        ("Create Job", 201),
        ("Get Job", 200),
        ("Get Job", 404),
    ]
    assert local.rows("ledger", "--service", "entra", "--service", "keyvault") == []
    assert local.rows("ledger", "--operation", "get job", "--status", "404") == rows[2:]
    assert local.rows("ledger", "--principal", "airflow-batch", "--last", "1") == rows[2:]
    assert local.rows("ledger", "--after", str(rows[0]["sequence"])) == rows[1:]
    heading, first, *_, last = local("ledger").splitlines()
    assert heading.split()[0] == "#"
    assert "Microsoft.Batch/batchAccounts/jobs/write" in first
    assert "JobNotFound" in last
    counted = local.rows("ledger", "--counts")
    assert counted == [
        {"service": "batch", "operation": "Create Job", "requests": 1},
        {"service": "batch", "operation": "Get Job", "requests": 2},
    ]
    assert local("ledger", "--counts").splitlines()[-1].split() == ["batch", "Get", "Job", "2"]
    local("ledger", "--clear")
    assert local.rows("ledger") == []
    assert local.rows("ledger", "--counts") == []


def test_new_requests_are_shown_as_they_come_until_control_c(local: Local) -> None:
    local.client.create_job(job("followed"))
    command = [*COMMAND, "ledger", "--follow", "--json", "--operation", "Disable Job"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=local.process.settings
    ) as following:
        try:
            assert following.stdout is not None
            assert following.stderr is not None
            eventually(lambda: local.rows("ledger", "--service", "control", "--operation", "List Ledger"))
            body = models.BatchJobDisableOptions(disable_tasks="requeue")
            local.client.begin_disable_job("followed", body)
            assert json.loads(following.stdout.readline())["operation"] == "Disable Job"
            following.send_signal(2)
            assert following.wait(timeout=60) == 0
            assert following.stderr.read() == ""
        finally:
            following.kill()


def test_reader_that_goes_away_is_no_error(local: Local) -> None:
    script = '"$0" -m airflow_provider_batchad.local ledger --follow --service control | head -n 1'
    command = ["/bin/sh", "-c", script, sys.executable]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=True, env=local.process.settings
    )
    assert ended.stdout.startswith("#")
    assert ended.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("faults", "add", "--service", "batch"), "a fault needs one of --status, --broken, --delay, --hold"),
        (("faults", "add", "--status", "42"), "--status: '42' is no HTTP status from 200 to 599"),
        (("faults", "add", "--service", "mars", "--hold"), "--service: invalid choice: 'mars'"),
        (("faults", "add", "--code", "Gone", "--hold"), "--code belongs to an answer: give its --status"),
        (("faults", "add", "--status", "500", "--broken", "reset"), "--status does not go with --broken"),
        (("faults", "add", "--hold", "--header", "x"), "--header: 'x' is no header such as"),
        (("faults", "list", "--probability", "1"), "unrecognized arguments: --probability"),
        (("faults",), "the following arguments are required: VERB"),
        (("clock", "set", "2030-01-01T00:00:00"), "TIME: '2030-01-01T00:00:00' has no time zone"),
        (("clock", "advance", "soon"), "LENGTH: 'soon' is no length of time such as 90, 5m, 2h or 1d12h"),
        (("ledger", "--status", "many"), "--status: 'many' is no number"),
        (("ledger", "--follow", "--counts"), "--counts: not allowed with argument --follow"),
        (("--port", "0", "ledger"), "--port is for starting a local Azure: leave it out with ledger"),
        (("minutes",), "invalid choice: 'minutes'"),
    ],
)
def test_wrong_arguments_are_said_with_the_option(
    local: Local, arguments: tuple[str, ...], said: str
) -> None:
    assert said in local.refused(*arguments)


def test_commands_of_the_page_do_as_they_say(local: Local) -> None:
    commands = re.findall(r"^\$ batchad local ((?:faults|clock|ledger) .*)$", PAGE.read_text(), re.MULTILINE)
    assert len(commands) > 5
    for command in commands:
        if "--follow" not in command:
            local(*shlex.split(command))
    [start] = re.findall(r"^\$ batchad local (--fault .*)$", PAGE.read_text(), re.MULTILINE)
    with running(*shlex.split(start)) as other:
        listed = verb("faults", "list", "--json", settings=other.settings).stdout
        assert json.loads(listed)["operation"] == "Create Job"
        shown = verb("clock", "show", settings=other.settings).stdout
        assert shown == "2026-01-01T00:00:00+00:00 frozen\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("faults", "remove", "nothing"), "no fault's id begins with 'nothing'"),
        (("clock", "advance", "9000000d"), "the clock goes from 1970 to 9000"),
    ],
)
def test_what_local_azure_refuses_is_said_in_a_sentence(
    local: Local, arguments: tuple[str, ...], said: str
) -> None:
    ended = verb(*arguments, settings=local.process.settings)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"batchad local {' '.join(arguments[:2])}: ")
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1
