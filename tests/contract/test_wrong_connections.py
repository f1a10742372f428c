"""A wrong connection is refused by its field before anything is sent, looked up or started."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from airflow_provider_batchad.errors import ConnectionFieldError
from airflow_provider_batchad.hooks import AzureBatchAdAsyncHook, AzureBatchAdHook
from airflow_provider_batchad.local.client_settings import client_environment
from airflow_provider_batchad.local.pytest_plugin import local_azure_environment
from airflow_provider_batchad.local.server import LocalAzure
from tests.unit.hostile_connections import HOSTILE
from tests.unit.test_connection import CLIENT, HOST, IN_VAULT, custom_clouds
from tests.unit.test_connection_refused import WRONG

__all__ = ["local_azure_environment"]

# docs.python.org/3/library/audit_events.html
_LEAVING = frozenset(
    {
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyaddr",
        "socket.gethostbyname",
        "socket.getnameinfo",
        "socket.sendmsg",
        "socket.sendto",
        "subprocess.Popen",
        "os.posix_spawn",
        "os.system",
        "webbrowser.open",
    }
)
# Airflow cannot make a connection of these, so that no hook ever sees one.
_AIRFLOW_REFUSES = frozenset({"JSON too deep to read", "JSON with an endless number"})
_CASES = {name: case for name, case in (WRONG | HOSTILE).items() if name not in _AIRFLOW_REFUSES}


class _Watch:
    """What left this process; Python tells an audit hook before it happens, whoever calls."""

    def __init__(self) -> None:
        self._seen: list[str] | None = None
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._seen is not None and event in _LEAVING:
            self._seen.append(event)

    @contextmanager
    def listening(self) -> Iterator[list[str]]:
        self._seen = seen = []
        try:
            yield seen
        finally:
            self._seen = None


@pytest.fixture(scope="session")
def watch() -> _Watch:
    return _Watch()


@pytest.fixture(scope="module")
def azure() -> Iterator[LocalAzure]:
    with LocalAzure() as azure:
        yield azure


@pytest.fixture(autouse=True)
def on_its_machine(azure: LocalAzure, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with managed identities that answer, so that whoever asked for a token would get one."""
    environment = client_environment(azure)
    keys = {"ca_file": str(azure.ca_file)}
    clouds = {name: _keys(cloud) | keys for name, cloud in custom_clouds().items()}
    environment["AIRFLOW__BATCHAD__CLOUDS"] = json.dumps(clouds)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def _keys(cloud: Any) -> dict[str, str]:
    names = ("authority", "batch_resource", "batch_suffix", "vault_resource", "vault_suffix")
    return {name: getattr(cloud, name) for name in (*names, "management", "management_resource")}


def _store(monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]) -> None:
    given = {
        "conn_type": "azure_batch_ad",
        "host": HOST,
        "login": CLIENT,
        "password": None,
        "extra": IN_VAULT,
        **changes,
    }
    extra = given["extra"] if isinstance(given["extra"], str) else json.dumps(given["extra"])
    monkeypatch.setenv("AIRFLOW_CONN_BATCHAD_DEFAULT", json.dumps({**given, "extra": extra}))


async def _open_async() -> None:
    async with AzureBatchAdAsyncHook() as hook:
        await hook.get_conn()


@pytest.mark.parametrize(
    ("changes", "field"),
    [(changes, field) for changes, field, _ in _CASES.values()],
    ids=_CASES.keys(),
)
def test_a_wrong_connection_is_refused_before_anything_leaves(
    changes: dict[str, Any],
    field: str,
    azure: LocalAzure,
    watch: _Watch,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _store(monkeypatch, changes)
    with watch.listening() as left:
        passed, message = AzureBatchAdHook().test_connection()
        with pytest.raises(ConnectionFieldError) as sync, AzureBatchAdHook() as hook:
            hook.get_conn()
        with pytest.raises(ConnectionFieldError) as asynchronous:
            asyncio.run(_open_async())
    assert left == []
    assert azure.ledger.counts() == {}
    assert not passed
    assert f"field {field!r}" in message
    assert message.startswith("Settings: ")
    assert (sync.value.field, asynchronous.value.field) == (field, field)


def test_the_watch_sees_a_right_connection_at_work(
    local_azure_environment: LocalAzure, watch: _Watch
) -> None:
    with watch.listening() as left:
        passed, message = AzureBatchAdHook().test_connection()
    assert passed, message
    assert {"socket.getaddrinfo", "socket.connect"} <= set(left)
    assert local_azure_environment.ledger.counts()["entra"]


def test_no_case_hides_another() -> None:
    assert not set(WRONG) & set(HOSTILE)
    assert len(_CASES) >= 200
