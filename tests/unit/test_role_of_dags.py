"""What ``airflow batchad role`` makes of DAG files, as docs/least-privilege.md has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.role_folders import EXAMPLE, HEAD, SUBMIT, Folder, actions_in

WIDEST = "known only at run time: its widest choice"


@pytest.fixture
def folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Folder:
    return Folder(tmp_path, capsys)


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
