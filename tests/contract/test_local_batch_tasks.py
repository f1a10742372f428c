"""Tasks of local Batch: real processes, by Microsoft's client."""

from __future__ import annotations

import datetime as dt

import pytest
from azure.batch import models
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from tests.contract.batch_fixtures import Batch, eventually, failure, info, shell
from tests.contract.test_local_batch_jobs import code_of


def test_exit_code_and_output_are_the_programs_own(batch: Batch) -> None:
    job_id = batch.create_job()
    task = batch.run(job_id, "t", shell("echo out; echo err >&2; exit 3"))
    assert (info(task).exit_code, info(task).result) == (3, "failure")
    assert (failure(task).code, failure(task).category.lower()) == ("FailureExitCode", "usererror")
    assert (batch.read(job_id, "t"), batch.read(job_id, "t", "stderr.txt")) == (b"out\n", b"err\n")
    start, end = info(task).start_time, info(task).end_time
    assert start is not None
    assert end is not None
    assert start < end
    assert task.state_transition_time == end


@pytest.mark.parametrize("exit_code", [0, 1, 2, 42, 126, 127, 255])
def test_exit_codes_are_exact(batch: Batch, exit_code: int) -> None:
    task = batch.run(batch.create_job(), "t", shell(f"exit {exit_code}"))
    assert info(task).exit_code == exit_code
    assert info(task).result == ("success" if exit_code == 0 else "failure")


def test_program_killed_by_a_signal_ends_as_in_a_shell(batch: Batch) -> None:
    assert info(batch.run(batch.create_job(), "t", shell("kill -9 $$"))).exit_code == 137


def test_command_line_runs_without_a_shell(batch: Batch) -> None:
    job_id = batch.create_job()
    batch.run(job_id, "t", "/bin/echo $HOME 'one two' > file; ls")
    assert batch.read(job_id, "t") == b"$HOME one two > file; ls\n"


@pytest.mark.parametrize(
    ("command_line", "code"),
    [
        ("no-such-program --help", "CommandProgramNotFound"),
        ("/etc/hostname", "CommandLaunchFailed"),
        ("/bin/echo 'unbalanced", "CommandLaunchFailed"),
        ("  ", "CommandLaunchFailed"),
    ],
)
def test_program_that_cannot_start_has_no_exit_code(batch: Batch, command_line: str, code: str) -> None:
    task = batch.run(
        batch.create_job(),
        "t",
        command_line,
        constraints=models.BatchTaskConstraints(max_task_retry_count=3),
    )
    assert (failure(task).code, info(task).exit_code, info(task).retry_count) == (code, None, 0)


