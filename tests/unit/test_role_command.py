"""``airflow batchad role`` on DAGs of many kinds."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchad.access.actions import parse_action, short_name
from airflow_provider_batchad.cli import main

DAGS = Path(__file__).parent / "role_dags"
SUBMIT = {"jobs/read", "jobs/write"}
ACCOUNT = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Batch/batchAccounts/a"


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["role", *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def actions_in(role: dict[str, Any]) -> set[str]:
    return {short_name(parse_action(text)) for text in (*role["Actions"], *role["DataActions"])}


@pytest.fixture
def sound(tmp_path: Path) -> str:
    """A folder without the DAG file that cannot be imported."""
    shutil.copy(DAGS / "several.py", tmp_path / "several.py")
    return str(tmp_path)


WANTED = {
    "batchad_default": SUBMIT,
    "other": SUBMIT | {"jobs/delete"},
    "params.conn": SUBMIT,
    "m1": SUBMIT,
    "m2": SUBMIT | {"jobs/delete"},
    "m3": SUBMIT | {"jobs/delete"},
    "m4": SUBMIT | {"jobs/delete"},
    "m5": SUBMIT | {"jobs/delete", "pools/write"},
    "g1": SUBMIT | {"pools/write"},
    "g2": SUBMIT | {"pools/write"},
    "g3": SUBMIT | {"pools/write"},
    "g4": SUBMIT,
    "c1": {"jobs/read", "jobs/delete"},
}


def test_the_role_of_each_connection_is_what_its_tasks_want(sound: str, tmp_path: Path) -> None:
    folder = tmp_path / "roles"
    assert run("--dags-folder", sound, "--account-resource-id", ACCOUNT, "--output-dir", str(folder)) == 0
    roles = {file.stem: json.loads(file.read_text()) for file in folder.iterdir()}
    assert {conn_id: actions_in(role) for conn_id, role in roles.items()} == WANTED
    assert {*roles["other"]["AssignableScopes"]} == {"/subscriptions/s/resourceGroups/g"}


def test_each_line_says_who_wants_it_and_what_for(sound: str, capsys: pytest.CaptureFixture[str]) -> None:
    run("--dags-folder", sound, "--conn-id", "m5")
    said = " ".join(capsys.readouterr().err.split())
    assert "mapped.over_unknown" in said
    assert "AzureBatchSubmitJobOperator (cleanup) deletes the job after its end" in said
    assert "known only at run time: its widest choice" in said
    assert "'Storage Blob Data Reader' at the container that is known only at run time" in said
    assert "'Azure Batch Job Submitter' would grant besides: pools/read" in said
    assert "It lacks: pools/write." in said


def test_code_that_declares_nothing_is_told_of(sound: str, capsys: pytest.CaptureFixture[str]) -> None:
    run("--dags-folder", sound, "--conn-id", "c1")
    said = capsys.readouterr().err
    assert "code.declares_nothing: the hook made in line" in said
    assert "does_without" not in said


def test_a_dag_that_cannot_be_imported_is_told_of_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--dags-folder", str(DAGS), "--conn-id", "m1") == 2
    said = capsys.readouterr()
    assert "broken.py could not be imported" in said.err
    assert "this one is broken" in said.err
    assert actions_in(json.loads(said.out)) == SUBMIT


def test_a_role_file_that_fits_is_no_drift_and_any_other_is(
    sound: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = ("--dags-folder", sound, "--conn-id", "other")
    run(*chosen)
    role = json.loads(capsys.readouterr().out)
    file = tmp_path / "role.json"
    for data_actions, status in (
        (role["DataActions"], 0),
        (role["DataActions"][:-1], 1),
        ([*role["DataActions"], "Microsoft.Batch/batchAccounts/jobSchedules/read"], 1),
        (["Microsoft.Batch/batchAccounts/jobs/*"], 0),
        (["Microsoft.Batch/*"], 1),
    ):
        file.write_text(json.dumps({**role, "DataActions": data_actions}))
        assert run(*chosen, "--diff", str(file)) == status, data_actions


@pytest.mark.parametrize("form", ["azure-cli", "resource-manager", "bicep", "terraform"])
def test_a_role_is_written_in_each_form(form: str, sound: str, tmp_path: Path) -> None:
    folder = tmp_path / "roles"
    assert run("--dags-folder", sound, "--conn-id", "g2", "--form", form, "--output-dir", str(folder)) == 0
    (file,) = folder.iterdir()
    assert file.stem == "g2"
    assert "Microsoft.Batch/batchAccounts/pools/write" in file.read_text()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--dags-folder", "/nowhere/at/all"), "--dags-folder"),
        (("--dag-id", "absent"), "--dag-id"),
        (("--account-resource-id", "/subscriptions/s"), "--account-resource-id"),
        (("--diff", "/nowhere/role.json"), "--diff"),
        (("--conn-id", "absent"), "absent"),
    ],
)
def test_a_wrong_argument_is_named(
    arguments: tuple[str, str], named: str, sound: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = () if arguments[0] == "--dags-folder" else ("--dags-folder", sound)
    assert run(*folder, *arguments) == 2
    said = capsys.readouterr()
    assert named in said.err
    assert said.out == ""


ALIKE = """
from airflow.sdk import DAG
from airflow_provider_batchad.operators import AzureBatchSubmitJobOperator as Submit

