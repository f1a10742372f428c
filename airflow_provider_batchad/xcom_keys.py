"""The keys under which a task instance says in XCom which Batch job is its own."""

from __future__ import annotations

from typing import Final

JOB_ID_XCOM_KEY: Final = "batch_job_id"
JOB_URL_XCOM_KEY: Final = "batch_job_url"
