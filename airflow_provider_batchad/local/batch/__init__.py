"""The Batch service of local Azure: one account's REST API, and nodes that run tasks as real processes."""

from __future__ import annotations

from airflow_provider_batchad.local.batch.account import BatchAccount
from airflow_provider_batchad.local.batch.api import BatchApi

__all__ = ["BatchAccount", "BatchApi"]