def test_environment_is_clean_and_the_tasks_own_settings_win(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_SERVER", "must not be seen")
    job_id = batch.create_job(
        common_environment_settings=[
            models.EnvironmentSetting(name="A", value="job"),
            models.EnvironmentSetting(name="B", value="job"),
        ]
    )
    batch.run(
        job_id, "t", "/usr/bin/env", environment_settings=[models.EnvironmentSetting(name="B", value="task")]
    )
    lines = batch.read(job_id, "t").decode().splitlines()
    found = dict(line.split("=", 1) for line in lines)
    assert (found["A"], found["B"]) == ("job", "task")
    assert {name for name in found if not name.startswith("AZ_BATCH_")} == {"A", "B", "PATH", "HOME"}
    assert (found["AZ_BATCH_JOB_ID"], found["AZ_BATCH_TASK_ID"], found["AZ_BATCH_POOL_ID"]) == (
        job_id,
        "t",
        "cpu",
    )
    assert found["AZ_BATCH_ACCOUNT_URL"] == batch.url
    assert found["AZ_BATCH_TASK_WORKING_DIR"] == f"{found['AZ_BATCH_TASK_DIR']}/wd"
    assert found["AZ_BATCH_TASK_DIR"] == f"{found['AZ_BATCH_NODE_ROOT_DIR']}/workitems/{job_id}/job-1/t"


def test_task_runs_in_its_working_directory_on_a_node_of_the_pool(batch: Batch) -> None:
    job_id = batch.create_job()
    task = batch.run(job_id, "t", shell('[ "$PWD" = "$AZ_BATCH_TASK_WORKING_DIR" ]'))
    assert info(task).exit_code == 0
    assert task.node_info is not None
    assert task.node_info.pool_id == "cpu"
    assert task.node_info.task_root_directory == f"workitems/{job_id}/job-1/t"
    assert task.node_info.node_id in [node.id for node in batch.client.list_nodes("cpu")]


def test_failed_task_is_retried_and_then_fails(batch: Batch) -> None:
    job_id = batch.create_job(constraints=models.BatchJobConstraints(max_task_retry_count=2))
    task = batch.run(job_id, "t", shell("echo x >> tries; exit 5"))
    assert (info(task).retry_count, info(task).exit_code) == (2, 5)
    assert info(task).last_retry_time is not None
    assert batch.read(job_id, "t", "wd/tries") == b"x\n" * 3


def test_task_that_succeeds_on_a_retry_is_a_success(batch: Batch) -> None:
    task = batch.run(
        batch.create_job(),
        "t",
        shell("[ -e tried ] || { touch tried; exit 1; }"),
        constraints=models.BatchTaskConstraints(max_task_retry_count=-1),
    )
    assert (info(task).retry_count, info(task).result, info(task).failure_info) == (1, "success", None)


def test_wall_clock_limit_ends_a_task_without_a_retry(batch: Batch) -> None:
    limits = models.BatchTaskConstraints(
        max_wall_clock_time=dt.timedelta(milliseconds=50), max_task_retry_count=3
    )
    task = batch.run(batch.create_job(), "t", "/bin/sleep 100", constraints=limits)
    assert (failure(task).code, info(task).retry_count) == ("TaskEnded", 0)


def test_terminated_task_is_completed_and_can_be_reactivated(batch: Batch) -> None:
    job_id = batch.create_job()
    batch.add(job_id, "t", shell("[ -e again ] || { touch again; sleep 100; }"))
    before = batch.running(job_id, "t")
    eventually(
        lambda: [f for f in batch.client.list_task_files(job_id, "t", recursive=True) if "again" in f.name]
    )
    batch.client.terminate_task(job_id, "t")
    task = batch.client.get_task(job_id, "t")
    assert (task.state, failure(task).code, info(task).result) == ("completed", "TaskEnded", "failure")
    assert task.etag != before.etag
    with pytest.raises(ResourceExistsError) as error:
        batch.client.terminate_task(job_id, "t")
    assert code_of(error) == "TaskCompleted"
    batch.client.reactivate_task(job_id, "t")
    task = batch.finished(job_id, "t")
    assert (info(task).result, info(task).retry_count) == ("success", 0)
    with pytest.raises(ResourceExistsError) as error:
        batch.client.reactivate_task(job_id, "t")
    assert code_of(error) == "TaskSucceeded"


def test_task_that_never_ran_can_be_terminated(batch: Batch) -> None:
    job_id = batch.create_job(pool="empty")
    batch.add(job_id, "t")
    with pytest.raises(ResourceExistsError) as error:
        batch.client.reactivate_task(job_id, "t")
    assert code_of(error) == "TaskNotCompleted"
    batch.client.terminate_task(job_id, "t")
    task = batch.client.get_task(job_id, "t")
    assert (task.state, task.node_info, info(task).start_time) == ("completed", None, None)
    assert (batch.counts(job_id).active, batch.counts(job_id).failed) == (0, 1)


def test_deleted_task_is_gone_with_its_process_and_files(batch: Batch) -> None:
    job_id = batch.create_job()
    batch.add(job_id, "t", "/bin/sleep 100")
    batch.running(job_id, "t")
    batch.client.delete_task(job_id, "t")
    with pytest.raises(ResourceNotFoundError) as error:
        batch.client.get_task(job_id, "t")
    assert code_of(error) == "TaskNotFound"
    assert batch.counts(job_id).running == 0
    batch.run(job_id, "t", "/bin/true")


def test_constraints_of_a_waiting_task_can_be_replaced(batch: Batch) -> None:
    job_id = batch.create_job(pool="empty")
    batch.add(job_id, "t")
    task = batch.client.get_task(job_id, "t")
    task.constraints = models.BatchTaskConstraints(
        max_task_retry_count=4, max_wall_clock_time=dt.timedelta(hours=1)
    )
    batch.client.replace_task(job_id, "t", task)
    after = batch.client.get_task(job_id, "t")
    assert after.constraints is not None
    assert after.constraints.max_task_retry_count == 4
    assert after.constraints.max_wall_clock_time == dt.timedelta(hours=1)
    assert after.constraints.retention_time == dt.timedelta(days=7)
    assert after.etag != task.etag


def test_service_transitions_leave_the_etag_alone(batch: Batch) -> None:
    job_id = batch.create_job()
    batch.add(job_id, "t", shell("exit 1"), constraints=models.BatchTaskConstraints(max_task_retry_count=2))
    etag = batch.client.get_task(job_id, "t").etag
    assert batch.finished(job_id, "t").etag == etag


def test_collection_takes_each_task_by_itself(batch: Batch) -> None:
    job_id = batch.create_job()
    batch.add(job_id, "b")
    group = models.BatchTaskGroup(
        task_values=[
            models.BatchTaskCreateOptions(id=name, command_line="/bin/true") for name in ("c", "B", "a")
        ]
    )
    results = batch.client.create_task_collection(job_id, group).result_values
    assert results is not None
    assert {result.task_id: str(result.status).lower() for result in results} == {
        "a": "success",
        "B": "clienterror",
        "c": "success",
    }
    refused = next(result for result in results if result.task_id == "B")
    assert refused.error is not None
    assert refused.error.code == "TaskExists"


def test_many_tasks_are_added_by_the_clients_own_loop(batch: Batch) -> None:
    job_id = batch.create_job()
    tasks = [models.BatchTaskCreateOptions(id=f"t{n}", command_line="/bin/true") for n in range(250)]
    batch.client.create_tasks(job_id, tasks, max_concurrency=3)
    eventually(lambda: batch.counts(job_id).completed == 250)
    assert batch.counts(job_id).succeeded == 250
    assert len(list(batch.client.list_tasks(job_id))) == 250


def test_collection_beyond_a_mebibyte_is_halved_by_the_client(batch: Batch) -> None:
    job_id = batch.create_job(pool="empty")
    big = [models.EnvironmentSetting(name="BIG", value="x" * 20_000)]
    tasks = [
        models.BatchTaskCreateOptions(id=f"t{n}", command_line="/bin/true", environment_settings=big)
        for n in range(100)
    ]
    batch.client.create_tasks(job_id, tasks)
    assert batch.counts(job_id).active == 100


def test_more_than_a_hundred_tasks_at_once_are_refused(batch: Batch) -> None:
    job_id = batch.create_job()
    tasks = [{"id": f"t{n}", "commandLine": "/bin/true"} for n in range(101)]
    answer = batch.send("POST", f"/jobs/{job_id}/addtaskcollection", {"value": tasks})
    assert answer.status_code == 400
    assert batch.counts(job_id).active == 0


def test_dependent_task_waits_for_ids_and_ranges(batch: Batch) -> None:
    job_id = batch.create_job(uses_task_dependencies=True)
    batch.add(
        job_id,
        "last",
        depends_on=models.BatchTaskDependencies(
            task_ids=["first"], task_id_ranges=[models.BatchTaskIdRange(start=1, end=2)]
        ),
    )
    for task_id in ("1", "02"):
        batch.run(job_id, task_id, "/bin/true")
    assert batch.client.get_task(job_id, "last").state == "active"
    batch.run(job_id, "first", "/bin/true")
    batch.finished(job_id, "last")


def test_failed_task_blocks_its_dependants_unless_it_says_otherwise(batch: Batch) -> None:
    job_id = batch.create_job(uses_task_dependencies=True)
    on_three = models.ExitConditions(
        exit_codes=[
            models.ExitCodeMapping(code=3, exit_options=models.ExitOptions(dependency_action="satisfy"))
        ]
    )
    batch.add(job_id, "after-bad", depends_on=models.BatchTaskDependencies(task_ids=["bad"]))
    batch.add(job_id, "after-fine", depends_on=models.BatchTaskDependencies(task_ids=["fine"]))
    batch.run(job_id, "bad", shell("exit 4"), exit_conditions=on_three)
    batch.run(job_id, "fine", shell("exit 3"), exit_conditions=on_three)
    batch.finished(job_id, "after-fine")
    assert batch.client.get_task(job_id, "after-bad").state == "active"


def test_dependencies_need_a_job_that_uses_them(batch: Batch) -> None:
    with pytest.raises(HttpResponseError) as error:
        batch.add(batch.create_job(), "t", depends_on=models.BatchTaskDependencies(task_ids=["x"]))
    assert (error.value.status_code, code_of(error)) == (400, "TaskDependenciesNotSpecifiedOnJob")


@pytest.mark.parametrize(
    ("action", "state", "reason"),
    [("terminate", "completed", "TaskFailed"), ("disable", "disabled", None), ("none", "active", None)],
)
def test_exit_condition_acts_on_the_job(batch: Batch, action: str, state: str, reason: str | None) -> None:
    job_id = batch.create_job(task_failure_mode="performexitoptionsjobaction")
    batch.run(
        job_id,
        "t",
        shell("exit 9"),
        exit_conditions=models.ExitConditions(default=models.ExitOptions(job_action=action)),
    )
    job = batch.job_in(job_id, state)
    assert job.execution_info is not None
    assert job.execution_info.termination_reason == reason


def test_job_action_needs_a_job_that_performs_it(batch: Batch) -> None:
    conditions = models.ExitConditions(default=models.ExitOptions(job_action="terminate"))
    with pytest.raises(HttpResponseError) as error:
        batch.add(batch.create_job(), "t", exit_conditions=conditions)
    assert (error.value.status_code, code_of(error)) == (400, "InvalidPropertyValue")


def test_container_task_cannot_be_scheduled_on_a_pool_without_containers(batch: Batch) -> None:
    task = batch.run(
        batch.create_job(),
        "t",
        "/bin/true",
        container_settings=models.BatchTaskContainerSettings(image_name="ubuntu"),
    )
    assert failure(task).code == "ContainerPoolNotSupported"


def test_what_is_not_acted_out_is_refused(batch: Batch) -> None:
    network = models.BatchJobNetworkConfiguration(subnet_id="/subscriptions/s/subnet")
    with pytest.raises(HttpResponseError) as error:
        batch.create_job(network_configuration=network)
    assert (error.value.status_code, code_of(error)) == (400, "UnsupportedProperty")


def test_task_that_is_not_multi_instance_has_no_subtasks(batch: Batch) -> None:
    job_id = batch.create_job(pool="empty")
    batch.add(job_id, "t")
    assert list(batch.client.list_subtasks(job_id, "t")) == []
    with pytest.raises(HttpResponseError) as error:
        list(batch.client.list_subtasks(job_id, "none"))
    assert (error.value.status_code, code_of(error)) == (404, "TaskNotFound")
