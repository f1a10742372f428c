"""Local Azure: a stand-in for Microsoft Entra ID, managed identity, Key Vault, Resource Manager and Batch.

It listens on loopback alone, over TLS.

::

    from airflow_provider_batchad.local import LocalAzure

    with LocalAzure() as azure:
        azure.endpoints.batch, azure.ca_file, azure.ledger, azure.faults, azure.clock
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_batchad.local.config import LocalAzureConfig
    from airflow_provider_batchad.local.server import LocalAzure

__all__ = ["LocalAzure", "LocalAzureConfig"]


def __getattr__(name: str) -> Any:
    # The command line imports this package for its arguments alone; the web server loads on first use.
    if name == "LocalAzure":
        from airflow_provider_batchad.local.server import LocalAzure

        return LocalAzure
    if name == "LocalAzureConfig":
        from airflow_provider_batchad.local.config import LocalAzureConfig

        return LocalAzureConfig
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
