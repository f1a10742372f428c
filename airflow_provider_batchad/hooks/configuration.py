"""The section ``[batchad]`` of the Airflow configuration, read and checked."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_batchad.airflow_options import DEFAULT_MAX_JOB_DURATION_SECONDS, SECTION

if TYPE_CHECKING:
    from airflow_provider_batchad.clouds import AzureCloud


def custom_clouds() -> dict[str, AzureCloud]:
    """The clouds that ``[batchad] clouds`` defines.

    :raises CloudConfigurationError: names the cloud and the key at fault.
    """
    from airflow.providers.common.compat.sdk import conf

    from airflow_provider_batchad.clouds import parse_custom_clouds

    return parse_custom_clouds(conf.get(SECTION, "clouds", fallback=None))


def deployment() -> str:
    """The name of this Airflow deployment; empty where it has none."""
    from airflow.providers.common.compat.sdk import conf

    return (conf.get(SECTION, "deployment", fallback="") or "").strip()


def max_job_duration() -> timedelta:
    """How long a job may live whose Airflow task has no ``execution_timeout``."""
    from airflow.providers.common.compat.sdk import conf

    seconds = conf.getint(SECTION, "max_job_duration", fallback=DEFAULT_MAX_JOB_DURATION_SECONDS)
    if seconds <= 0:
        raise ValueError("[batchad] max_job_duration must be a number of seconds above 0")
    return timedelta(seconds=seconds)
