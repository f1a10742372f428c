"""The settings that clients of a running local Azure need, as environment variables."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.local.config import (
    BATCH_RESOURCE,
    STORAGE_RESOURCE,
    VAULT_RESOURCE,
)
from airflow_provider_batchad.local.machine.identity import APP_SERVICE_PATH
from airflow_provider_batchad.local.resource_ids import STORAGE_ACCOUNT

if TYPE_CHECKING:
    from airflow_provider_batchad.local.server import LocalAzure

CLOUD_NAME: Final = "local"


def describe_cloud(azure: LocalAzure) -> dict[str, str]:
    """The cloud as the Airflow configuration defines it, section ``[batchad]``, option ``clouds``."""
    endpoints = azure.endpoints
    return {
        "authority": endpoints.entra,
        "batch_resource": BATCH_RESOURCE,
        "batch_suffix": endpoints.batch.removeprefix("https://"),
        "vault_resource": VAULT_RESOURCE,
        "vault_suffix": endpoints.keyvault.removeprefix("https://"),
        "management": endpoints.management,
        "management_resource": "https://management.core.windows.net/",
        "storage_resource": STORAGE_RESOURCE,
        "blob_suffix": endpoints.storage.removeprefix("https://"),
        "ca_file": str(azure.ca_file),
    }


def describe_connection(azure: LocalAzure) -> dict[str, Any]:
    """The Airflow connection of the first application, with nothing secret in it."""
    config = azure.config
    application = config.applications[0]
    return {
        "conn_type": "azure_batch_ad",
        "host": azure.endpoints.batch,
        "login": application.client_id,
        "extra": {
            "tenant_id": application.tenant_id or config.tenant.id,
            "sign_in": "service_principal",
            "vault_url": azure.endpoints.keyvault,
            "vault_credential_name": application.vault_secret_name,
            "vault_sign_in": "managed_identity",
            "cloud": CLOUD_NAME,
            "account_resource_id": config.account_scope,
        },
    }


def client_environment(azure: LocalAzure) -> dict[str, str]:
    """What to export for Airflow with this provider, and for scripts that use the control port."""
    return {
        **_workload_identity(azure),
        "AIRFLOW__BATCHAD__CLOUDS": json.dumps({CLOUD_NAME: describe_cloud(azure)}),
        "AIRFLOW_CONN_BATCHAD_DEFAULT": json.dumps(describe_connection(azure)),
        "IDENTITY_ENDPOINT": azure.endpoints.identity + APP_SERVICE_PATH,
        "IDENTITY_HEADER": azure.identity_header,
        "BATCHAD_LOCAL_CA_FILE": str(azure.ca_file),
        "BATCHAD_LOCAL_CONTROL": azure.endpoints.control,
        "BATCHAD_LOCAL_MANAGEMENT": azure.endpoints.management,
        "BATCHAD_LOCAL_STORAGE": azure.endpoints.storage,
        **_containers(azure),
    }


def _containers(azure: LocalAzure) -> dict[str, str]:
    config = azure.config
    if not config.containers:
        return {}
    identities = [resource_id for pool in config.pools for resource_id, _ in config.identities_of(pool)]
    return {
        "BATCHAD_LOCAL_CONTAINER": f"{azure.endpoints.storage}/{STORAGE_ACCOUNT}/{config.containers[0]}",
        **({"BATCHAD_LOCAL_POOL_IDENTITY": identities[0]} if identities else {}),
    }


def _workload_identity(azure: LocalAzure) -> dict[str, str]:
    config = azure.config.workload_identity
    if config is None:
        return {}
    principal = azure.directory.principal(config.application)
    # The names that the webhook of Azure Workload Identity sets in a pod.
    return {
        "AZURE_FEDERATED_TOKEN_FILE": str(azure.federated_token_file),
        "AZURE_TENANT_ID": principal.tenant_id,
        "AZURE_CLIENT_ID": principal.app_id,
        "AZURE_AUTHORITY_HOST": azure.endpoints.entra,
    }


def export_lines(environment: dict[str, str]) -> str:
    """The environment as lines that a POSIX shell takes."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())
