"""The Batch account's state: pools with their nodes, jobs with their tasks, job schedules."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from types import GenericAlias
from typing import TYPE_CHECKING, Any, Final

from pydantic import TypeAdapter

from airflow_provider_batchad.local.batch.dependencies import DependencyTable
from airflow_provider_batchad.local.batch.job import Job
from airflow_provider_batchad.local.batch.job_schedule import JobSchedule
from airflow_provider_batchad.local.batch.node import Node
from airflow_provider_batchad.local.batch.pool import Pool
from airflow_provider_batchad.local.batch.preparation import JobOnNode
from airflow_provider_batchad.local.batch.task import Execution, Subtask, Task, TaskState
from airflow_provider_batchad.local.batch.ticks import TickClock
from airflow_provider_batchad.local.state.merge import Seen, merge_table

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch import BatchAccount
    from airflow_provider_batchad.local.state.places import Places
    from airflow_provider_batchad.local.state.records import Records

_ROWS: Final = 200


@dataclass(slots=True, kw_only=True)
class CapturedJob:
    """A job at one moment.

    :param head: all of it but its tasks, as JSON.
    :param rows: the members of each task, and of its execution.
    """

    head: str
    rows: list[tuple[Any, tuple[Any, ...] | None]]


class BatchState:
    """Turns an account into lines of JSON, and back.

    A capture copies references only, so that it holds up the event loop as little as can be; the lines are
    made later, a few hundred tasks at a time.
    """

    def __init__(self, records: Records, places: Places) -> None:
        self._records = records
        self._places = places
        self._columns = [name for name in records.members(Task) if name != "execution"]
        self._execution_columns = list(records.members(Execution))
        self._read_task = attrgetter(*self._columns)
        self._read_execution = attrgetter(*self._execution_columns)

    def fingerprint(self, account: BatchAccount) -> tuple[Any, ...]:
        """What is another one after every change of a job or a task."""
        last = self._records.encode(TickClock, account.ticks)["last"]
        return (last, len(account.jobs), sum(len(job.tasks) for job in account.jobs.values()))

    def capture_small(self, account: BatchAccount) -> dict[str, Any]:
        """All but the jobs."""
        self._places.begin()
        return {
            "ticks": self._records.encode(TickClock, account.ticks),
            "jobQuota": account.job_flow.quota,
            "pools": [
                {
                    "pool": self._records.encode(Pool, pool),
                    "nodes": [self._places.number(node) for node in pool.nodes.values()],
                }
                for pool in account.pools.values()
            ],
            "schedules": [self._records.encode(JobSchedule, one) for one in account.schedules.values()],
        }

    def capture_jobs(self, account: BatchAccount) -> list[CapturedJob]:
        """The jobs with their tasks, as they are now."""
        # So many new tuples would set off collections that look at every task again and again.
        collects = gc.isenabled()
        gc.disable()
        try:
            return [self._capture_job(job) for job in account.jobs.values()]
        finally:
            if collects:
                gc.enable()

    def lines(self, jobs: list[CapturedJob]) -> Iterator[str]:
        """The captured jobs, in pieces that take about a millisecond each."""
        for job in jobs:
            yield job.head
            for start in range(0, len(job.rows), _ROWS):
                yield json.dumps(job.rows[start : start + _ROWS], default=self._plain)

    def nodes_line(self) -> str:
        """The nodes that all these refer to, those that are gone among them."""
        return json.dumps({"nodes": [self._records.encode(Node, node) for node in self._places.nodes()]})

    def _capture_job(self, job: Job) -> CapturedJob:
        head = {
            "job": self._records.encode(Job, job),
            "manager": None if job.manager is None else job.manager.id,
            "onNodes": [self._records.encode(JobOnNode, place) for place in job.on_nodes.values()],
            "dependencies": self._records.encode(DependencyTable, job.dependencies),
            "tasks": len(job.tasks),
        }
        read, read_execution = self._read_task, self._read_execution
        rows = [
            (read(task), None if task.execution is None else read_execution(task.execution))
            for task in job.tasks.values()
        ]
        return CapturedJob(head=json.dumps(head), rows=rows)

    def _plain(self, value: object) -> Any:
        if isinstance(value, Node):
            return self._places.number(value)
        return self._records.encode(Subtask, value)

    def restore(self, account: BatchAccount, lines: Iterator[Any], seen: Seen, job_quota: int | None) -> None:
        """Fill an account that does not run yet.

        :param job_quota: the configured one where it is not that of the time when the state was written.
        :raises pydantic.ValidationError: a line is of another form.
        :raises KeyError: likewise.
        """
        small = next(lines)
        for member, value in self._records.decode(TickClock, small["ticks"]).items():
            setattr(account.ticks, member, value)
        account.job_flow.quota = small["jobQuota"] if job_quota is None else job_quota
        self._restore_pools(account, small["pools"], seen)
        for plain in small["schedules"]:
            schedule = JobSchedule(**self._records.decode(JobSchedule, plain))
            account.schedules.add(schedule.id, schedule)
        rows = _RowReader(self._records, self._columns, self._execution_columns)
        for head in lines:
            if "nodes" in head:
                return
            job = self._restore_job(head)
            left = head["tasks"]
            while left:
                tasks = rows.read(next(lines))
                left -= len(tasks)
                for task in tasks:
                    job.tasks.add(task.id, task)
                    job.count(task, 1)
            job.manager = None if head["manager"] is None else job.tasks.get(head["manager"])
            _rebuild_queue(job)
            account.jobs.add(job.id, job)

    def _restore_pools(self, account: BatchAccount, saved: list[Mapping[str, Any]], seen: Seen) -> None:
        pools = {}
        for plain in saved:
            pool = Pool(**self._records.decode(Pool, plain["pool"]))
            for number in plain["nodes"]:
                node = self._places.node(number)
                pool.nodes.add(node.id, node)
            pools[pool.key] = pool
        fresh = {pool.key: pool for pool in tuple(account.pools.values())}
        for key in fresh:
            account.pools.remove(key)
        for pool in merge_table(seen, "pools", fresh, pools).values():
            account.pools.add(pool.id, pool)

    def _restore_job(self, head: Mapping[str, Any]) -> Job:
        job = Job(**self._records.decode(Job, head["job"]))
        job.dependencies = DependencyTable(**self._records.decode(DependencyTable, head["dependencies"]))
        for plain in head["onNodes"]:
            place = JobOnNode(**self._records.decode(JobOnNode, plain))
            # What was not done with is done again.
            if place.release is not None and not place.release.end:
                place.release = None
            if place.preparation.end:
                job.on_nodes[place.node] = place
        return job


class _RowReader:
    """Tasks from their rows."""

    def __init__(self, records: Records, columns: list[str], execution_columns: list[str]) -> None:
        task, execution = records.members(Task), records.members(Execution)
        self._task = [(name, task[name]) for name in columns]
        self._execution = [(name, execution[name]) for name in execution_columns]
        parts = [tuple(one.wire for _, one in columns) for columns in (self._task, self._execution)]
        task_row, execution_row = (GenericAlias(tuple, part) for part in parts)
        row: Any = GenericAlias(tuple, (task_row, execution_row | None))
        self._rows: TypeAdapter[Any] = TypeAdapter(list[row])

    def read(self, rows: list[Any]) -> list[Task]:
        """The tasks of one line."""
        self._rows.validate_python(rows)
        return [self._read(task, execution) for task, execution in rows]

    def _read(self, row: list[Any], execution: list[Any] | None) -> Task:
        members = {
            name: value if one.is_plain else one.decode(value)
            for (name, one), value in zip(self._task, row, strict=True)
        }
        # Most tasks of a job share them.
        members["settings"] = sys.intern(members["settings"])
        task = Task(**members)
        if execution is not None:
            task.execution = Execution(
                **{
                    name: value if one.is_plain else one.decode(value)
                    for (name, one), value in zip(self._execution, execution, strict=True)
                }
            )
        return task


def _rebuild_queue(job: Job) -> None:
    """What waits for others, and what may start; those that have run before come first, as after a retry."""
    uses_dependencies = job.properties["usesTaskDependencies"]
    for task in job.tasks.values():
        waits = False
        if uses_dependencies and '"dependsOn"' in task.content:
            depends_on = task.read_definition()["dependsOn"]
            ranges = [(one["start"], one["end"]) for one in depends_on.get("taskIdRanges") or ()]
            waits = job.dependencies.add(task, depends_on.get("taskIds") or (), ranges)
        if task.state is TaskState.ACTIVE and not waits:
            job.ready.append(task)
    job.ready = type(job.ready)(sorted(job.ready, key=lambda task: task.execution is None))
