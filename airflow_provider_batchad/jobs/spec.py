"""The job and its tasks, validated once, as the JSON that the REST API takes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from airflow_provider_batchad.jobs.dependencies import check_dependencies
from airflow_provider_batchad.jobs.naming import MAX_ID_LENGTH
from airflow_provider_batchad.jobs.requests import dump
from airflow_provider_batchad.jobs.schema import SpecificationError, iso_duration, mapping_of, to_rest
from airflow_provider_batchad.jobs.tasks import PackedTasks, TaskSpec

_TASK_ID = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_ID_LENGTH}}}")
METADATA_PREFIX = "airflow_"
_OURS = ("id", "on_all_tasks_complete", "onAllTasksComplete")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """A job and its tasks.

    :param body: the job as the REST API takes it, without its id, metadata of ours and wall-clock limit.
    :param task_ids: in the order in which the tasks were given.
    :param tasks: in the same order; can be read again and again.
    :param digest: tells two specifications apart; decides nothing, since templates may render anew.
    """

    body: Mapping[str, Any]
    task_ids: tuple[str, ...]
    tasks: Iterable[TaskSpec]
    digest: str

    @property
    def can_block(self) -> bool:
        """Whether tasks may wait for ever for what failed, so that Batch never ends the job by itself."""
        return bool(self.body.get("usesTaskDependencies") or "jobPreparationTask" in self.body)

    @property
    def pool_id(self) -> str | None:
        """The pool that the job names; ``None`` for one that Batch makes."""
        found = self.body["poolInfo"].get("poolId")
        return None if found is None else str(found)

    @property
    def uses_auto_pool(self) -> bool:
        """Whether Batch makes the pool for the job, which takes the right to write pools."""
        return "autoPoolSpecification" in self.body["poolInfo"]


def build_job(
    *,
    pool_id: str | None,
    tasks: Iterable[object] | None,
    command_line: str | None,
    job: object,
) -> JobSpec:
    """The arguments of an operator as a :class:`JobSpec`.

    :param pool_id: an existing pool; ``None`` where ``job["pool_info"]`` says it.
    :param tasks: mappings with the fields of ``Create Task`` (azure-batch's models are such), dataclasses
        with such fields, or :class:`~airflow_provider_batchad.jobs.tasks.TaskSpec`; read once, none is kept.
    :param command_line: in place of ``tasks``: a job of this one task, called ``task``.
    :param job: whatever else ``Create Job`` takes.
    :raises SpecificationError: names the path of what is wrong, such as ``tasks[17].command_line``.
    """
    if job is not None and not isinstance(job, Mapping):
        raise SpecificationError("job", f"expected the fields of a job (a dict), not a {type(job).__name__}")
    body = _job_body(pool_id, job or {})
    if (tasks is None) == (command_line is None):
        raise SpecificationError("tasks", "give either 'tasks' or 'command_line', and not both")
    if tasks is None:
        tasks = [{"id": "task", "command_line": command_line}]
    if isinstance(tasks, str | bytes | Mapping) or not isinstance(tasks, Iterable):
        raise SpecificationError("tasks", f"expected a list of tasks, not a {type(tasks).__name__}")
    depends: dict[int, Mapping[str, Any]] = {}
    packed = PackedTasks()
    digest = hashlib.sha256()
    for spec in _task_specs(tasks, depends):
        packed.append(spec)
        digest.update(spec.body)
    task_ids = tuple(packed.ids)
    if not task_ids:
        raise SpecificationError("tasks", "a job without tasks would end at once and do nothing")
    if depends:
        _check_depends(body, task_ids, depends)
    try:
        digest.update(dump(body))
    except (TypeError, ValueError) as error:
        raise SpecificationError("job", f"holds something that JSON cannot say: {error}") from None
    return JobSpec(body=body, task_ids=task_ids, tasks=packed, digest=digest.hexdigest()[:16])


def _check_depends(
    body: dict[str, Any], task_ids: tuple[str, ...], depends: Mapping[int, Mapping[str, Any]]
) -> None:
    if not body.setdefault("usesTaskDependencies", True):
        problem = "is False, though tasks depend on others: leave it out, or set it to True"
        raise SpecificationError("job.uses_task_dependencies", problem)
    # A job manager may add the tasks that these wait for.
    if "jobManagerTask" not in body:
        check_dependencies(task_ids, depends)


def _job_body(pool_id: str | None, job: Mapping[str, Any]) -> dict[str, Any]:
    for name in _OURS:
        if name in job:
            raise SpecificationError(f"job.{name}", "is set by this package: leave it out")
    for name in ("pool_info", "poolInfo"):
        if pool_id is not None and job.get(name) is not None:
            raise SpecificationError(f"job.{name}", "the pool is given twice: here and as 'pool_id'")
    if pool_id is not None:
        if not str(pool_id).strip():
            raise SpecificationError("pool_id", "expected the id of a pool, such as 'cpu'")
        job = {**job, "pool_info": {"pool_id": pool_id}}
    elif not (job.get("pool_info") or job.get("poolInfo")):
        raise SpecificationError("pool_id", "say which pool runs the job, such as pool_id='cpu'")
    body = to_rest("BatchJobCreateOptions", {"id": "job", **job}, "job")
    del body["id"]
    for item in body.get("metadata", ()):
        if item["name"].startswith(METADATA_PREFIX):
            problem = f"names that begin with {METADATA_PREFIX!r} are this package's: choose another"
            raise SpecificationError("job.metadata", problem)
    return body


def _task_specs(tasks: Iterable[object], depends: dict[int, Mapping[str, Any]]) -> Iterator[TaskSpec]:
    """The tasks one by one; what they depend on is collected in ``depends`` by their number."""
    seen: set[str] = set()
    ids: list[str] = []
    for number, given in enumerate(tasks):
        path = f"tasks[{number}]"
        body = to_rest("BatchTaskCreateOptions", _with_id(given, number), path)
        task_id = body["id"]
        if not _TASK_ID.fullmatch(task_id):
            problem = f"expected 1 to {MAX_ID_LENGTH} letters, digits, hyphens and underscores"
            raise SpecificationError(f"{path}.id", f"{problem}, not {task_id!r}")
        folded = task_id.casefold()
        if folded in seen:
            other = [one.casefold() for one in ids].index(folded)
            raise SpecificationError(
                f"{path}.id", f"{task_id!r} is the id of tasks[{other}] too (case does not tell ids apart)"
            )
        # The same object where it says the same: there may be a hundred thousand.
        seen.add(task_id if folded == task_id else folded)
        ids.append(task_id)
        if body.get("dependsOn"):
            depends[number] = body["dependsOn"]
        try:
            yield TaskSpec.of(task_id, body)
        except (TypeError, ValueError) as error:
            raise SpecificationError(path, f"holds something that JSON cannot say: {error}") from None


def _with_id(given: object, number: int) -> object:
    task = given.load() if isinstance(given, TaskSpec) else mapping_of(given)
    if task is None:
        return given
    return {**task, "id": f"task-{number}"} if task.get("id") is None else task


def wall_clock_limit(spec: JobSpec, limit: timedelta) -> dict[str, Any]:
    """The job's constraints with ``maxWallClockTime``, unless the author set one."""
    constraints = dict(spec.body.get("constraints", {}))
    constraints.setdefault("maxWallClockTime", iso_duration(limit))
    return constraints