with DAG("alike"):
    for number, conn_id in enumerate(["a/b", "a b", "A-b", "$(x)", "..", "new\\nline{{ x }}'${"]):
        Submit(task_id=f"t{number}", batchad_conn_id=conn_id, pool_id="cpu", command_line="true")
"""


def test_connections_that_are_named_alike_have_a_file_each(tmp_path: Path) -> None:
    (tmp_path / "alike.py").write_text(ALIKE)
    folder = tmp_path / "roles"
    for form in ("azure-cli", "bicep"):
        assert run("--dags-folder", str(tmp_path), "--form", form, "--output-dir", str(folder)) == 0
    names = {json.loads(file.read_text())["Name"] for file in folder.glob("*.json")}
    assert names == {
        *(f"Airflow Batch {one}" for one in ("a/b", "a b", "A-b", "$(x)", "..", "new line{{ x }}'${"))
    }
    assert all(file.parent == folder for file in folder.iterdir())
    assert len({file.name.casefold() for file in folder.glob("*.bicep")}) == len(names)
    for file in folder.glob("*.bicep"):
        (named,) = [line for line in file.read_text().splitlines() if "roleName" in line]
        assert re.fullmatch(r"    roleName: '(?:[^'\\$]|\$(?!\{)|\\.)*'", named), named


def test_a_name_is_for_one_role_and_as_long_as_azure_takes(
    sound: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--dags-folder", sound, "--name", "x") == 2
    assert run("--dags-folder", sound, "--conn-id", "m1", "--name", "x" * 513) == 2
    assert run("--dags-folder", sound, "--conn-id", "m1", "--name", "x\ny") == 2
    occupied = tmp_path / "occupied"
    occupied.write_text("")
    assert run("--dags-folder", sound, "--conn-id", "m1", "--output-dir", str(occupied)) == 2
    said = capsys.readouterr()
    assert said.err.count("--name:") == 3
    assert "--output-dir:" in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    ("form", "command"),
    [
        ("azure-cli", 'az role definition create --role-definition "@role.json"'),
        ("resource-manager", "az rest --method put --uri"),
        ("bicep", 'az deployment group create --resource-group "g" --template-file "role.bicep"'),
        ("terraform", "terraform apply"),
    ],
)
def test_the_command_that_makes_a_role_is_that_of_its_form(
    form: str, command: str, sound: str, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = ("--dags-folder", sound, "--conn-id", "m1", "--account-resource-id", ACCOUNT, "--form", form)
    assert run(*chosen, "--name", "$(it's)") == 0
    said = capsys.readouterr().err
    assert command in said
    assert """--role '$(it'"'"'s)'""" in said


def test_a_check_of_dags_that_cannot_be_read_tells_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    role = tmp_path / "role.json"
    names = ["Microsoft.Batch/batchAccounts/jobs/read", "Microsoft.Batch/batchAccounts/jobs/write"]
    role.write_text(json.dumps({"Name": "r", "Actions": [], "DataActions": names}))
    with pytest.raises(SystemExit) as ended:
        main(["check", "m1", "--dags-folder", str(DAGS), "--role", str(role), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert (ended.value.code, found["verdict"]) == (2, "exact")
    assert any("broken.py could not be imported" in one for one in found["doubts"])


def test_a_role_that_is_not_the_accounts_is_said_with_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--dags-folder", str(DAGS.parent / "plan_dags.py"), "--conn-id", "stored") == 0
    captured = capsys.readouterr()
    said = " ".join(captured.err.split())
    assert "'Storage Blob Data Reader' at https://acc.blob.core.windows.net/results." in said
    assert "AzureBatchSubmitJobOperator (outputs) reads results back: planned.in_container" in said
    assert "/blobServices/default/containers/<container>" in said
    assert "Microsoft.Storage" not in captured.out
