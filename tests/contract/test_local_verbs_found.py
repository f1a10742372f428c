"""How the verbs below ``batchad local`` find a local Azure, and which they do not trust."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_batchad.local.certificates import CertificateAuthority
from tests.contract.command_process import COMMAND, Running, running, verb

SHOW = ("clock", "show")
# The clock that the local Azure of these tests shows.
MOMENT = "2031-05-06T07:08:09+00:00 frozen\n"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    state = tmp_path_factory.mktemp("state")
    options = ("--clock", "2031-05-06T07:08:09Z", "--freeze-clock", "--state-dir", str(state))
    faults = ("--fault", "service=entra status=503 times=1", "--fault", '{"service": "batch", "hold": true}')
    with running(*options, *faults) as process:
        yield process


def address(settings: dict[str, str]) -> tuple[str, ...]:
    return ("--control", settings["BATCHAD_LOCAL_CONTROL"], "--ca-file", settings["BATCHAD_LOCAL_CA_FILE"])


def failed(*arguments: str, settings: dict[str, str] | None = None) -> str:
    """What a verb says that found nothing to ask."""
    ended = verb(*arguments, settings=settings)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.count("\n") == 1
    return ended.stderr


def test_clock_and_faults_of_the_start_are_in_force(serving: Running) -> None:
    assert verb(*SHOW, settings=serving.settings).stdout == MOMENT
    listed = verb("faults", "list", "--json", settings=serving.settings).stdout.splitlines()
    found = [(one["service"], one["status"], one["hold"], one["times"]) for one in map(json.loads, listed)]
    assert found == [("entra", 503, False, 1), ("batch", None, True, None)]


def test_options_are_enough_without_the_exported_variables(serving: Running) -> None:
    assert verb(*SHOW, *address(serving.settings)).stdout == MOMENT
    variables = {"BATCHAD_LOCAL_CA_FILE": serving.settings["BATCHAD_LOCAL_CA_FILE"]}
    control = serving.settings["BATCHAD_LOCAL_CONTROL"].replace("localhost", "127.0.0.1")
    assert verb(*SHOW, "--control", control, settings=variables).stdout == MOMENT


def test_state_directory_leads_to_the_one_that_uses_it(serving: Running, tmp_path: Path) -> None:
    state = str(Path(serving.settings["BATCHAD_LOCAL_CA_FILE"]).parent)
    assert verb(*SHOW, "--state-dir", state).stdout == MOMENT
    assert verb("--state-dir", state, *SHOW).stdout == MOMENT
    with running("--state-dir", str(tmp_path)) as other:
        assert verb(*SHOW, "--state-dir", str(tmp_path), settings=serving.settings).stdout != MOMENT
        assert other.end() == 0
    assert "no local Azure runs with --state-dir" in failed(*SHOW, "--state-dir", str(tmp_path))


def test_environment_of_proxies_and_bundles_has_no_say(serving: Running, tmp_path: Path) -> None:
    foreign = CertificateAuthority(tmp_path, keep_key=False).ca_file
    misleading = {
        "HTTPS_PROXY": "http://localhost:9",
        "REQUESTS_CA_BUNDLE": str(foreign),
        "CURL_CA_BUNDLE": str(foreign),
    }
    assert verb(*SHOW, settings=serving.settings | misleading).stdout == MOMENT


def test_same_through_the_console_script_and_through_airflow(serving: Running, tmp_path: Path) -> None:
    programs = Path(sys.executable).parent
    ours = (str(programs / "batchad"), "local")
    assert verb(*SHOW, settings=serving.settings, command=ours).stdout == MOMENT
    airflow = (str(programs / "airflow"), "batchad", "local")
    settings = serving.settings | {"AIRFLOW_HOME": str(tmp_path)}
    ended = verb("faults", "list", "--json", settings=settings, command=airflow)
    assert (ended.returncode, ended.stdout.count("\n")) == (0, 2), ended.stderr
    wrong = verb("faults", "add", "--times", "0", settings=settings, command=airflow)
    assert wrong.returncode == 2
    assert "'0' is no number of requests above 0" in wrong.stderr


def test_nothing_is_trusted_but_its_own_authority(serving: Running, tmp_path: Path) -> None:
    foreign = str(CertificateAuthority(tmp_path, keep_key=False).ca_file)
    said = failed(*SHOW, *address(serving.settings | {"BATCHAD_LOCAL_CA_FILE": foreign}))
    assert f"has no certificate of {foreign}" in said
    empty = tmp_path / "empty.pem"
    empty.touch()
    failed(*SHOW, *address(serving.settings | {"BATCHAD_LOCAL_CA_FILE": str(empty)}))
    said = failed(*SHOW, *address(serving.settings | {"BATCHAD_LOCAL_CA_FILE": "/nowhere/ca.pem"}))
    assert "there is no file /nowhere/ca.pem" in said


@pytest.mark.parametrize(
    "control",
    [
        "http://localhost:10448",
        "https://example.com:10448",
        "https://localhost",
        "localhost:10448",
        "https://[",
    ],
)
def test_what_is_no_control_port_is_said(control: str) -> None:
    said = failed(*SHOW, "--control", control, "--ca-file", os.devnull)
    assert f"--control {control!r} is no URL of a local Azure" in said


def test_what_serves_something_else_is_said(serving: Running) -> None:
    other = json.loads(serving.settings["AIRFLOW__BATCHAD__CLOUDS"])["local"]["management"]
    settings = serving.settings | {"BATCHAD_LOCAL_CONTROL": other}
    assert failed(*SHOW, settings=settings)


def test_one_that_has_ended_is_said(tmp_path: Path) -> None:
    ca_file = CertificateAuthority(tmp_path, keep_key=False).ca_file
    with socket.socket() as closed:
        # Bound and not listening: nothing answers there, and nobody else is given the port.
        closed.bind(("127.0.0.1", 0))
        control = f"https://localhost:{closed.getsockname()[1]}"
        settings = {"BATCHAD_LOCAL_CONTROL": control, "BATCHAD_LOCAL_CA_FILE": str(ca_file)}
        said = failed(*SHOW, settings=settings)
    assert f"no local Azure answers at {control}, which BATCHAD_LOCAL_CONTROL names" in said


def test_without_any_address_it_says_how_to_give_one() -> None:
    said = failed("faults", "list")
    assert all(word in said for word in ("--env-file", "--state-dir", "--control", "BATCHAD_LOCAL_CONTROL"))
    assert "give --ca-file" in failed(*SHOW, "--control", "https://localhost:10448")
    broken = failed(*SHOW, "--state-dir", os.devnull)
    assert "cannot be read" in broken


@pytest.mark.parametrize(
    "words",
    [
        ("faults", "add"),
        ("faults", "list"),
        ("faults", "remove"),
        ("faults", "clear"),
        *(("clock", name) for name in ("show", "set", "advance", "freeze", "run", "real")),
        ("ledger",),
    ],
    ids=" ".join,
)
def test_help_of_each_verb_says_which_local_azure_and_how_it_ends(words: tuple[str, ...]) -> None:
    shown = verb(*words, "--help")
    assert shown.returncode == 0
    for text in (
        "BATCHAD_LOCAL_CONTROL",
        "--control URL",
        "--state-dir DIR",
        "--json",
        "Exit status: 0 done",
    ):
        assert text in " ".join(shown.stdout.split()), text


def test_help_of_the_command_names_the_verbs() -> None:
    shown = verb("--help").stdout
    for text in ("--fault WORDS", "--clock TIME", "--freeze-clock", "faults", "clock", "ledger"):
        assert text in shown
    assert COMMAND[0] == sys.executable
