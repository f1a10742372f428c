"""The link from a task instance to its Batch job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

from airflow_provider_batchad.xcom_keys import JOB_URL_XCOM_KEY

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, TaskInstanceKey


class AzureBatchJobLink(BaseOperatorLink):
    """*Azure Batch job*: the job's account in the Azure portal, or the job's own URL.

    The portal's where the connection has the account's resource ID and the cloud a portal.
    """

    name = "Azure Batch job"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002 - Airflow's signature
        """The URL that the operator pushed before it began to wait; empty where it did not come so far."""
        return XCom.get_value(key=JOB_URL_XCOM_KEY, ti_key=ti_key) or ""


def job_url(account_url: str, job_id: str, portal: str | None, account_resource_id: str | None) -> str:
    """Where a person looks at the job.

    :param portal: the cloud's portal, such as ``https://portal.azure.com``.
    :param account_resource_id: Resource Manager's id of the Batch account.
    """
    if portal and account_resource_id:
        return f"{portal}/#resource{account_resource_id}/jobs"
    return f"{account_url}/jobs/{job_id}"
