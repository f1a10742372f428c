"""A DAG with a task for each of the cases, for ``airflow batchad role`` to read; none is ever run."""

from __future__ import annotations

from airflow.sdk import DAG

from tests.contract.role_cases import CASES

with DAG("cases"):
    for case in CASES:
        case.kind(task_id=f"t-{case.conn_id}", **case.arguments)
