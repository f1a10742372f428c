"""Workers that are evicted, frozen, cut off or gone: the job goes on, and the next try attaches to it."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil
import pytest

from airflow_provider_batchad.local.faults import FaultRule
from tests.airflow.kill_points import all_kills
from tests.airflow.task_runs import SIGTERM_IS_PASSED_ON, TaskRun, eventually, is_gone
from tests.reliability.end_of_life_airflow import HEARTBEAT_TIMEOUT_SECONDS, Parts, send

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(1200)]

GIVEN_UP = HEARTBEAT_TIMEOUT_SECONDS + 240


def at_work(parts: Parts) -> tuple[TaskRun, str, psutil.Process, psutil.Process]:
    """A task that waits on its worker: its run, its job, its process and the one that supervises it."""
    run = TaskRun(parts, "sync_retried")
    job_id = run.job_id()
    child = run.task_process()
    supervisor = child.parent()
    assert supervisor is not None
    return run, job_id, child, supervisor


def finish(run: TaskRun, job_id: str) -> None:
    """The job is as it was, and ends with its task."""
    assert run.job(job_id) == {"state": "active", "reason": None}
    run.mark("failed")
    run.wait_for_reason(job_id, "Airflow: the task was set to failed.", 60)


def test_an_evicted_worker_leaves_its_job(parts: Parts) -> None:
    run, job_id, child, supervisor = at_work(parts)
    before = run.instance()["id"]
    supervisor.terminate()
    if not SIGTERM_IS_PASSED_ON:
        # An eviction does not wait for long.
        assert run.job(job_id) == {"state": "active", "reason": None}
        send(signal.SIGKILL, supervisor, child)
    run.wait_until_attached(job_id, before, GIVEN_UP)
    finish(run, job_id)
    eventually(lambda: is_gone(child), 240, "the process of the first try has ended")


def test_a_machine_that_is_gone_leaves_its_job(parts: Parts) -> None:
    run, job_id, child, supervisor = at_work(parts)
    before = run.instance()["id"]
    supervisor.kill()
    child.kill()
    run.wait_until_attached(job_id, before, GIVEN_UP)
    finish(run, job_id)


def test_a_zombie_whose_successor_has_the_job_does_not_end_it(parts: Parts) -> None:
    run, job_id, child, supervisor = at_work(parts)
    before = run.instance()["id"]
    send(signal.SIGSTOP, supervisor, child)
    run.wait_until_attached(job_id, before, GIVEN_UP)
    send(signal.SIGCONT, supervisor, child)
    # Airflow tells the supervisor at its next heartbeat that the task is no longer its own.
    eventually(lambda: is_gone(child), 240, "the zombie has ended")
    finish(run, job_id)


def test_a_sigterm_amid_a_message_to_airflow_does_not_hang(parts: Parts, tmp_path: Path) -> None:
    number = len(all_kills())
    rule = FaultRule(
        service="batch", principal=f"case-{number}", operation="Update Job", when="after", hold=True
    )
    parts.azure.faults.add(rule)
    run = TaskRun(
        parts,
        "killed_sync_retry",
        connection=f"case_{number}",
        folder=str(tmp_path),
        tasks=1,
        outputs=False,
    )
    eventually(lambda: parts.azure.faults.held(rule.id), 120, "the job is sealed")
    child = run.task_process()
    supervisor = child.parent()
    assert supervisor is not None
    send(signal.SIGSTOP, supervisor)
    parts.azure.faults.remove(rule.id)
    # It tells Airflow which job it has, and waits for an answer with the channel's lock held.
    eventually(lambda: waits_for_supervisor(child), 60, "it waits for its supervisor")
    child.terminate()
    send(signal.SIGCONT, supervisor)
    eventually(lambda: is_gone(child), 60, "it has ended")
    eventually(lambda: run.instance()["try_number"] == 2 and run.named_job(), 120, "the next try attaches")
    (tmp_path / "gate").touch()
    run.wait_for("success")
    created = parts.azure.ledger.entries(operation="Create Job", principal=f"case-{number}", status=201)
    assert len(created) == 1


def waits_for_supervisor(process: psutil.Process) -> bool:
    """Whether it is blocked in reading from a Unix socket, as its channel to the supervisor is one."""
    try:
        call, descriptor, *_ = Path(f"/proc/{process.pid}/syscall").read_text().split()
    except ValueError:
        # It is at work, in no call.
        return False
    sockets = {connection.fd for connection in process.net_connections(kind="unix")}
    reads = {"0", "45", "47"}  # read, recvfrom, recvmsg
    return call in reads and int(descriptor, 16) in sockets
