"""What ``airflow batchad role`` makes of DAG files, as docs/least-privilege.md has it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchad.access.actions import parse_action, short_name
from airflow_provider_batchad.cli import main

EXAMPLE = Path(__file__).parents[2] / "dags_examples" / "seattle_weather.py"
SUBMIT = {"jobs/read", "jobs/write"}
WIDEST = "known only at run time: its widest choice"
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


@pytest.fixture
def folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Folder:
    return Folder(tmp_path, capsys)


def actions_in(role: dict[str, Any], *kinds: str) -> set[str]:
    return {short_name(parse_action(text)) for kind in kinds for text in role[kind]}


@pytest.mark.parametrize(
    ("cleanup", "data_actions"),
    [(None, SUBMIT), ("keep", SUBMIT), ("delete_on_success", SUBMIT | {"jobs/delete"})],
)
def test_the_example_needs_two_data_actions_and_a_third_to_delete(
    cleanup: str | None, data_actions: set[str], folder: Folder
) -> None:
    text, given = EXAMPLE.read_text(), 'outputs="summary.json",'
    assert given in text
    changed = text.replace(given, f'{given} cleanup="{cleanup}",') if cleanup else text
    role, said = folder.role_of(changed)
    assert actions_in(role, "DataActions") == data_actions
    assert len(role["DataActions"]) == len(data_actions)
    assert (role["Actions"], role["NotActions"], role["NotDataActions"]) == ([], [], [])
    assert "seattle_weather.summarise" in said
    assert WIDEST not in said


@pytest.mark.parametrize(
    ("job", "pools"),
    [
        ('"{{ params.job }}"', True),
        ('{"pool_info": "{{ params.pool }}"}', True),
        ('{"pool_info": {"auto_pool_specification": "{{ params.pool }}"}}', True),
        ('{"display_name": "{{ ds }}"}', False),
        ('{"pool_info": {"pool_id": "{{ params.pool }}"}}', False),
    ],
)
def test_a_templated_argument_counts_as_its_widest_choice_and_is_marked(
    job: str, pools: bool, folder: Folder
) -> None:
    dag = f'with DAG("d"):\n    Submit(task_id="t", command_line="true", pool_id=None, job={job})\n'
    role, said = folder.role_of(HEAD + dag)
    assert actions_in(role, "DataActions") == SUBMIT
    assert actions_in(role, "Actions") == ({"pools/write"} if pools else set())
    assert (WIDEST in said) is pools


def test_a_mapped_operator_counts_as_every_value_that_is_written_down(folder: Folder) -> None:
    dag = """
with DAG("d"):
    Submit.partial(task_id="t", **POOL).expand(cleanup=["keep", "delete"])
"""
    role, said = folder.role_of(HEAD + dag)
    assert actions_in(role, "DataActions", "Actions") == SUBMIT | {"jobs/delete"}
    assert WIDEST not in said


@pytest.mark.parametrize("expanded", ["expand(cleanup=choose())", "expand_kwargs(choose())"])
def test_what_another_task_returns_counts_as_the_widest_choice(expanded: str, folder: Folder) -> None:
    dag = f"""
with DAG("d"):
    @task
    def choose():
        return []

    Submit.partial(task_id="t", **POOL).{expanded}
"""
    role, said = folder.role_of(HEAD + dag)
    assert "jobs/delete" in actions_in(role, "DataActions")
    assert (actions_in(role, "Actions") == {"pools/write"}) is ("kwargs" in expanded)
    assert WIDEST in said


def test_a_templated_connection_has_a_role_of_its_own_under_its_text(folder: Folder) -> None:
    conn_id = "{{ params.conn }}"
    dag = f"""
with DAG("d"):
    Submit(task_id="t", batchad_conn_id="{conn_id}", cleanup="delete", **POOL)
    Submit(task_id="other", **POOL)
"""
    role, said = folder.role_of(HEAD + dag, "--conn-id", conn_id)
    assert actions_in(role, "DataActions") == SUBMIT | {"jobs/delete"}
    assert role["Name"] == f"Airflow Batch {conn_id}"
    assert f"Connection '{conn_id}'" in said
    assert "d.other" not in said


def test_code_that_makes_a_hook_needs_what_it_declares(folder: Folder) -> None:
    dag = """
ACTIONS = ["jobs/read", "jobs/delete"]

def look():
    AzureBatchAdHook("mine", actions=("pools/read",))

with DAG("d"):
    @task
    def clean():
        with AzureBatchAdHook("mine", actions=ACTIONS) as hook:
            hook.get_conn()

    clean()
    PythonOperator(task_id="look", python_callable=look)
"""
    role, said = folder.role_of(HEAD + dag)
    assert actions_in(role, "DataActions") == {"jobs/read", "jobs/delete"}
    assert actions_in(role, "Actions") == {"pools/read"}
    assert role["Name"] == "Airflow Batch mine"
    assert "d.clean" in said


def test_callbacks_are_read_as_the_code_of_tasks_is(folder: Folder) -> None:
    dag = """
def failed(context):
    AzureBatchAdHook(actions=["jobs/delete"])

def retried(context):
    AzureBatchAdHook(actions=["jobs/write"])

class Notify:
    def __call__(self, context):
        AzureBatchAdHook(actions=["jobs/read"])

def dag_failed(context):
    AzureBatchAdHook(actions=["pools/read"])

def before(context):
    AzureBatchAdHook(actions=["jobSchedules/read"])

def after(context, result):
    AzureBatchAdHook("elsewhere")

with DAG("d", on_failure_callback=dag_failed, default_args={"on_failure_callback": [failed]}):
    @task(on_retry_callback=retried, on_success_callback=[Notify()], pre_execute=before)
    def plain():
        pass

    plain()

    @task(on_skipped_callback=retried, post_execute=after)
    def mapped(number):
        pass

    mapped.expand(number=[1, 2])
"""
    role, said = folder.role_of(HEAD + dag)
    assert actions_in(role, "DataActions") == SUBMIT | {"jobs/delete", "jobSchedules/read"}
    assert actions_in(role, "Actions") == {"pools/read"}
    assert "of its on_retry_callback" in said
    assert "d.on_failure_callback" in said
    assert "d.mapped: the hook made in line" in said
    assert "of its post_execute declares no actions" in said


def test_an_operators_own_callback_counts_beside_what_the_operator_needs(folder: Folder) -> None:
    dag = """
def failed(context):
    AzureBatchAdHook(actions=["jobs/delete"])

with DAG("d"):
    Submit(task_id="t", on_failure_callback=failed, **POOL)
"""
    role, _ = folder.role_of(HEAD + dag)
    assert actions_in(role, "DataActions") == SUBMIT | {"jobs/delete"}


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
    (bundles.path / "two" / "broken.py").write_text("raise RuntimeError('no')  # airflow DAG\n")
    assert run("--conn-id", "one") == 2
    said = capsys.readouterr().err
    assert f"{bundles.path / 'two' / 'broken.py'} could not be imported" in said


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
