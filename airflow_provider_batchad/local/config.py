"""What local Azure holds when it starts, as plain data with the defaults of a plausible tenant."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from airflow_provider_batchad.local.resource_ids import ResourceIds, ResourceName

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_batchad.local.access import Role
    from airflow_provider_batchad.local.faults import FaultRule

DEFAULT_PORT: Final = 10443
MOST_NODES: Final = 10_000
MOST_SLOTS: Final = 256
SERVICES: Final = ("entra", "identity", "keyvault", "batch", "storage", "control", "management")
ServiceName = Literal["entra", "identity", "keyvault", "batch", "storage", "control", "management"]
BATCH_RESOURCE: Final = "https://batch.core.windows.net/"
VAULT_RESOURCE: Final = "https://vault.azure.net"
STORAGE_RESOURCE: Final = "https://storage.azure.com"
LOOPBACK_HOSTS: Final = ("localhost", "127.0.0.1", "::1")

_NAMESPACE: Final = uuid.UUID("5b0f0f4c-54c8-4f5e-9c6e-2f6f0f5f8f10")


def stable_id(*names: str) -> str:
    """A GUID that is the same in every run, so that stored connections outlive a restart."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(names)))


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantConfig:
    """A Microsoft Entra tenant."""

    id: str = stable_id("tenant", "contoso")
    domain: str = "contoso.onmicrosoft.com"
    display_name: str = "Contoso"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationConfig:
    """An application with a service principal in the tenant.

    :param secret: its client secret; a random one by default.
    :param vault_secret_name: where Key Vault keeps that secret, if it does.
    :param tenant_id: one of ``other_tenants``; the main tenant by default.
    :param redirect_uris: where a person who signed in with it may be sent back to; of ``http://localhost``
        any port is meant.
    :param public_client: whether people sign in with it although it proves nothing about itself.
    """

    name: str
    client_id: str = ""
    object_id: str = ""
    secret: str | None = field(default=None, repr=False)
    vault_secret_name: str | None = None
    tenant_id: str | None = None
    redirect_uris: tuple[str, ...] = ("http://localhost",)
    public_client: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "client_id", self.client_id or stable_id("application", self.name))
        object.__setattr__(self, "object_id", self.object_id or stable_id("service principal", self.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedIdentityConfig:
    """A managed identity of the machine that local Azure pretends to be the host of."""

    name: str
    system_assigned: bool = False
    client_id: str = ""
    object_id: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "client_id", self.client_id or stable_id("identity client", self.name))
        object.__setattr__(self, "object_id", self.object_id or stable_id("identity object", self.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class UserConfig:
    """A person in a tenant.

    :param name: the user principal name.
    :param tenant_id: one of ``other_tenants``; the main tenant by default.
    """

    name: str
    display_name: str = ""
    object_id: str = ""
    tenant_id: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "display_name", self.display_name or self.name.partition("@")[0])
        object.__setattr__(self, "object_id", self.object_id or stable_id("user", self.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadIdentityConfig:
    """A projected service account token on the simulated machine, as Kubernetes gives one to a pod.

    :param application: the name of the application that takes it for proof.
    :param subject: whom the token names.
    :param token_lifetime_seconds: it is renewed when four fifths of this have passed, as the kubelet does.
    """

    application: str = "airflow-batch"
    subject: str = "system:serviceaccount:airflow:airflow-worker"
    token_lifetime_seconds: float = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultSecretConfig:
    """A secret in the vault at start.

    :param confidential: ``False`` for what is no secret at all, such as a tenant ID: it is left out of the
        file of secrets.
    """

    name: str
    value: str = field(repr=False)
    confidential: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolConfig:
    """A Batch pool that exists at start.

    :param nodes: 0 to 10,000.
    :param slots: task slots of each node, 1 to 256, as Azure has it.
    :param identities: managed identities (by name) that its nodes may use for blobs.
    """

    id: str
    nodes: int = 2
    slots: int = 4
    vm_size: str = "STANDARD_D2S_V3"
    identities: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.nodes <= MOST_NODES:
            raise ValueError(f"pool {self.id!r}: nodes must be 0 to {MOST_NODES}, not {self.nodes}")
        if not 1 <= self.slots <= MOST_SLOTS:
            raise ValueError(f"pool {self.id!r}: slots must be 1 to {MOST_SLOTS}, not {self.slots}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchApplicationConfig:
    """An application of the Batch account.

    :param packages: a zip file by version.
    """

    id: str
    display_name: str | None = None
    packages: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignmentConfig:
    """A role for an application or managed identity (by name) at a resource of local Azure.

    :param role: name or id, built-in or one of ``roles``.
    """

    principal: str
    role: str
    resource: ResourceName


AIRFLOW_APPLICATION: Final = ApplicationConfig(name="airflow-batch", vault_secret_name="batch-client-secret")  # noqa: S106 - a name
WORKER_IDENTITY: Final = ManagedIdentityConfig(name="airflow-worker", system_assigned=True)
POOL_IDENTITY: Final = ManagedIdentityConfig(name="batch-node")
DEVELOPER: Final = UserConfig(name="developer@contoso.onmicrosoft.com", display_name="Dana Developer")
# Known in every tenant. azure-identity's interactive credentials use it too where they are told no client ID.
AZURE_CLI: Final = ApplicationConfig(
    name="Microsoft Azure CLI", client_id="04b07795-8ddb-461a-bbee-02f9e1bf7b46", public_client=True
)
# What results in a container need; no default.
BLOB_ASSIGNMENTS: Final = (
    AssignmentConfig(principal=POOL_IDENTITY.name, role="Storage Blob Data Contributor", resource="storage"),
    AssignmentConfig(principal=AIRFLOW_APPLICATION.name, role="Storage Blob Data Reader", resource="storage"),
)
DEFAULT_ASSIGNMENTS: Final = (
    AssignmentConfig(principal="airflow-batch", role="Azure Batch Job Submitter", resource="batch"),
    AssignmentConfig(principal="airflow-worker", role="Key Vault Secrets User", resource="keyvault"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalAzureConfig(ResourceIds):
    """Everything that can be chosen before local Azure starts.

    :param host: where to listen: ``localhost`` (IPv4 and, where the machine has it, IPv6), ``127.0.0.1`` or
        ``::1``. Another address is refused.
    :param port: of the first service, the others follow in the order of ``SERVICES``; 0 lets the system
        choose each.
    :param tenant: the account's and the vault's.
    :param shared_key: whether the account takes its keys beside tokens, as an account does unless that was
        taken from its ``allowedAuthenticationModes``.
    :param users: the people who may sign in.
    :param workload_identity: whether the machine is given a projected token, which is written to a file; none
        by default.
    :param token_lifetime_seconds: of every token; Entra ID's own is 60 to 90 minutes.
    :param device_code_interval_seconds: how long a device is told to wait between two questions.
    :param vault_secrets: beside the applications' own secrets, which Key Vault keeps where they name one; by
        default ``batch-tenant-id`` and ``batch-client-id``, those of the first application.
    :param containers: of the storage account, at start.
    :param files_dir: a directory that the storage service lets everyone read.
    :param state_dir: keeps all that there is between runs, but faults and the ledger; for one local Azure at
        a time. What it holds counts; what the configuration has beside it is added. In memory by default.
    :param secrets_file: gets every secret and token, one a line, so that logs and databases can be searched
        for them by value.
    :param ledger_size: how many requests the ledger keeps; the counts cover all of them.
    :param job_quota: how many jobs and job schedules may be active at once; Azure grants 1,000 at most.
    :param container_runtime: ``docker``, ``podman`` or the path of one: container tasks of pools with a
        container configuration run with it, as who runs local Azure; by default they fail.
    :param clock: where the clock starts, with a time zone; the machine's own time by default.
    :param frozen: whether it stands still there.
    :param faults: rules in force from the first request on.
    """

    host: str = "localhost"
    port: int = DEFAULT_PORT
    account: str = "demo"
    region: str = "westeurope"
    subscription_id: str = stable_id("subscription")
    resource_group: str = "airflow"
    vault: str = "airflow-vault"
    tenant: TenantConfig = TenantConfig()
    other_tenants: tuple[TenantConfig, ...] = ()
    applications: tuple[ApplicationConfig, ...] = (AIRFLOW_APPLICATION,)
    managed_identities: tuple[ManagedIdentityConfig, ...] = (WORKER_IDENTITY,)
    users: tuple[UserConfig, ...] = (DEVELOPER,)
    workload_identity: WorkloadIdentityConfig | None = None
    vault_secrets: tuple[VaultSecretConfig, ...] | None = None
    pools: tuple[PoolConfig, ...] = (PoolConfig(id="cpu"),)
    batch_applications: tuple[BatchApplicationConfig, ...] = ()
    roles: tuple[Role, ...] = ()
    assignments: tuple[AssignmentConfig, ...] = DEFAULT_ASSIGNMENTS
    shared_key: bool = True
    token_lifetime_seconds: float = 3600.0
    device_code_interval_seconds: int = 5
    containers: tuple[str, ...] = ()
    files_dir: Path | None = None
    state_dir: Path | None = None
    secrets_file: Path | None = None
    ledger_size: int = 200_000
    job_quota: int = 1000
    container_runtime: str | None = None
    clock: datetime | None = None
    frozen: bool = False
    faults: tuple[FaultRule, ...] = ()

    def __post_init__(self) -> None:
        if self.host not in LOOPBACK_HOSTS:
            raise ValueError(
                f"host {self.host!r} is not loopback: local Azure is for development and listens only on "
                f"{', '.join(LOOPBACK_HOSTS)}"
            )
        if not 0 <= self.port <= 65535 - len(SERVICES):
            raise ValueError(f"port must be 0 (any) to {65535 - len(SERVICES)}, not {self.port}")
        if self.clock is not None and self.clock.tzinfo is None:
            raise ValueError("clock must have a time zone, such as 2026-01-01T00:00:00Z")
        if self.token_lifetime_seconds <= 0:
            raise ValueError(f"token_lifetime_seconds must be above 0, not {self.token_lifetime_seconds}")
        for pool in self.pools:
            for name in pool.identities:
                self._user_assigned(name, pool.id)

    @property
    def authentication_modes(self) -> list[str]:
        """The account's ``allowedAuthenticationModes``."""
        return ["AAD", "SharedKey"] if self.shared_key else ["AAD"]

    def identities_of(self, pool: PoolConfig) -> list[tuple[str, ManagedIdentityConfig]]:
        """The managed identities of a pool, by their resource IDs."""
        found = [self._user_assigned(name, pool.id) for name in pool.identities]
        return [(self.identity_scope(one), one) for one in found]

    def _user_assigned(self, name: str, pool_id: str) -> ManagedIdentityConfig:
        for identity in self.managed_identities:
            if identity.name == name and not identity.system_assigned:
                return identity
        raise ValueError(f"pool {pool_id!r}: there is no user-assigned managed identity {name!r}")

    @property
    def initial_vault_secrets(self) -> tuple[VaultSecretConfig, ...]:
        """What the vault holds at first, the applications' own secrets aside."""
        if self.vault_secrets is not None or not self.applications:
            return self.vault_secrets or ()
        first = self.applications[0]
        ids = {"batch-tenant-id": first.tenant_id or self.tenant.id, "batch-client-id": first.client_id}
        return tuple(
            VaultSecretConfig(name=name, value=value, confidential=False) for name, value in ids.items()
        )
