"""The options of the section ``[batchad]`` of the Airflow configuration, as plain data."""

from __future__ import annotations

from typing import Any, Final

SECTION: Final = "batchad"
DEFAULT_MAX_JOB_DURATION_SECONDS: Final = 7 * 24 * 3600

OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "clouds": {
        "description": (
            "Clouds besides public, us_government and china that a connection may pick by name: a JSON "
            "object from a name to an object with the keys authority, batch_resource, batch_suffix, "
            "vault_resource, vault_suffix, management, management_resource, storage_resource, "
            "blob_suffix and ca_file."
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
            "Seconds after which Batch ends a job whose Airflow task has no execution_timeout: no job "
            "outlives everybody who knew of it."
        ),
        "version_added": "0.1.0",
        "type": "integer",
        "example": None,
        "default": str(DEFAULT_MAX_JOB_DURATION_SECONDS),
    },
    "token_cache": {
        "description": (
            "Whether the processes of one machine and user share their tokens for Azure Batch, in files that "
            "are encrypted with Airflow's Fernet key. Without that key nothing is shared."
        ),
        "version_added": "0.1.0",
        "type": "boolean",
        "example": None,
        "default": "True",
    },
    "token_cache_dir": {
        "description": (
            "The directory of the shared tokens: the user's own, of mode 0700, made where it is missing. By "
            "default batchad in $XDG_RUNTIME_DIR, $XDG_CACHE_HOME or ~/.cache, whichever is there first. On "
            "a volume, a folder below its mount: the mount itself is seldom the user's own."
        ),
        "version_added": "0.1.0",
        "type": "string",
        "example": "/var/lib/airflow/tokens",
        "default": "",
    },
    "federated_dir": {
        "description": (
            "The directory that a connection's federated_file lies below: whatever renews another issuer's "
            "tokens writes them there. By default no connection may name a file."
        ),
        "version_added": "0.1.0",
        "type": "string",
        "example": "/var/run/secrets/federated",
        "default": "",
    },
    "login_dir": {
        "description": (
            "The directory where airflow batchad login keeps what a person got: the user's own, of mode "
            "0700, made where it is missing. By default batchad/logins in $XDG_STATE_HOME or ~/.local/state."
        ),
        "version_added": "0.1.0",
        "type": "string",
        "example": None,
        "default": "",
    },
    "integrated_unattended": {
        "description": (
            "Whether what Airflow runs by itself may sign in as the person who has logged in on its machine "
            "(sign_in integrated). For an Airflow on a developer's own machine."
        ),
        "version_added": "0.1.0",
        "type": "boolean",
        "example": None,
        "default": "False",
    },
}
