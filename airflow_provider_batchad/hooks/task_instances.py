"""What Airflow's own database says of task instances: for commands, which Airflow gives its database."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.jobs.naming import TaskInstanceName, job_prefix
from airflow_provider_batchad.jobs.orphans import KnownTaskInstance
from airflow_provider_batchad.xcom_keys import JOB_ID_XCOM_KEY

if TYPE_CHECKING:
    from airflow_provider_batchad.jobs.orphans import TaskInstanceKey

_RUNS_AT_ONCE: Final = 200


def is_dags_test(dag_run: Any) -> bool:
    """Whether ``airflow dags test`` made the run, whose jobs have a name of their own in each process.

    It deletes the run of that date and makes it again, with these two equal to the microsecond: nothing else
    tells one such run from the next.
    """
    return bool(dag_run.start_date == (dag_run.logical_date or dag_run.run_after))


def find_task_instances(
    keys: Collection[TaskInstanceKey], deployment: str
) -> dict[TaskInstanceKey, KnownTaskInstance]:
    """What Airflow says of these task instances; nothing of one that it does not have.

    :param deployment: the name of this deployment, which is part of the names of its jobs.
    """
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    found: dict[TaskInstanceKey, KnownTaskInstance] = {}
    run_ids = sorted({run_id for _, run_id, _, _ in keys})
    with create_session() as session:
        for start in range(0, len(run_ids), _RUNS_AT_ONCE):
            wanted = {key for key in keys if key[1] in run_ids[start : start + _RUNS_AT_ONCE]}

            def of(model: Any, wanted: set[TaskInstanceKey] = wanted) -> tuple[Any, ...]:
                dags, runs, tasks, _ = (set(part) for part in zip(*wanted, strict=True))
                return model.dag_id.in_(dags), model.run_id.in_(runs), model.task_id.in_(tasks)

            names = session.query(XComModel).filter(*of(XComModel), XComModel.key == JOB_ID_XCOM_KEY)
            named = {_key(one): _text(one.value) for one in names}
            instances = (
                session.query(TaskInstance, DagRun)
                .join(DagRun, (DagRun.dag_id == TaskInstance.dag_id) & (DagRun.run_id == TaskInstance.run_id))
                .filter(*of(TaskInstance))
            )
            for ti, dag_run in instances:
                key = _key(ti)
                if key in wanted:
                    found[key] = _known(ti, dag_run, deployment, named.get(key))
    return found


def _key(row: Any) -> TaskInstanceKey:
    return row.dag_id, row.run_id, row.task_id, row.map_index


def _known(ti: Any, dag_run: Any, deployment: str, named_job: str | None) -> KnownTaskInstance:
    return KnownTaskInstance(
        id=str(ti.id),
        state=None if ti.state is None else str(getattr(ti.state, "value", ti.state)),
        number=ti.try_number,
        max_tries=ti.max_tries,
        prefix=_prefix(ti, dag_run, deployment),
        named_job=named_job,
    )


def _prefix(ti: Any, dag_run: Any, deployment: str) -> str | None:
    if dag_run.start_date is None or is_dags_test(dag_run):
        return None
    return job_prefix(
        TaskInstanceName(
            deployment=deployment,
            dag_id=ti.dag_id,
            run_id=ti.run_id,
            run_started=dag_run.start_date.isoformat(),
            task_id=ti.task_id,
            map_index=ti.map_index,
            run_after=dag_run.run_after.isoformat(),
        )
    )


def _text(value: Any) -> str | None:
    # A worker stores its values as JSON within JSON.
    try:
        return str(json.loads(value))
    except (TypeError, ValueError):
        return None if value is None else str(value)
