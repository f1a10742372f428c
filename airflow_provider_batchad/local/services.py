"""The six services of one local Azure, put together."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_batchad.local.control import Control
from airflow_provider_batchad.local.entra import EntraId
from airflow_provider_batchad.local.keyvault import KeyVault
from airflow_provider_batchad.local.machine_identity import MachineIdentity
from airflow_provider_batchad.local.service import Routes, Service
from airflow_provider_batchad.local.storage import Storage

if TYPE_CHECKING:
    from airflow_provider_batchad.local.config import ServiceName
    from airflow_provider_batchad.local.server import LocalAzure


async def build_services(
    azure: LocalAzure, directory: Path, stack: contextlib.AsyncExitStack
) -> list[Service]:
    """All services, ready to be served; what must end with them is pushed on ``stack``."""
    entra = EntraId(
        authority=azure.endpoints.entra,
        directory=azure.directory,
        tokens=azure.tokens,
        clock=azure.clock,
        secrets_file=azure.secrets_file,
    )
    identity = MachineIdentity(
        directory=azure.directory,
        tokens=azure.tokens,
        clock=azure.clock,
        secrets_file=azure.secrets_file,
    )
    azure.identity_header = identity.header
    keyvault = KeyVault(
        base_url=azure.endpoints.keyvault,
        authority=azure.endpoints.entra,
        config=azure.config,
        vault=azure.vault,
        tokens=azure.tokens,
        roles=azure.roles,
    )
    parts: dict[ServiceName, Routes] = {
        "entra": entra,
        "identity": identity,
        "keyvault": keyvault,
        "storage": Storage(azure.config.files_dir),
        "control": Control(azure),
    }
    return [
        Service(name, part, clock=azure.clock, ledger=azure.ledger, faults=azure.faults)
        for name, part in parts.items()
    ]
