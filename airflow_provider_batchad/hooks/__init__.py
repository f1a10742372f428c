"""An Airflow connection made into a Batch client."""

from __future__ import annotations

from airflow_provider_batchad.hooks.batch import AzureBatchAdHook
from airflow_provider_batchad.hooks.batch_async import AzureBatchAdAsyncHook

__all__ = ["AzureBatchAdAsyncHook", "AzureBatchAdHook"]
