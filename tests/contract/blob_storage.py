"""A storage account whose container nodes write by their pool's identity, and Airflow's application reads."""

from __future__ import annotations

from typing import Any, Final

from airflow_provider_batchad.local.config import (
    BLOB_ASSIGNMENTS,
    DEFAULT_ASSIGNMENTS,
    POOL_IDENTITY,
    WORKER_IDENTITY,
    AssignmentConfig,
    LocalAzureConfig,
    ManagedIdentityConfig,
    PoolConfig,
)
from airflow_provider_batchad.local.resource_ids import STORAGE_ACCOUNT
from airflow_provider_batchad.local.server import LocalAzure

NODE: Final = POOL_IDENTITY
OTHER: Final = ManagedIdentityConfig(name="somebody-else")
WRITES, READS = BLOB_ASSIGNMENTS
CONTAINER: Final = "results"


def config_with(*assignments: AssignmentConfig, **changes: Any) -> LocalAzureConfig:
    """Local Azure where the nodes of the pool ``cpu`` have an identity."""
    given: dict[str, Any] = {
        "port": 0,
        "managed_identities": (WORKER_IDENTITY, NODE, OTHER),
        "pools": (PoolConfig(id="cpu", identities=(NODE.name,)), PoolConfig(id="plain")),
        "assignments": (*DEFAULT_ASSIGNMENTS, *assignments),
    }
    return LocalAzureConfig(**{**given, **changes})


def container_url(azure: LocalAzure, name: str = CONTAINER) -> str:
    """The URL of a container, without a signature; the container is made."""
    azure.storage.containers.create(name)
    return f"{azure.endpoints.storage}/{STORAGE_ACCOUNT}/{name}"


def outputs_in(azure: LocalAzure, **changes: Any) -> dict[str, Any]:
    """The argument ``outputs``."""
    return {
        "container_url": container_url(azure),
        "files": "r.json",
        "identity_resource_id": azure.config.identity_scope(NODE),
        **changes,
    }
