"""Waiting for Batch in the triggerer."""

from __future__ import annotations

from airflow_provider_batchad.triggers.job import AzureBatchJobTrigger
from airflow_provider_batchad.triggers.quota import AzureBatchQuotaTrigger

__all__ = ["AzureBatchJobTrigger", "AzureBatchQuotaTrigger"]
