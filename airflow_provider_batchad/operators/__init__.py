"""What a DAG author types to have a Batch job run."""

from __future__ import annotations

from airflow_provider_batchad.operators.submit_job import AzureBatchSubmitJobOperator

__all__ = ["AzureBatchSubmitJobOperator"]
