"""Workers killed at named points of a job's life, and what the service's own books say afterwards.

Local Azure holds a request of the worker, before or after its effect; its process, or the one that supervises
it, is killed then, and the request let go. Each case signs in as an application of its own, so that a fault
is for that case alone and many cases go on at once.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from airflow_provider_batchad.local.faults import FaultRule
from tests.airflow.task_runs import TaskRun

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.job import Job
    from tests.airflow.conftest import Deployment

# The request that is held, and when; nothing for a point that no request marks.
POINTS: dict[str, dict[str, Any]] = {
    "before create": {"operation": "Create Job"},
    "after create, before its answer": {"operation": "Create Job", "when": "after"},
    "after create": {"operation": "Create Task Collection"},
    "amid adding tasks": {"operation": "Create Task Collection", "skip": 1},
    "before seal": {"operation": "Update Job"},
    "after seal": {"operation": "Update Job", "when": "after"},
    "before waiting": {},
    "after the job's end": {"operation": "Get Task File"},
}
VICTIMS = ("task", "supervisor")
MODES = ("sync", "deferred")
NEXT = ("retry", "clear", "last")
SEVERAL_CHUNKS, FEW = 201, 3
# More of them at once are too many writers for Airflow's database of one file.
AT_ONCE = 10
SCHEDULER_SECONDS = 10.0
ENDED = ("success", "failed", "lost")


@dataclass(frozen=True)
class Kill:
    """One case.

    :param victim: the process that runs the task, or the one that supervises it.
    :param next: what comes after the kill: a retry, a clear while one is due, a clear when none is left.
    """

    point: str
    victim: str
    mode: str
    next: str

    def __str__(self) -> str:
        return f"{self.point} / {self.victim} / {self.mode} / {self.next}"


def all_kills() -> list[Kill]:
    """Every point, victim, mode and sequel."""
    return [Kill(*parts) for parts in product(POINTS, VICTIMS, MODES, NEXT)]


@dataclass
class Case:
    """A case that goes on.

    :param number: of its connection ``case_<n>`` and application ``case-<n>``.
    """

    kill: Kill
    number: int
    deployment: Deployment
    folder: Path
    stage: str = "waiting"
    stages: list[str] = field(default_factory=list)
    killed: psutil.Process | None = None
    child: psutil.Process | None = None
    was_active: bool = False
    deferred_at: float = 0.0

    def start(self) -> None:
        """Have the worker's request held, and run the DAG."""
        self.stage = "running"
        self.folder.mkdir(parents=True)
        held = POINTS[self.kill.point]
        if held:
            rule = FaultRule(service="batch", principal=f"case-{self.number}", hold=True, **held)
            self.rule: FaultRule | None = self.deployment.azure.faults.add(rule)
        else:
            self.rule = None
            (self.folder / "wait-before-deferring").touch()
        self.run = TaskRun(
            self.deployment,
            f"killed_{self.kill.mode}_{self.kill.next}",
            connection=f"case_{self.number}",
            folder=str(self.folder),
            tasks=SEVERAL_CHUNKS if self.kill.point == "amid adding tasks" else FEW,
            # The outputs of hundreds of tasks would only take time.
            outputs=self.kill.point != "amid adding tasks",
        )

    def open_gate(self) -> None:
        """Let the Batch tasks end."""
        (self.folder / "gate").touch()

    def jobs(self) -> list[Job]:
        """The jobs of this run, oldest first."""
        return [job for _, job in self.deployment.azure.batch.jobs.walk() if self._is_ours(job)]

    def _is_ours(self, job: Job) -> bool:
        return {"name": "airflow_run", "value": self.run.run_id} in job.properties["metadata"]

    def _let_tasks_end(self, instance: dict[str, Any]) -> None:
        # Airflow fails a task that resumes before its scheduler has read that the process which deferred it
        # has ended, and a busy machine's scheduler reads late.
        if self.kill.mode == "sync":
            self.open_gate()
        elif instance["state"] == "deferred":
            self.deferred_at = self.deferred_at or time.monotonic()
            if time.monotonic() - self.deferred_at > SCHEDULER_SECONDS:
                self.open_gate()

    def advance(self, instance: dict[str, Any]) -> None:
        """Do what is due, as far as the task instance and the service have come."""
        if self.stage == "finishing" or self.kill.point == "after the job's end":
            self._let_tasks_end(instance)
        if self.stage == "running" and instance["try_number"] > 1:
            self._go_to("lost")
        elif self.stage == "running" and instance["state"] == "running" and instance["pid"]:
            if self._has_reached_point():
                self._end_worker(int(instance["pid"]))
                self._go_to("killed" if self.kill.next != "retry" else "finishing")
        elif self.stage == "killed":
            if self._can_be_cleared(instance):
                self.was_active = any(str(job.state) == "active" for job in self.jobs())
                self.run.clear()
                self._go_to("cleared")
        elif self.stage == "cleared":
            if self._of_new_epoch():
                self._go_to("finishing")
        elif self.stage == "finishing" and instance["state"] in ("success", "failed"):
            # The try that was killed may be shown as failed for a while.
            self._go_to(instance["state"] if instance["try_number"] > 1 else self.stage)

    def _can_be_cleared(self, instance: dict[str, Any]) -> bool:
        if self.kill.next == "clear":
            return bool(instance["state"] == "up_for_retry")
        # Airflow forgets a clear that comes between the task's failure and that of its run.
        return instance["state"] == "failed" and self.run.state() == "failed"

    def _go_to(self, stage: str) -> None:
        if stage == self.stage:
            return
        self.stages.append(f"{self.stage} until {time.strftime('%X')}")
        self.stage = stage

    def _has_reached_point(self) -> bool:
        if self.rule is not None:
            return self.deployment.azure.faults.held(self.rule.id) > 0
        if self.kill.mode == "deferred":
            return (self.folder / "waits-before-deferring").exists()
        return self.run.named_job() is not None

    def _end_worker(self, pid: int) -> None:
        self.child = psutil.Process(pid)
        self.killed = self.child if self.kill.victim == "task" else self.child.parent()
        assert self.killed is not None
        assert "LocalExecutor" in " ".join((self.child.parent() or self.child).cmdline())
        self.killed.kill()
        if self.rule is not None:
            self.deployment.azure.faults.remove(self.rule.id)
        (self.folder / "wait-before-deferring").unlink(missing_ok=True)

    def _of_new_epoch(self) -> list[Job]:
        first = {"retry": 3, "clear": 1, "last": 0}[self.kill.next]
        return [job for job in self.jobs() if epoch_of(job) != first]

    def problems(self) -> Iterator[str]:
        """What is not as it should be, once it is over."""
        if self.stage != "success":
            yield f"is {self.stage}: {self.stages}"
            return
        jobs = self.jobs()
        new = jobs if self.kill.next == "retry" else self._of_new_epoch()
        if len(new) != 1:
            yield f"{len(new)} jobs of the last epoch"
        if len(jobs) - len(new) > 1:
            yield f"{len(jobs) - len(new)} jobs of the epoch before"
        created = self._entries("Create Job", 201)
        if created != len(jobs):
            yield f"{len(jobs)} jobs, {created} created"
        ran = Counter((self.folder / "ran").read_text().split("\n")[:-1])
        for job in jobs:
            yield from self._problems_of(job, ran, is_last=job in new)
        if self.child is not None and self.child.is_running() and self.child.status() != "zombie":
            yield f"its process still runs: {self.child}"

    def _problems_of(self, job: Job, ran: Counter[str], *, is_last: bool) -> Iterator[str]:
        if str(job.state) != "completed":
            yield f"{job.id} is {job.state}"
        wanted = SEVERAL_CHUNKS if self.kill.point == "amid adding tasks" else FEW
        runs = Counter({line.split()[1]: count for line, count in ran.items() if line.split()[0] == job.id})
        if max(runs.values(), default=0) > 1:
            yield f"tasks of {job.id} ran more than once: {runs.most_common(3)}"
        if is_last and (len(job.tasks) != wanted or len(runs) != wanted):
            yield f"{job.id} has {len(job.tasks)} tasks, of which {len(runs)} ran"
        if is_last and job.terminate_reason != "AllTasksComplete":
            yield f"{job.id} ended for {job.terminate_reason}"
        if not is_last and self.was_active and "Superseded by" not in (job.terminate_reason or ""):
            yield f"{job.id} ended for {job.terminate_reason}"

    def _entries(self, operation: str, status: int) -> int:
        ledger = self.deployment.azure.ledger
        found = ledger.entries(
            service="batch", operation=operation, principal=f"case-{self.number}", status=status
        )
        return len(found)


def epoch_of(job: Job) -> int:
    """The epoch that the job's id names."""
    return int(job.id.rsplit("-", 2)[1])


def run_cases(
    deployment: Deployment, kills: Iterable[Kill], folder: Path, *, first: int = 0, seconds: float
) -> list[Case]:
    """Take them through, some at once; each as far as it came in the time."""
    cases = [
        Case(kill=kill, number=number, deployment=deployment, folder=folder / str(number))
        for number, kill in enumerate(kills, first)
    ]
    left, active = list(cases), list[Case]()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and (left or active):
        while left and len(active) < AT_ONCE:
            active.append(left.pop(0))
            active[-1].start()
        for case in active:
            case.advance(case.run.instance())
        active = [case for case in active if case.stage not in ENDED]
        time.sleep(0.25)
    for case in active:
        case.open_gate()
    return cases


def report(cases: Iterable[Case]) -> list[str]:
    """Every case that did not come out right, with what is wrong."""
    return [f"{case.kill}: {problem}" for case in cases for problem in case.problems()]
