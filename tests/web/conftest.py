"""The Airflow of `tests/airflow`, for its web page."""

from __future__ import annotations

from tests.airflow.conftest import deployment

__all__ = ["deployment"]
