"""Local Azure used wrongly: what cannot be is said in a sentence, and nothing is left half done."""

from __future__ import annotations

import asyncio
import datetime as dt
import fcntl
import http.client
import os
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
import trustme
from cryptography import x509

from airflow_provider_batchad.cli import main
from airflow_provider_batchad.local.certificates import CertificateAuthority
from airflow_provider_batchad.local.config import LocalAzureConfig, PoolConfig
from airflow_provider_batchad.local.faults import FaultRule
from airflow_provider_batchad.local.server import LocalAzure
from airflow_provider_batchad.local.work_directory import remove_abandoned
from tests.contract.batch_fixtures import eventually


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["local", *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_a_fault_of_every_service_leaves_the_control_port_alone(
    local_azure: LocalAzure, session: requests.Session
) -> None:
    local_azure.faults.add(FaultRule(status=503))
    local_azure.faults.add(FaultRule(broken="reset"))
    control = local_azure.endpoints.control
    assert session.get(f"{local_azure.endpoints.batch}/jobs?api-version=2025-06-01").status_code == 503
    assert session.get(f"{control}/ledger/counts").ok
    assert session.delete(f"{control}/faults").status_code == 204
    assert local_azure.faults.rules() == ()


def test_even_a_fault_of_the_control_port_can_be_taken_away(
    local_azure: LocalAzure, session: requests.Session
) -> None:
    rule = local_azure.faults.add(FaultRule(service="control", hold=True))
    control = local_azure.endpoints.control
    with pytest.raises(requests.Timeout):
        session.get(f"{control}/health", timeout=0.3)
    shown = session.get(f"{control}/faults", timeout=10).json()["faults"]
    assert [one["id"] for one in shown] == [rule.id]
    assert session.delete(f"{control}/faults/{rule.id}", timeout=10).status_code == 204
    assert session.get(f"{control}/health", timeout=10).ok


def test_a_request_whose_client_gave_up_keeps_the_id_of_its_fault(
    local_azure: LocalAzure,
) -> None:
    rule = local_azure.faults.add(FaultRule(service="batch", hold=True, times=1))
    url = urlsplit(local_azure.endpoints.batch)
    context = ssl.create_default_context(cafile=os.fspath(local_azure.ca_file))
    client = http.client.HTTPSConnection("localhost", url.port, context=context, timeout=30)
    client.request("GET", "/jobs?api-version=2025-06-01")
    eventually(lambda: local_azure.faults.held(rule.id) == 1)
    client.close()
    local_azure.faults.remove(rule.id)
    entry = eventually(lambda: local_azure.ledger.entries(service="batch"))[0]
    assert entry.fault == rule.id


@pytest.mark.parametrize(
    "content", ["[]", '{"control": 5}', '{"control": "https://localhost:1"}', "nonsense"]
)
@pytest.mark.parametrize("verb", [("faults", "list"), ("clock", "show"), ("ledger",)])
def test_an_address_that_is_none_is_said_in_a_sentence(
    content: str, verb: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "control.json").write_text(content)
    assert run(*verb, "--state-dir", str(tmp_path)) == 1
    assert "control.json" in capsys.readouterr().err


@pytest.mark.parametrize("status", [200, 503])
def test_a_control_port_whose_answers_are_broken_is_said_in_a_sentence(
    status: int,
    local_azure: LocalAzure,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("BATCHAD_LOCAL_CONTROL", local_azure.endpoints.control)
    monkeypatch.setenv("BATCHAD_LOCAL_CA_FILE", os.fspath(local_azure.ca_file))
    local_azure.faults.add(FaultRule(service="control", status=status, body='{"error": "out of order"}'))
    assert run("clock", "show") == 1
    assert run("faults", "add", "--service", "batch", "--status", "500") == 1
    assert "Traceback" not in capsys.readouterr().err
    assert run("faults", "clear") == 0


@pytest.mark.parametrize("pool", ["a:9999999:1", "a:1:9999", "a:10001"])
def test_a_pool_beyond_all_measure_is_refused(pool: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--pool", pool) == 2
    assert "must be" in capsys.readouterr().err


@pytest.mark.parametrize(("nodes", "slots"), [(-1, 1), (10_001, 1), (1, 0), (1, 257)])
def test_a_configured_pool_is_within_its_bounds(nodes: int, slots: int) -> None:
    with pytest.raises(ValueError, match=r"pool 'a': (nodes|slots) must be"):
        PoolConfig(id="a", nodes=nodes, slots=slots)


def test_a_container_runtime_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--container-runtime", "no-such-program") == 1
    assert "--container-runtime no-such-program" in capsys.readouterr().err


def test_an_env_file_that_cannot_be_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--port", "0", "--env-file", str(tmp_path)) == 1
    assert f"--env-file {tmp_path}" in capsys.readouterr().err
    absent = tmp_path / "absent" / "env"
    assert run("--port", "0", "--env-file", str(absent)) == 1
    assert f"--env-file {absent}" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, b"", b"nonsense", b"-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_an_authority_without_its_key_is_refused(
    content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    CertificateAuthority(tmp_path, keep_key=True)
    key_file = tmp_path / "ca-key.pem"
    key_file.unlink()
    if content is not None:
        key_file.write_bytes(content)
    assert run("--port", "0", "--state-dir", str(tmp_path)) == 1
    assert "ca-key.pem does not hold the key of" in capsys.readouterr().err


def test_the_authority_can_vouch_for_loopback_alone(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path, keep_key=True)
    certificate = x509.load_pem_x509_certificate(authority.ca_file.read_bytes())
    assert certificate.extensions.get_extension_for_class(x509.NameConstraints).critical
    assert certificate.not_valid_after_utc > dt.datetime.now(dt.UTC) + dt.timedelta(days=365)
    stolen = trustme.CA.from_pem(authority.ca_file.read_bytes(), (tmp_path / "ca-key.pem").read_bytes())
    assert handshake(authority.ca_file, stolen, "localhost") is None
    assert handshake(authority.ca_file, stolen, "127.0.0.1") is None
    refused = handshake(authority.ca_file, stolen, "login.microsoftonline.com")
    assert refused is not None
    assert "permitted subtree" in refused


def handshake(ca_file: Path, authority: trustme.CA, name: str) -> str | None:
    """Why a client that trusts the authority refuses a site of that name."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(server)
    client = ssl.create_default_context(cafile=os.fspath(ca_file))
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(5):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError as error:
                return str(error)
    return None


def test_a_state_that_cannot_be_written_at_the_end_is_an_error(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    azure = LocalAzure(LocalAzureConfig(port=0, state_dir=directory))

    async def serve() -> None:
        stop = asyncio.Event()

        def ready() -> None:
            directory.rename(tmp_path / "moved")
            azure.vault.set_secret("new", "value")
            stop.set()

        await azure.serve(stop, on_ready=ready)

    with pytest.raises(OSError, match=r"the state could not be written to .*state\.jsonl"):
        asyncio.run(serve())


def test_directories_of_processes_that_were_killed_are_removed(tmp_path: Path) -> None:
    abandoned, alive, unfinished, foreign = (
        tmp_path / name for name in ("batchad-local-1", "batchad-local-2", "batchad-local-3", "other")
    )
    for directory in (abandoned, alive, unfinished, foreign):
        directory.mkdir()
        if directory is not unfinished:
            (directory / "owner").touch()
    with (alive / "owner").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        remove_abandoned(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["batchad-local-2", "batchad-local-3", "other"]
