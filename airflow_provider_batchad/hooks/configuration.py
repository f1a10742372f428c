"""The section ``[batchad]`` of the Airflow configuration, read and checked."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
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


def shares_tokens() -> bool:
    """Whether the processes of this machine are to share their tokens."""
    from airflow.providers.common.compat.sdk import conf

    return bool(conf.getboolean(SECTION, "token_cache", fallback=True))


def token_cache_dir() -> Path | None:
    """Where they do so; ``None`` for a directory of the user's own.

    :raises ValueError: the path is not absolute, so that it would depend on where a process was started.
    """
    from airflow.providers.common.compat.sdk import conf

    path = (conf.get(SECTION, "token_cache_dir", fallback="") or "").strip()
    if path and not Path(path).expanduser().is_absolute():
        raise ValueError("[batchad] token_cache_dir must be an absolute path")
    return Path(path).expanduser() if path else None
