"""Waiting for Batch in the triggerer."""

from __future__ import annotations

from airflow_provider_batchad.triggers.job import AzureBatchJobTrigger

__all__ = ["AzureBatchJobTrigger"]
