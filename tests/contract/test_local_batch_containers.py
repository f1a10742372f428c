"""Container tasks of local Batch, with a stand-in for docker that notes its arguments and runs a command."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from azure.batch import models

from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.batch_fixtures import CONFIG, Batch, eventually, failure, info, shell
from tests.contract.pool_fixtures import MACHINE, create_pool, nodes_in
from tests.contract.test_local_batch_multi_instance import instances, is_running

# The container lives in a session of its own, as an engine's does: it outlives the client.
STAND_IN = """#!{python}
import json, os, pathlib, signal, subprocess, sys

here = pathlib.Path(__file__).parent
verb, *arguments = sys.argv[1:]
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
if verb == "rm":
    pid = here / arguments[-1]
    if pid.exists():
        os.kill(int(pid.read_text()), signal.SIGKILL)
    sys.exit(0)
environment, directory, name = {{"PATH": "/usr/bin:/bin"}}, "/", ""
while arguments[0].startswith("-"):
    option = arguments.pop(0)
    if option in ("--rm", "--init"):
        continue
    value = arguments.pop(0)
    if option == "--env":
        environment[value] = os.environ[value]
    elif option == "--workdir":
        directory = value
    elif option == "--name":
        name = value
image, *command = arguments
running = subprocess.Popen(command, env=environment, cwd=directory, start_new_session=True)
(here / name).write_text(str(running.pid))
sys.exit(running.wait())
"""


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("runtime") / "docker"
    program.write_text(STAND_IN.format(python=sys.executable))
    program.chmod(0o755)
    return program


@pytest.fixture(scope="module")
def batch(runtime: Path) -> Iterator[Batch]:
    """An account whose nodes have a container runtime."""
    with LocalAzure(replace(CONFIG, container_runtime=os.fspath(runtime))) as azure:
        account = Batch(azure)
        yield account
        account.close()


def container_pool(batch: Batch, **options: Any) -> str:
    machine = models.VirtualMachineConfiguration(
        image_reference=MACHINE.image_reference,
        node_agent_sku_id=MACHINE.node_agent_sku_id,
        container_configuration=models.BatchContainerConfiguration(type="dockerCompatible"),
    )
    pool_id = batch.new_id().replace("job", "containers")
    batch.client.create_pool(
        models.BatchPoolCreateOptions(
            id=pool_id,
            vm_size="small",
            virtual_machine_configuration=machine,
            target_dedicated_nodes=2,
            **options,
        )
    )
    nodes_in(batch, pool_id, "idle")
    return pool_id


@pytest.fixture(scope="module")
def pool(batch: Batch) -> str:
    return container_pool(batch)


def settings(**options: Any) -> models.BatchTaskContainerSettings:
    return models.BatchTaskContainerSettings(image_name="registry.example/tool:1", **options)


def calls(runtime: Path, verb: str) -> list[list[str]]:
    noted = runtime.with_name("calls")
    lines = noted.read_text().splitlines() if noted.exists() else []
    return [call for call in map(json.loads, lines) if call[0] == verb]


def values(call: list[str], option: str) -> list[str]:
    return [value for name, value in pairwise(call) if name == option]


def test_task_runs_in_the_image_with_the_nodes_directories_and_its_variables(
    batch: Batch, pool: str, runtime: Path
) -> None:
    job_id = batch.create_job(pool)
    secret = models.EnvironmentSetting(name="TOKEN", value="line one\nline two")
    task = batch.run(
        job_id,
        "t",
        shell('pwd > where; printf "%s|" "$TOKEN" "$AZ_BATCH_TASK_ID"; echo "${HOME-none}"; exit 3'),
        container_settings=settings(container_run_options="--init --memory '1 g'"),
        environment_settings=[secret],
    )
    assert (info(task).exit_code, failure(task).code) == (3, "FailureExitCode")
    assert batch.read(job_id, "t") == b"line one\nline two|t|none\n"
    call = calls(runtime, "run")[-1]
    directory = Path(batch.read(job_id, "t", "wd/where").decode().strip())
    root = str(directory.parents[4])
    assert call[:3] == ["run", "--rm", "--name"]
    assert values(call, "--volume") == [f"{root}:{root}"]
    assert values(call, "--workdir") == [str(directory)]
    assert values(call, "--user") == [f"{os.getuid()}:{os.getgid()}"]
    image = call.index("registry.example/tool:1")
    assert call[image - 3 : image] == ["--init", "--memory", "1 g"]
    assert call[image + 1 : image + 3] == ["/bin/sh", "-c"]
    assert "TOKEN" in values(call, "--env")
    assert not any("line one" in argument for argument in call)
    assert not {"HOME", "PATH"} & set(values(call, "--env"))


def test_working_directory_and_mounts_are_the_settings_own(batch: Batch, pool: str, runtime: Path) -> None:
    mounts = [
        models.ContainerHostBatchBindMountEntry(source="Task"),
        models.ContainerHostBatchBindMountEntry(source="Shared", is_read_only=True),
        models.ContainerHostBatchBindMountEntry(source="Applications"),
        models.ContainerHostBatchBindMountEntry(source="JobPrep"),
    ]
    chosen = settings(working_directory="containerImageDefault", container_host_batch_bind_mounts=mounts)
    job_id = batch.create_job(pool)
    task = batch.run(job_id, "t", shell("pwd; echo $AZ_BATCH_TASK_DIR"), container_settings=chosen)
    where, task_directory = batch.read(job_id, "t").decode().split()
    call = calls(runtime, "run")[-1]
    assert (info(task).exit_code, where, values(call, "--workdir")) == (0, "/", [])
    root = str(Path(task_directory).parents[3])
    wanted = [task_directory, f"{root}/shared", f"{root}/applications"]
    found = [volume.split(":")[0] for volume in values(call, "--volume")]
    assert found == wanted
    assert values(call, "--volume")[1].endswith(":ro")
    nothing = settings(container_host_batch_bind_mounts=[])
    batch.run(job_id, "none", "/bin/true", container_settings=nothing)
    assert values(calls(runtime, "run")[-1], "--volume") == []


def started(batch: Batch, job_id: str) -> int:
    batch.running(job_id, "t")
    text = eventually(lambda: batch.read(job_id, "t").decode().strip())
    return int(text)


def test_container_of_a_task_that_is_ended_is_removed(batch: Batch, pool: str, runtime: Path) -> None:
    job_id = batch.create_job(pool)
    batch.add(job_id, "t", shell("echo $$; exec sleep 1000"), container_settings=settings())
    number = started(batch, job_id)
    name = values(calls(runtime, "run")[-1], "--name")[0]
    assert is_running(number)
    batch.client.terminate_task(job_id, "t")
    eventually(lambda: not is_running(number))
    eventually(lambda: ["rm", "--force", name] in calls(runtime, "rm"))


def test_containers_are_removed_when_local_azure_stops(runtime: Path) -> None:
    with LocalAzure(replace(CONFIG, container_runtime=os.fspath(runtime))) as azure:
        account = Batch(azure)
        job_id = account.create_job(container_pool(account))
        account.add(job_id, "t", shell("echo $$; exec sleep 1000"), container_settings=settings())
        number = started(account, job_id)
        name = values(calls(runtime, "run")[-1], "--name")[0]
        account.close()
    assert ["rm", "--force", name] in calls(runtime, "rm")
    eventually(lambda: not is_running(number))


def test_container_that_is_over_is_left_to_the_runtime(batch: Batch, pool: str, runtime: Path) -> None:
    job_id = batch.create_job(pool)
    batch.run(job_id, "t", "/bin/true", container_settings=settings())
    name = values(calls(runtime, "run")[-1], "--name")[0]
    assert ["rm", "--force", name] not in calls(runtime, "rm")


def test_pool_without_a_container_configuration_runs_none(batch: Batch, runtime: Path) -> None:
    before = len(calls(runtime, "run"))
    task = batch.run(batch.create_job(create_pool(batch)), "t", "/bin/true", container_settings=settings())
    assert failure(task).code == "ContainerPoolNotSupported"
    assert len(calls(runtime, "run")) == before


def test_multi_instance_tasks_run_in_no_container(batch: Batch) -> None:
    pool_id = container_pool(batch, enable_inter_node_communication=True)
    job_id = batch.create_job(pool_id)
    task = batch.run(job_id, "t", "/bin/true", container_settings=settings(), **instances(2))
    assert failure(task).code == "CommandLaunchFailed"


def test_runtime_that_is_not_there_fails_the_task(tmp_path: Path) -> None:
    with LocalAzure(replace(CONFIG, container_runtime=os.fspath(tmp_path / "none"))) as azure:
        account = Batch(azure)
        job_id = account.create_job(container_pool(account))
        task = account.run(job_id, "t", "/bin/true", container_settings=settings())
        assert failure(task).code == "CommandLaunchFailed"
        account.close()
