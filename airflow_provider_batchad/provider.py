"""What Airflow is told about this package (entry point ``apache_airflow_provider``).

Airflow calls this at the start of every one of its processes: nothing heavy is imported for it.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_batchad.airflow_options import OPTIONS, SECTION
from airflow_provider_batchad.connection_form import (
    CONNECTION_TYPE,
    CONNECTION_TYPE_NAME,
    conn_fields,
    ui_field_behaviour,
)

_PACKAGE = "airflow_provider_batchad"
_INTEGRATION = CONNECTION_TYPE_NAME


def get_provider_info() -> dict[str, Any]:
    """The provider's metadata, as ``airflow/provider_info.schema.json`` has it."""
    return {
        "package-name": "airflow-provider-batchad",
        "name": _INTEGRATION,
        "description": (
            "Azure Batch jobs by a service principal whose secret stays in Key Vault, with a fresh token for "
            "every request and a custom role that may submit jobs and nothing else."
        ),
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://learn.microsoft.com/azure/batch/",
                "tags": ["azure"],
            }
        ],
        "connection-types": [
            {
                "connection-type": CONNECTION_TYPE,
                "hook-class-name": f"{_PACKAGE}.hooks.batch.AzureBatchAdHook",
                "hook-name": CONNECTION_TYPE_NAME,
                "ui-field-behaviour": ui_field_behaviour(),
                "conn-fields": conn_fields(),
            }
        ],
        "hooks": [{"integration-name": _INTEGRATION, "python-modules": [f"{_PACKAGE}.hooks.batch"]}],
        "operators": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": [f"{_PACKAGE}.operators.pools", f"{_PACKAGE}.operators.submit_job"],
            }
        ],
        "triggers": [{"integration-name": _INTEGRATION, "python-modules": [f"{_PACKAGE}.triggers.job"]}],
        "extra-links": [f"{_PACKAGE}.links.AzureBatchJobLink"],
        "cli": [f"{_PACKAGE}.cli.get_commands"],
        "config": {
            SECTION: {"description": "Azure Batch (airflow-provider-batchad).", "options": dict(OPTIONS)}
        },
    }
