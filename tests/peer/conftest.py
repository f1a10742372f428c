"""Both operators on one local Azure, and the table at the end of what each was shown to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.keyvault.secrets._shared import http_challenge_cache
from rich.console import Console
from rich.table import Table

from airflow_provider_batchad.local.client_settings import client_environment
from airflow_provider_batchad.local.config import LocalAzureConfig, PoolConfig
from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.batch_fixtures import Batch
from tests.peer.peer_runs import Both, Peer
from tests.peer.rows import ROWS

_outcomes: dict[str, str] = {}


@pytest.fixture
def config() -> LocalAzureConfig:
    """What the test's local Azure holds."""
    return LocalAzureConfig(port=0, pools=(PoolConfig(id="cpu"), PoolConfig(id="busy", nodes=1, slots=2)))


@pytest.fixture
def both(config: LocalAzureConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Both]:
    # azure-keyvault-secrets remembers challenges by host and port, and ports are used again.
    http_challenge_cache.clear()
    with LocalAzure(config) as azure:
        for name, value in client_environment(azure).items():
            monkeypatch.setenv(name, value)
        batch, peer = Batch(azure), Peer(azure, tmp_path)
        yield Both(azure=azure, batch=batch, peer=peer, folder=tmp_path)
        peer.end()
        azure.faults.clear()
        batch.close()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    name = report.nodeid.rpartition("::")[2].partition("[")[0]
    if report.when == "call" or report.failed:
        said = {"passed": "", "failed": "NOT SHOWN: ", "skipped": "not run: "}[report.outcome]
        _outcomes[name] = said or _outcomes.get(name, "")


def pytest_terminal_summary() -> None:
    """Print the rows that ran."""
    ran = [row for row in ROWS if row.peer_test in _outcomes or row.our_test in _outcomes]
    if not ran:
        return
    table = Table("row", "what", "Airflow's own operator", "this provider", show_lines=True)
    for row in ran:
        cells = (
            _outcomes.get(test, "not run: " if test else "no test: ") + text
            for test, text in ((row.peer_test, row.peer), (row.our_test, row.ours))
        )
        table.add_row(row.number, row.what, *cells)
    Console(width=140).print("\n", table)
