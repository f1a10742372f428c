from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CONFTEST = """
import pytest
from airflow_provider_batchad.local import LocalAzureConfig

pytest_plugins = ["airflow_provider_batchad.local.pytest_plugin"]


@pytest.fixture
def local_azure_config():
    return LocalAzureConfig(port=0, account="mine")
"""
TEST = """
def test_account(local_azure):
    assert local_azure.config.account == "mine"
    assert local_azure.endpoints.batch.startswith("https://localhost:")
"""


def test_user_gets_the_fixture_by_naming_the_plugin_and_overrides_its_configuration(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_mine.py").write_text(TEST)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout.count("1 passed")) == (0, 1), ended.stdout
