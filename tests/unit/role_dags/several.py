"""Tasks that want this and that of Batch accounts; none is ever run."""

from __future__ import annotations

from airflow.sdk import DAG, task, task_group

from airflow_provider_batchad.hooks import AzureBatchAdHook
from airflow_provider_batchad.operators import AzureBatchSubmitJobOperator

POOL = {"pool_id": "cpu", "command_line": "true"}
AUTO_POOL = {"pool_info": {"auto_pool_specification": {"pool_lifetime_option": "job"}}}

with DAG("plain"):
    AzureBatchSubmitJobOperator(task_id="submit", **POOL)
    AzureBatchSubmitJobOperator(task_id="elsewhere", batchad_conn_id="other", cleanup="delete", **POOL)
    AzureBatchSubmitJobOperator(task_id="templated", batchad_conn_id="{{ params.conn }}", **POOL)

with DAG("mapped"):
    partial = AzureBatchSubmitJobOperator.partial
    partial(task_id="over_tasks", batchad_conn_id="m1", **POOL).expand(outputs=["a", "b"])
    partial(task_id="over_cleanups", batchad_conn_id="m2", **POOL).expand(
        cleanup=["keep", "delete_on_success"]
    )
    partial(task_id="over_connections", cleanup="delete", **POOL).expand(batchad_conn_id=["m3", "m4"])

    @task
    def choose() -> list[dict[str, str]]:
        return []

    partial(task_id="over_unknown", batchad_conn_id="m5", **POOL).expand_kwargs(choose())

with DAG("groups"):

    @task_group
    def group(job: str) -> None:
        AzureBatchSubmitJobOperator(task_id="inner", batchad_conn_id="g1", job=job, command_line="true")

    group.expand(job=["{}"])

    AzureBatchSubmitJobOperator(task_id="auto_pool", batchad_conn_id="g2", job=AUTO_POOL, command_line="true")
    AzureBatchSubmitJobOperator(
        task_id="may_be", batchad_conn_id="g3", job={"pool_info": "{{ params.pool }}"}, command_line="true"
    )
    AzureBatchSubmitJobOperator(
        task_id="named",
        batchad_conn_id="g4",
        job={"pool_info": {"pool_id": "{{ params.p }}"}},
        command_line="true",
    )

with DAG("code"):

    @task
    def declares() -> None:
        with AzureBatchAdHook(
            "c1", actions=["jobs/read", "Microsoft.Batch/batchAccounts/jobs/delete"]
        ) as hook:
            hook.get_conn()

    @task
    def declares_nothing() -> None:
        AzureBatchAdHook("c2").get_conn()

    @task
    def does_without() -> None:
        """Mentions AzureBatchAdHook("c3", actions=["pools/write"]) in words alone."""

    declares()
    declares_nothing()
    does_without()
