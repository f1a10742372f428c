"""A folder of DAG files, and what ``airflow batchad role`` prints of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchad.access.actions import parse_action, short_name
from airflow_provider_batchad.cli import main

EXAMPLE = Path(__file__).parents[2] / "dags_examples" / "seattle_weather.py"
SUBMIT = {"jobs/read", "jobs/write"}
HEAD = """
from airflow.sdk import DAG, task
from airflow.providers.standard.operators.python import PythonOperator
from airflow_provider_batchad.hooks import AzureBatchAdHook
from airflow_provider_batchad.operators import AzureBatchSubmitJobOperator as Submit

POOL = {"pool_id": "cpu", "command_line": "true"}
"""


def run(*arguments: str) -> Any:
    with pytest.raises(SystemExit) as ended:
        main(["role", *arguments])
    return ended.value.code


class Folder:
    """A folder of DAG files, and what is printed of one."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = path
        self._capsys = capsys

    def role_of(self, text: str, *chosen: str) -> tuple[dict[str, Any], str]:
        """The one role, and what is said of it."""
        (self.path / "dag.py").write_text(text)
        assert run("--dags-folder", str(self.path), *chosen) == 0
        printed = self._capsys.readouterr()
        return json.loads(printed.out), " ".join(printed.err.split())


def actions_in(role: dict[str, Any], *kinds: str) -> set[str]:
    return {short_name(parse_action(text)) for kind in kinds for text in role[kind]}
