"""Nothing of a task outlives its end, or local Azure's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.batch_fixtures import CONFIG, Batch, eventually, failure, shell

SERVER = """
import sys
from dataclasses import replace
from airflow_provider_batchad.local.config import PoolConfig
from tests.contract.batch_fixtures import CONFIG, Batch
from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.batch_fixtures import shell
with LocalAzure(replace(CONFIG, pools=(PoolConfig(id="cpu", nodes=5, slots=4),))) as azure:
    account = Batch(azure)
    job_id = account.create_job()
    for number in range(20):
        account.add(job_id, f"t{number}", shell(sys.argv[1]))
    for number in range(20):
        account.running(job_id, f"t{number}")
    print("ready", flush=True)
    sys.stdin.read()
"""


def sleepers(seconds: str) -> list[psutil.Process]:
    """Processes with this very argument."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "status"])
        if process.info["status"] != psutil.STATUS_ZOMBIE and seconds in (process.info["cmdline"] or ())
    ]


@pytest.fixture
def seconds() -> str:
    """How long a program sleeps: a number that no other process on this machine is called with."""
    return f"{1000 + os.getpid()}.{int.from_bytes(os.urandom(4), 'big')}"


def tree(seconds: str) -> str:
    """Children, one of which leaves the task's process group and session."""
    return f"sleep {seconds} & setsid sleep {seconds} & sleep {seconds}"


def is_gone(seconds: str) -> Callable[[], bool]:
    return lambda: not sleepers(seconds)


def test_terminated_task_leaves_no_process(batch: Batch, seconds: str) -> None:
    job_id = batch.create_job()
    batch.add(job_id, "t", shell(tree(seconds)))
    eventually(lambda: len(sleepers(seconds)) == 3)
    batch.client.terminate_task(job_id, "t")
    eventually(is_gone(seconds))


def test_task_that_ends_takes_what_it_left_running_with_it(batch: Batch, seconds: str) -> None:
    job_id = batch.create_job()
    task = batch.run(job_id, "t", shell(f"sleep {seconds} & setsid sleep {seconds} & exit 0"))
    assert task.execution_info is not None
    assert task.execution_info.exit_code == 0
    eventually(is_gone(seconds))


def test_deleted_job_leaves_no_process(batch: Batch, seconds: str) -> None:
    job_id = batch.create_job()
    batch.add(job_id, "t", shell(tree(seconds)))
    eventually(lambda: len(sleepers(seconds)) == 3)
    batch.client.begin_delete_job(job_id, polling_interval=0).wait()
    eventually(is_gone(seconds))


def test_one_tasks_end_touches_no_other_task(batch: Batch, seconds: str) -> None:
    job_id = batch.create_job()
    batch.add(job_id, "stays", shell(f"setsid sleep {seconds} & sleep {seconds}"))
    eventually(lambda: len(sleepers(seconds)) == 2)
    batch.run(job_id, "goes", "/bin/true")
    assert len(sleepers(seconds)) == 2
    batch.client.terminate_task(job_id, "stays")


def test_nothing_runs_when_local_azure_has_stopped(seconds: str) -> None:
    with LocalAzure(CONFIG) as azure:
        account = Batch(azure)
        job_id = account.create_job()
        account.add(job_id, "t", shell(tree(seconds)))
        eventually(lambda: len(sleepers(seconds)) == 3)
        account.close()
    assert is_gone(seconds)()


@pytest.mark.skipif(sys.platform != "linux", reason="adopting orphans is Linux's")
def test_nothing_runs_when_local_azure_was_killed_with_20_tasks(seconds: str, tmp_path: Path) -> None:
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, tree(seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": os.fspath(tmp_path)},
    )
    with server:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        eventually(lambda: len(sleepers(seconds)) == 20 * 3)
        server.send_signal(signal.SIGKILL)
        server.wait()
        eventually(is_gone(seconds), seconds=5)


def test_tasks_are_requeued_when_their_node_agent_dies(own_batch: Batch, seconds: str) -> None:
    job_id = own_batch.create_job()
    own_batch.add(job_id, "t", shell(f"[ -e again ] || {{ touch again; sleep {seconds}; }}"))
    eventually(lambda: len(sleepers(seconds)) >= 1)
    agent = own_batch.azure.batch._processes._agent
    assert agent is not None
    agent.kill()
    agent.wait()
    task = own_batch.finished(job_id, "t")
    assert task.execution_info is not None
    assert (task.execution_info.requeue_count, task.execution_info.result) == (1, "success")


def test_task_whose_program_ignores_signals_is_ended(batch: Batch) -> None:
    job_id = batch.create_job()
    batch.add(job_id, "t", shell("trap '' TERM INT HUP; while :; do sleep 0.05; done"))
    batch.running(job_id, "t")
    batch.client.terminate_task(job_id, "t")
    assert failure(batch.client.get_task(job_id, "t")).code == "TaskEnded"
