"""What a DAG author types to have Batch jobs run, and to manage the pools that they run on."""

from __future__ import annotations

from airflow_provider_batchad.operators.pools import (
    AzureBatchCreatePoolOperator,
    AzureBatchDeletePoolOperator,
    AzureBatchResizePoolOperator,
)
from airflow_provider_batchad.operators.submit_job import AzureBatchSubmitJobOperator

__all__ = [
    "AzureBatchCreatePoolOperator",
    "AzureBatchDeletePoolOperator",
    "AzureBatchResizePoolOperator",
    "AzureBatchSubmitJobOperator",
]
