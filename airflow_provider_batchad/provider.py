"""What Airflow is told about this package (entry point ``apache_airflow_provider``)."""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """The provider's metadata, as ``airflow/provider_info.schema.json`` has it."""
    return {
        "package-name": "airflow-provider-batchad",
        "name": "Azure Batch (Microsoft Entra ID)",
        "description": "Azure Batch jobs by a service principal whose secret stays in Key Vault.",
    }
