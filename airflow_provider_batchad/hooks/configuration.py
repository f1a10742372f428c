"""The section ``[batchad]`` of the Airflow configuration, read and checked."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_batchad.clouds import AzureCloud

SECTION = "batchad"
DEFAULT_MAX_JOB_DURATION_SECONDS = 7 * 24 * 3600

OPTIONS: dict[str, dict[str, Any]] = {
    "clouds": {
        "description": (
            "Clouds besides public, us_government and china that a connection may pick by name: a JSON object "
            "from a name to an object with the keys authority, batch_resource, batch_suffix, vault_resource, "
            "vault_suffix, management, management_resource and ca_file."
        ),
        "version_added": "0.1.0",
        "type": "string",
        "example": None,
        "default": "",
    },
    "deployment": {
        "description": (
            "Names this Airflow deployment in the ids of its Batch jobs. Give each deployment its own name "
            "where several of them use one Batch account."
        ),
        "version_added": "0.1.0",
        "type": "string",
        "example": "production",
        "default": "",
    },
    "max_job_duration": {
        "description": (
            "Seconds after which Batch ends a job whose Airflow task has no execution_timeout: no job outlives "
            "everybody who knew of it."
        ),
        "version_added": "0.1.0",
        "type": "integer",
        "example": None,
        "default": str(DEFAULT_MAX_JOB_DURATION_SECONDS),
    },
}


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
