"""The cloud as Resource Manager describes it to whoever asks, in the shape of API version 2022-09-01."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_batchad.local.config import BATCH_RESOURCE

if TYPE_CHECKING:
    from airflow_provider_batchad.local.endpoints import Endpoints


def describe_endpoints(endpoints: Endpoints) -> dict[str, Any]:
    """What ``az cloud register --endpoint-resource-manager`` reads.

    There is no Microsoft Graph here. Its address is Resource Manager's own, so that what the Azure CLI would
    ask it does not leave the machine, and is refused.
    """
    return {
        "name": "local",
        "authentication": {
            "loginEndpoint": endpoints.entra,
            "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "resourceManager": endpoints.management,
        "gallery": endpoints.management,
        "portal": endpoints.control,
        "batch": BATCH_RESOURCE,
        "graphAudience": "https://graph.windows.net/",
        "microsoftGraphResourceId": endpoints.management,
        "suffixes": {
            "keyVaultDns": endpoints.keyvault.removeprefix("https://"),
            "storage": endpoints.storage.removeprefix("https://"),
        },
    }
