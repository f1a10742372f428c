"""What `docs/develop-offline.md` says is so."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from airflow_provider_batchad.local import config
from airflow_provider_batchad.local.cli.arguments import add_arguments
from airflow_provider_batchad.local.cli.command import read_config
from airflow_provider_batchad.local.client_settings import client_environment
from airflow_provider_batchad.local.config import DEFAULT_PORT, SERVICES
from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.blob_storage import config_with

PAGE = (Path(__file__).parents[2] / "docs" / "develop-offline.md").read_text()


def table_of(heading: str) -> set[str]:
    """What stands in backticks in the first column of the table with this heading."""
    [rows] = re.findall(rf"^\| {heading} \|.*\n\|[ -|]+\|\n((?:\|.*\n)+)", PAGE, flags=re.MULTILINE)
    return {name for row in rows.splitlines() for name in re.findall(r"`([^`]+)`", row.split("|")[1])}


def with_container() -> config.LocalAzureConfig:
    """What the command line makes of ``--container results``."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return read_config(parser.parse_args(["--port", "0", "--container", "results"]))


def test_every_option_of_the_command_is_described() -> None:
    parser = argparse.ArgumentParser(add_help=False)
    add_arguments(parser)
    assert table_of("option") == {flag for action in parser._actions for flag in action.option_strings}


def test_every_variable_that_is_printed_is_described() -> None:
    with LocalAzure(config_with(containers=("results",))) as azure:
        assert table_of("variable") == set(client_environment(azure))


def test_ports_of_the_page_are_those_of_the_services() -> None:
    ports = {service: DEFAULT_PORT + number for number, service in enumerate(SERVICES)}
    assert f"--suffix-keyvault-dns :{ports['keyvault']}" in PAGE
    assert f"--account-endpoint https://localhost:{ports['batch']}" in PAGE


def test_the_pages_tests_pass(tmp_path: Path) -> None:
    sources = re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE, flags=re.DOTALL)
    assert [name for name, _ in sources] == ["conftest.py", "test_my_job.py"]
    for name, source in sources:
        (tmp_path / name).write_text(source)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout.count("3 passed")) == (0, 1), ended.stdout


def test_the_pages_configuration_is_that_of_a_container() -> None:
    [source] = re.findall(r"```python\n(LocalAzureConfig\(.*?)```", PAGE, flags=re.DOTALL)
    built = eval(source, vars(config))  # noqa: S307 - a page of ours
    assert built == replace(with_container(), secrets_file=None)
    with LocalAzure(built) as azure:
        environment = client_environment(azure)
    assert environment["BATCHAD_LOCAL_POOL_IDENTITY"] == built.identity_scope(config.POOL_IDENTITY)
    assert environment["BATCHAD_LOCAL_CONTAINER"].endswith("/results")
