"""The services of one local Azure, put together."""

from __future__ import annotations

import contextlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_batchad.local.batch import BatchAccount, BatchApi
from airflow_provider_batchad.local.claims_challenge import ChallengingService, ClaimsChallenge
from airflow_provider_batchad.local.config import BATCH_RESOURCE, STORAGE_RESOURCE, VAULT_RESOURCE
from airflow_provider_batchad.local.control.routes import Control
from airflow_provider_batchad.local.entra.routes import EntraId
from airflow_provider_batchad.local.keyvault.access import VaultAccess
from airflow_provider_batchad.local.keyvault.routes import KeyVault
from airflow_provider_batchad.local.machine.identity import MachineIdentity
from airflow_provider_batchad.local.machine.projected_token import ProjectedToken
from airflow_provider_batchad.local.management.errors import AUDIENCES as MANAGEMENT_AUDIENCES
from airflow_provider_batchad.local.management.resources import Resources
from airflow_provider_batchad.local.management.routes import ResourceManager
from airflow_provider_batchad.local.service import Routes, Service
from airflow_provider_batchad.local.shared_key import AccountAccess, SharedKeys
from airflow_provider_batchad.local.storage.identity_access import AUDIENCES as STORAGE_AUDIENCES
from airflow_provider_batchad.local.storage.identity_access import IdentityAccess
from airflow_provider_batchad.local.storage.routes import Storage

if TYPE_CHECKING:
    from aiohttp import web

    from airflow_provider_batchad.local.config import ServiceName
    from airflow_provider_batchad.local.entra.tokens import Principal
    from airflow_provider_batchad.local.server import LocalAzure


async def build_services(
    azure: LocalAzure, directory: Path, stack: contextlib.AsyncExitStack
) -> list[Service]:
    """All services, ready to be served; what must end with them is pushed on ``stack``."""
    entra = EntraId(
        authority=azure.endpoints.entra,
        directory=azure.directory,
        issuers=azure.issuers,
        sign_ins=azure.sign_ins,
        tokens=azure.tokens,
        clock=azure.clock,
        secrets_file=azure.secrets_file,
    )
    await _start_workload_identity(azure, directory, stack)
    identity = MachineIdentity(
        directory=azure.directory,
        tokens=azure.tokens,
        clock=azure.clock,
        secrets_file=azure.secrets_file,
        workload_issuer=azure.workload_issuer,
    )
    azure.machine_identity = identity
    azure.identity_header = identity.header
    vault_access = VaultAccess(
        authority=azure.endpoints.entra,
        config=azure.config,
        vault=azure.vault,
        tokens=azure.tokens,
        roles=azure.roles,
    )
    keyvault = KeyVault(base_url=azure.endpoints.keyvault, vault=azure.vault, access=vault_access)
    azure.storage = Storage(
        url=azure.endpoints.storage,
        clock=azure.clock,
        root=directory / "storage",
        files_dir=azure.config.files_dir,
        identities=IdentityAccess(
            authority=azure.endpoints.entra, config=azure.config, tokens=azure.tokens, roles=azure.roles
        ),
    )
    if azure.state is not None:
        azure.state.restore_late(azure)
    for name in azure.config.containers:
        azure.storage.containers.create(name)
    azure.batch = await _start_account(azure, directory, stack)
    shared_keys = SharedKeys(
        account=azure.config.account,
        tenant_id=azure.config.tenant.id,
        keys=azure.account_keys,
        clock=azure.clock,
        allowed=azure.config.shared_key,
    )
    batch = BatchApi(
        azure.batch,
        identify=partial(_identify_for_batch, azure, shared_keys),
        roles=AccountAccess(azure.roles.at(azure.config.account_scope), shared_keys.owner),
        tenant_id=azure.config.tenant.id,
    )
    management = ResourceManager(
        config=azure.config,
        endpoints=azure.endpoints,
        roles=azure.roles,
        tokens=azure.tokens,
        clock=azure.clock,
        resources=Resources(
            config=azure.config,
            endpoints=azure.endpoints,
            keys=azure.account_keys,
            read_job_quota=lambda: azure.batch.job_flow.quota,
        ),
        knows_principal=azure.directory.knows_principal,
    )
    parts: dict[ServiceName, Routes] = {
        "entra": entra,
        "identity": identity,
        "keyvault": _challenged(azure, "keyvault", keyvault, (VAULT_RESOURCE,)),
        "batch": _challenged(azure, "batch", batch, (BATCH_RESOURCE,)),
        "storage": _challenged(azure, "storage", azure.storage, STORAGE_AUDIENCES),
        "control": Control(azure, entra.people),
        "management": _challenged(azure, "management", management, MANAGEMENT_AUDIENCES),
    }
    return [
        Service(name, part, clock=azure.clock, ledger=azure.ledger, faults=azure.faults)
        for name, part in parts.items()
    ]


def _identify_for_batch(azure: LocalAzure, shared_keys: SharedKeys, request: web.Request) -> Principal:
    if shared_keys.signs(request):
        return shared_keys.verify(request)
    return azure.tokens.verify_header(
        request.headers.get("Authorization"), audience=BATCH_RESOURCE, tenant_id=azure.config.tenant.id
    )


def _challenged(
    azure: LocalAzure, name: ChallengingService, part: Routes, audiences: tuple[str, ...]
) -> Routes:
    return ClaimsChallenge(
        name,
        part,
        audiences=audiences,
        authority=azure.endpoints.entra,
        demands=azure.claims_demands,
        tokens=azure.tokens,
        clock=azure.clock,
    )


async def _start_workload_identity(
    azure: LocalAzure, directory: Path, stack: contextlib.AsyncExitStack
) -> None:
    issuer, config = azure.workload_issuer, azure.config.workload_identity
    issuer.move_to(azure.endpoints.identity)
    azure.issuers.register(issuer.url, issuer.public_keys)
    if config is None:
        return
    application = azure.directory.principal(config.application)
    # One that was kept may name the port of another run.
    azure.directory.remove_federated_credential(application.app_id, "workload-identity")
    azure.directory.add_federated_credential(
        application.app_id, issuer=issuer.url, subject=config.subject, name="workload-identity"
    )
    token = ProjectedToken(directory / "azure-identity-token", config, issuer=issuer, clock=azure.clock)
    azure.federated_token_file = token.path
    stack.push_async_callback(token.stop)
    await token.start()


async def _start_account(
    azure: LocalAzure, directory: Path, stack: contextlib.AsyncExitStack
) -> BatchAccount:
    account = BatchAccount(
        azure.config,
        clock=azure.clock,
        base_url=azure.endpoints.batch,
        work_dir=directory / "nodes",
        auto_storage=partial(azure.storage.container_url, permissions="rl"),
        identities=partial(azure.machine_identity.token_of, resource=STORAGE_RESOURCE),
        storage_url=azure.endpoints.storage,
        ca_file=azure.ca_file,
        job_quota=azure.config.job_quota,
        container_runtime=azure.config.container_runtime,
    )
    stack.push_async_callback(account.stop)
    if azure.state is not None:
        azure.state.restore_account(azure, account)
    await account.start()
    account.resume()
    return account
