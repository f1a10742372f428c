"""``airflow batchad plan``: what the DAGs' operators would send, without sending it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_batchad.commands.dag_bag import read_bag
from airflow_provider_batchad.commands.plan_context import KnownAtRunTime, instances_of, render
from airflow_provider_batchad.commands.report import give_up, plain, say, unread_files
from airflow_provider_batchad.hooks.configuration import deployment
from airflow_provider_batchad.jobs.adding import chunks
from airflow_provider_batchad.jobs.naming import TaskInstanceName, run_prefix
from airflow_provider_batchad.jobs.redaction import redact_signatures
from airflow_provider_batchad.jobs.spec import wall_clock_limit
from airflow_provider_batchad.operators.arguments import (
    limit_of,
    output_names_of,
    policy_of,
    specification_of,
)
from airflow_provider_batchad.operators.declaring import DeclaresActions
from airflow_provider_batchad.operators.submit_job import AzureBatchSubmitJobOperator

if TYPE_CHECKING:
    import argparse

    from airflow.dag_processing.dagbag import DagBag

REFUSED: Final = 1
_SHOWN_TASKS: Final = 3


def run_plan(arguments: argparse.Namespace) -> int:
    """Print what would be sent; the exit status: 1 where arguments are wrong, 2 where DAGs cannot be read."""
    date = _date_of(arguments.logical_date)
    bag = read_bag(arguments.dags_folder, arguments.dag_id, bundle_names=arguments.bundle_name, verb="plan")
    for sentence in unread_files(bag.import_errors):
        say(sentence)
    _check_task_ids(arguments.task_id, bag)
    found = []
    for dag_id, dag in sorted(bag.dags.items()):
        for task in sorted(dag.tasks, key=lambda one: one.task_id):
            kind = task.operator_class if task.is_mapped else type(task)
            if issubclass(kind, DeclaresActions) and task.task_id in (arguments.task_id or [task.task_id]):
                about = {"dag_id": dag_id, "task_id": task.task_id, "operator": task.task_type}
                found += [{**about, **plan} for plan in _plans(task, date)]
    if arguments.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        for plan in found:
            _show(plan)
    if bag.import_errors:
        return 2
    return REFUSED if any("error" in plan for plan in found) else 0


def _check_task_ids(task_ids: Sequence[str] | None, bag: DagBag) -> None:
    absent = set(task_ids or ()) - {task.task_id for dag in bag.dags.values() for task in dag.tasks}
    if absent:
        give_up("plan", f"--task-id: there is no task {', '.join(sorted(absent))}")


def _date_of(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        give_up("plan", f"--logical-date: expected a date such as 2026-01-31, not {text!r}")
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _plans(task: Any, date: datetime | None) -> Iterator[dict[str, Any]]:
    try:
        for index, instance in enumerate(instances_of(task)):
            yield {**({"map_index": index} if task.is_mapped else {}), **_plan_of(instance, date)}
    except KnownAtRunTime as unknown:
        yield {"unknown": str(unknown)}
    except Exception as error:  # noqa: BLE001 - an argument may be an object of anybody's making
        yield {"error": f"{type(error).__name__}: {error}"}


def _plan_of(task: Any, date: datetime | None) -> dict[str, Any]:
    try:
        render(task, date)
    except KnownAtRunTime as unknown:
        return {"unknown": str(unknown)}
    required = task.required_actions(task.own_arguments())
    plan: dict[str, Any] = {
        "connection": task.batchad_conn_id,
        "actions": [one.action.value for one in required],
    }
    elsewhere = [{"role": one.role, "at": one.at} for one in task.roles_elsewhere(task.own_arguments())]
    if elsewhere:
        plan["roles_elsewhere"] = elsewhere
    if isinstance(task, AzureBatchSubmitJobOperator):
        try:
            plan |= _submission_of(task)
        except AirflowFailException as error:
            plan["error"] = str(error)
    return plan


def _submission_of(task: AzureBatchSubmitJobOperator) -> dict[str, Any]:
    """The job, its tasks and the requests that submit them; checked as they are before they are sent."""
    spec = specification_of(task)
    policy_of(task)
    output_names_of(task)
    name = TaskInstanceName(
        deployment=deployment(), dag_id=task.dag_id, run_id="", run_started="", task_id=task.task_id
    )
    # The hash is the run's: what comes before it is not.
    slug = run_prefix(name).rpartition("-")[0]
    body = {
        **spec.body,
        "onAllTasksComplete": "noaction",
        "constraints": wall_clock_limit(spec, limit_of(task)),
    }
    return {
        "job_id": f"{slug}-<run>-<epoch>-<try>",
        "job": _without_signatures(body),
        "tasks": [_without_signatures(one.load()) for one in spec.tasks],
        "requests": {
            "List Jobs": 1,
            "Create Job": 1,
            "Create Task Collection": sum(1 for _ in chunks(spec.tasks)),
            "Update Job": 1,
        },
    }


def _without_signatures(body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(redact_signatures(json.dumps(body, sort_keys=True)))
    return found


def _show(plan: dict[str, Any]) -> None:
    index = f"[{plan['map_index']}]" if "map_index" in plan else ""
    _line(f"{plan['dag_id']}.{plan['task_id']}{index} ({plan['operator']})")
    if "unknown" in plan:
        _line(f"  known only at run time: {plan['unknown']}\n")
        return
    _line(f"  connection  {plan['connection']}")
    actions = [action.rpartition("batchAccounts/")[2] for action in plan["actions"]]
    _line(f"  actions     {', '.join(actions)}")
    for other in plan.get("roles_elsewhere", ()):
        _line(f"  besides     {other['role']} at {other['at']}")
    if "error" in plan:
        _line(f"  WRONG       {plan['error']}\n")
        return
    if "job" in plan:
        _line(f"  job         {plan['job_id']}")
        _line(f"              {json.dumps(plan['job'], ensure_ascii=False)}")
        tasks = plan["tasks"]
        _line(f"  tasks       {len(tasks)}")
        for body in tasks[:_SHOWN_TASKS]:
            _line(f"              {json.dumps(body, ensure_ascii=False)}")
        if len(tasks) > _SHOWN_TASKS:
            _line(f"              and {len(tasks) - _SHOWN_TASKS} more, the last being {tasks[-1]['id']}")
        requests = [f"{count} x {name}" for name, count in plan["requests"].items()]
        _line(f"  requests    {', '.join(requests)}; then what waiting takes")
    print()


def _line(text: str) -> None:
    print(plain(text))
