"""Fills Airflow's database with deferred tasks: ``waiting_rows.py prepare`` or ``add``, in any environment.

``add`` takes from standard input a JSON list of trigger arguments, each for one more deferred task.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

DAG_FILE = """
from airflow.sdk import DAG
from airflow.providers.common.compat.sdk import BaseOperator

class Waiting(BaseOperator):
    def execute(self, context):
        raise RuntimeError("it is deferred")

with DAG("waiting", schedule=None):
    Waiting(task_id="wait")
"""
TRIGGERS = "benchmarks.waiting_triggers."


def prepare() -> None:
    """A database with one run of one DAG, whose task is deferred to the trigger that measures."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.settings import DAGS_FOLDER
    from airflow.utils.db import initdb
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    folder = Path(DAGS_FOLDER)
    folder.mkdir(parents=True)
    (folder / "waiting.py").write_text(DAG_FILE)
    with create_session() as session:
        initdb(session=session)
        bundles: Any = DagBundlesManager
        bundles().sync_bundles_to_db(session=session)
        session.commit()
        bag = DagBag(folder, bundle_path=folder, bundle_name="dags-folder")
        sync_bag_to_db(bag, "dags-folder", None, session=session)
        session.commit()
        dag: Any = SerializedDagModel.get_dag("waiting", session=session)
        run = dag.create_dagrun(
            run_id="run",
            run_after=datetime.now(UTC),
            run_type=DagRunType.MANUAL,
            triggered_by=DagRunTriggeredByType.TEST,
            state=DagRunState.RUNNING,
            start_date=datetime.now(UTC),
            session=session,
        )
        session.flush()
        measuring = {"classpath": f"{TRIGGERS}MeasuringTrigger", "kwargs": {}}
        _defer(session, run.task_instances[0], measuring)


def add(many: list[dict[str, Any]]) -> None:
    """One deferred task for each, as if it were mapped."""
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import func, select

    with create_session() as session:
        dag: Any = SerializedDagModel.get_dag("waiting", session=session)
        version = session.scalar(select(TaskInstance.dag_version_id).where(TaskInstance.map_index == -1))
        used: int = session.scalar(select(func.max(TaskInstance.map_index))) or 0
        for number, arguments in enumerate(many, start=used + 1):
            instance = TaskInstance(
                task=dag.get_task("wait"), run_id="run", map_index=number, dag_version_id=version
            )
            session.add(instance)
            _defer(session, instance, {"classpath": f"{TRIGGERS}NotingTrigger", "kwargs": arguments})


def _defer(session: Any, instance: Any, trigger: dict[str, Any]) -> None:
    from airflow.models.trigger import Trigger
    from airflow.utils.state import TaskInstanceState

    row = Trigger(**trigger)
    session.add(row)
    session.flush()
    instance.state = TaskInstanceState.DEFERRED
    instance.trigger_id = row.id
    instance.next_method = "execute"
    instance.start_date = datetime.now(UTC)
    instance.try_number = 1


def main() -> None:
    if sys.argv[1] == "prepare":
        prepare()
    else:
        add(json.load(sys.stdin))


if __name__ == "__main__":
    main()
