from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import psutil
import pytest
import requests
from azure.identity import WorkloadIdentityCredential

from tests.contract.command_process import COMMAND, READY, refused, running
from tests.contract.operator_runs import context_of, operator_of


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_settings_serves_and_ends_cleanly(number: int) -> None:
    with running() as local:
        assert local.output.endswith(READY)
        cloud = json.loads(local.settings["AIRFLOW__BATCHAD__CLOUDS"])["local"]
        connection = json.loads(local.settings["AIRFLOW_CONN_BATCHAD_DEFAULT"])
        shown = local.control("/").json()
        assert cloud["authority"] == shown["endpoints"]["entra"]
        assert connection["host"] == shown["endpoints"]["batch"]
        assert connection["extra"]["cloud"] == "local"
        assert "password" not in connection
        directory = Path(shown["ca_file"]).parent
        children = psutil.Process(local.process.pid).children(recursive=True)
        assert local.end(number) == 0
        assert not directory.exists()
        psutil.wait_procs(children, timeout=10)
        assert not [child for child in children if child.is_running()]
        assert local.process.stderr is not None
        assert local.process.stderr.read() == ""


def test_shell_takes_the_lines_as_they_are() -> None:
    with running() as local:
        script = local.output + 'printf %s "$AIRFLOW_CONN_BATCHAD_DEFAULT"'
        echoed = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    assert echoed.stdout == local.settings["AIRFLOW_CONN_BATCHAD_DEFAULT"]


def test_env_file_holds_the_lines_while_it_runs_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "environment.sh"
    path.write_text("export OLD=1\n")
    with running("--env-file", str(path)) as local:
        assert path.read_text() + READY == local.output
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert local.end() == 0
    assert not path.exists()


def test_json_is_one_object() -> None:
    with running("--json") as local:
        shown = json.loads(local.output)
    assert set(shown) == {"endpoints", "environment"}
    assert shown["environment"]["BATCHAD_LOCAL_CONTROL"] == shown["endpoints"]["control"]


def test_no_secret_is_printed(tmp_path: Path) -> None:
    path = tmp_path / "secrets.txt"
    with running("--secrets-file", str(path)) as local:
        known = path.read_text().splitlines()
        header = local.settings["IDENTITY_HEADER"]
        assert header in known
        assert len(known) > 1
        assert [value for value in known if value in local.output] == [header]


def test_pools_roles_files_and_lifetime_are_as_asked_for(tmp_path: Path) -> None:
    (tmp_path / "weather.csv").write_text("rain")
    role = tmp_path / "role.json"
    permissions = [{"dataActions": ["Microsoft.Batch/batchAccounts/jobs/read"]}]
    role.write_text(json.dumps({"properties": {"roleName": "Looks only", "permissions": permissions}}))
    options = ("--pool", "gpu:1:2", "--role-file", str(role), "--files", str(tmp_path))
    with running(*options, "--token-lifetime", "5") as local:
        assert local.control("/").json()["pools"] == ["gpu"]
        held = {one["role"] for one in local.control("/roles/assignments").json()["assignments"]}
        assert held == {"Looks only", "Key Vault Secrets User"}
        with requests.Session() as session:
            session.trust_env = False
            session.verify = local.settings["BATCHAD_LOCAL_CA_FILE"]
            assert session.get(local.settings["BATCHAD_LOCAL_STORAGE"] + "/weather.csv").text == "rain"
            token = session.get(
                local.settings["IDENTITY_ENDPOINT"],
                params={"api-version": "2019-08-01", "resource": "https://vault.azure.net"},
                headers={"X-IDENTITY-HEADER": local.settings["IDENTITY_HEADER"]},
            ).json()
        now = datetime.fromisoformat(local.control("/clock").json()["now"]).timestamp()
        assert int(token["expires_on"]) <= now + 5


def test_state_directory_keeps_the_ca_file(tmp_path: Path) -> None:
    state = str(tmp_path / "state")
    with running("--state-dir", state) as local:
        ca_file = Path(local.settings["BATCHAD_LOCAL_CA_FILE"])
        first = ca_file.read_bytes()
        assert local.end() == 0
    with running("--state-dir", state) as local:
        assert Path(local.settings["BATCHAD_LOCAL_CA_FILE"]) == ca_file
        assert ca_file.read_bytes() == first
        assert local.control("/health").status_code == 200


def test_address_that_is_not_loopback_is_refused_in_a_sentence() -> None:
    assert "is not loopback" in refused("--host", "0.0.0.0")  # noqa: S104


def test_port_that_is_taken_is_said_in_a_sentence() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said = refused("--port", str(port))
    assert f"port {port} of localhost (for entra) is already in use" in said


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--files", "/nowhere/at/all"), "is no directory"),
        (("--role", "No such role"), "no role 'No such role'; there are:"),
        (("--role-file", "/nowhere/role.json"), "No such file"),
        (("--secrets-file", "/nowhere/secrets"), "/nowhere/secrets: No such file"),
        (("--token-lifetime", "0"), "token_lifetime_seconds must be above 0"),
        (("--port", "65535"), "port must be 0 (any) to"),
        (("--clock", "9999-01-01T00:00:00Z"), "the clock goes from 1970 to 9000"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(arguments: tuple[str, ...], text: str) -> None:
    assert text in refused(*arguments)


def test_help_names_every_option() -> None:
    shown = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, check=True).stdout
    for option in (
        "--host",
        "--port",
        "--pool",
        "--role",
        "--files",
        "--secrets-file",
        "--env-file",
        "--json",
    ):
        assert option in shown


def test_arguments_load_no_web_server() -> None:
    script = (
        "import sys; import airflow_provider_batchad.local.cli.arguments; "
        "import airflow_provider_batchad.local.cli.control_arguments; "
        "heavy = {'aiohttp', 'cryptography', 'jwt', 'pydantic', 'requests', 'trustme'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
    )
    assert loaded.stdout == "[]\n"


def test_a_container_is_ready_for_nodes_to_write_and_the_principal_to_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running("--container", "results", "--container", "others", "--pool", "cpu:1:1") as local:
        for name, value in local.settings.items():
            monkeypatch.setenv(name, value)
        outputs = {
            "container_url": local.settings["BATCHAD_LOCAL_CONTAINER"],
            "files": "r.json",
            "identity_resource_id": local.settings["BATCHAD_LOCAL_POOL_IDENTITY"],
        }
        operator = operator_of(command_line="/bin/sh -c 'echo 17 > r.json'", outputs=outputs)
        assert operator.execute(context_of(operator)) == [17]
        assert outputs["container_url"].endswith("/localstorage/results")
    with running() as local:
        assert "BATCHAD_LOCAL_CONTAINER" not in local.settings


def test_workload_identity_is_printed_and_signs_in_as_a_pod_would(monkeypatch: pytest.MonkeyPatch) -> None:
    with running("--workload-identity", "--developer-role", "Reader") as local:
        settings = local.settings
        for name in (
            "AZURE_FEDERATED_TOKEN_FILE",
            "AZURE_TENANT_ID",
            "AZURE_CLIENT_ID",
            "AZURE_AUTHORITY_HOST",
        ):
            monkeypatch.setenv(name, settings[name])
        with WorkloadIdentityCredential(connection_verify=settings["BATCHAD_LOCAL_CA_FILE"]) as credential:
            assert credential.get_token("https://batch.core.windows.net//.default").token
        held = {one["role"] for one in local.control("/roles/assignments").json()["assignments"]}
        assert "Reader" in held
    with running() as local:
        assert not [name for name in local.settings if name.startswith("AZURE_")]
