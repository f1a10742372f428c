"""What local Azure keeps across restarts, in one file of a directory that is replaced in one step."""

from __future__ import annotations

from airflow_provider_batchad.local.state.file import StateRefused
from airflow_provider_batchad.local.state.keeper import StateKeeper

__all__ = ["StateKeeper", "StateRefused"]
