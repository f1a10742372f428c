"""Where the verbs read DAGs and roles from, and what becomes of what they cannot read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_batchad.cli import main
from tests.unit.role_folders import EXAMPLE, HEAD, SUBMIT, Folder, actions_in, run


@pytest.fixture
def folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Folder:
    return Folder(tmp_path, capsys)


@pytest.fixture
def bundles(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """Airflow has two DAG bundles; a DAG of one imports its neighbour, and another cannot be imported."""
    for name, cleanup in (("one", "keep"), ("two", "delete")):
        (folder.path / name).mkdir()
        (folder.path / name / f"{name}_neighbour.py").write_text(f'CLEANUP = "{cleanup}"\n')
        (folder.path / name / "dag.py").write_text(
            f'{HEAD}from {name}_neighbour import CLEANUP\nwith DAG("{name}"):\n'
            f'    Submit(task_id="t", batchad_conn_id="{name}", cleanup=CLEANUP, **POOL)\n'
        )
    listed = [
        {
            "name": name,
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {"path": str(folder.path / name)},
        }
        for name in ("one", "two")
    ]
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps(listed))
    return folder


@pytest.mark.parametrize(("chosen", "conn_ids"), [((), {"one", "two"}), (("-B", "two"), {"two"})])
def test_airflows_bundles_are_read_all_or_those_that_are_named(
    chosen: tuple[str, ...], conn_ids: set[str], bundles: Folder
) -> None:
    roles = bundles.path / "roles"
    assert run("--output-dir", str(roles), *chosen) == 0
    found = {file.stem: actions_in(json.loads(file.read_text()), "DataActions") for file in roles.iterdir()}
    assert found == {one: SUBMIT | ({"jobs/delete"} if one == "two" else set()) for one in conn_ids}


def test_a_bundle_that_cannot_be_read_is_named(bundles: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--bundle-name", "three") == 2
    assert "--bundle-name: Airflow has no DAG bundle three; there are: one, two" in capsys.readouterr().err
    assert run("--bundle-name", "one", "--dags-folder", str(bundles.path)) == 2
    assert run("--dags-folder", "") == 2
    assert "--dags-folder: it is empty" in capsys.readouterr().err
    (bundles.path / "two" / "broken.py").write_text("raise RuntimeError('no')  # airflow DAG\n")
    assert run("--conn-id", "one") == 2
    said = capsys.readouterr().err
    assert f"{bundles.path / 'two' / 'broken.py'} could not be imported" in said


@pytest.mark.parametrize(
    "listed", ["no JSON", '[{"name": "x", "classpath": "no.such.Bundle", "kwargs": {}}]', '[{"name": "x"}]']
)
def test_a_wrong_list_of_bundles_is_named(
    listed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", listed)
    assert run() == 2
    assert "batchad role: [dag_processor] dag_bundle_config_list: " in capsys.readouterr().err


ODD = """
import os

class Odd:
    def __getattr__(self, name):
        raise RuntimeError("not today")

with DAG("d"):
    print("a DAG file's own words")
    os.write(1, b"and past Python's stream")
    Submit(task_id="good", batchad_conn_id="\\x1b[31mred", **POOL)
    Submit(task_id="odd", pool_id="cpu", command_line="true", job=Odd())
"""


def test_what_is_printed_is_the_answer_alone_whatever_a_dag_and_airflow_write(folder: Folder) -> None:
    (folder.path / "dag.py").write_text(HEAD + ODD)
    (folder.path / "exits.py").write_text("import sys  # airflow DAG\nsys.exit(3)\n")
    verb = [sys.executable, "-c", "from airflow_provider_batchad.cli import main; main()", "role"]
    ended = subprocess.run(
        [*verb, "--dags-folder", str(folder.path)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2, ended.stderr
    assert actions_in(json.loads(ended.stdout), "DataActions") == SUBMIT
    assert "exits.py could not be imported, and is left out: SystemExit: 3" in ended.stderr
    assert "d.odd cannot be read, and is left out: RuntimeError: not today" in ended.stderr
    assert "a DAG file's own words" in ended.stderr
    assert "\x1b[31m" not in ended.stderr


def test_a_plan_goes_on_after_an_argument_that_cannot_be_read(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder.path / "dag.py").write_text(HEAD + ODD)
    with pytest.raises(SystemExit) as ended:
        main(["plan", "--dags-folder", str(folder.path), "--json"])
    assert ended.value.code == 1
    found = json.loads(capsys.readouterr().out)
    assert [one.get("error") for one in found] == [None, "RuntimeError: not today"]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "it is no JSON"),
        (b"\xff\xfe{\x00", "it is no JSON"),
        (b"[" * 100_000, "it is no JSON"),
        (b"[]", "expected a JSON object"),
        (b'{"Name": "x", "Actions": "*"}', "actions: expected a list of texts"),
        (None, "No such file"),
    ],
)
@pytest.mark.parametrize("verb", ["role", "check"])
def test_a_role_file_that_is_none_is_named(
    verb: str, content: bytes | None, named: str, folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder.path / "role.json"
    if content is not None:
        file.write_bytes(content)
    argument = "--diff" if verb == "role" else "--role"
    with pytest.raises(SystemExit) as ended:
        main([verb, "--dags-folder", str(EXAMPLE), argument, str(file)])
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (2, "")
    assert f"{argument}: {file}: " in said.err
    assert named in said.err


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_role_file_may_be_of_a_shell_of_windows(encoding: str, folder: Folder) -> None:
    role, _ = folder.role_of(EXAMPLE.read_text())
    file = folder.path / "role.json"
    file.write_bytes(json.dumps(role).encode(encoding))
    assert run("--dags-folder", str(EXAMPLE), "--diff", str(file)) == 0


def test_a_task_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["plan", "--dags-folder", str(EXAMPLE), "--task-id", "absent"])
    assert ended.value.code == 2
    assert "--task-id: there is no task absent" in capsys.readouterr().err
