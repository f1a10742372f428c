"""Where things are in Azure's tree of resources: the resource IDs of all that local Azure has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from airflow_provider_batchad.local.config import ManagedIdentityConfig, TenantConfig

STORAGE_ACCOUNT: Final = "localstorage"
ResourceName = Literal["batch", "keyvault", "storage", "resource_group", "subscription", "management_group"]

_USER_ASSIGNED: Final = "Microsoft.ManagedIdentity/userAssignedIdentities"
_MACHINE: Final = "Microsoft.Compute/virtualMachines"


class ResourceIds:
    """The scopes of one local Azure; the names that they are made of are its configuration's."""

    __slots__ = ()

    account: str
    subscription_id: str
    resource_group: str
    vault: str
    tenant: TenantConfig

    @property
    def management_group_scope(self) -> str:
        """The resource ID of the tenant's root management group, which every subscription is below."""
        return f"/providers/Microsoft.Management/managementGroups/{self.tenant.id}"

    @property
    def subscription_scope(self) -> str:
        """The subscription's resource ID."""
        return f"/subscriptions/{self.subscription_id}"

    @property
    def resource_group_scope(self) -> str:
        """The resource group's resource ID."""
        return f"{self.subscription_scope}/resourceGroups/{self.resource_group}"

    @property
    def account_scope(self) -> str:
        """The Batch account's resource ID."""
        return f"{self.resource_group_scope}/providers/Microsoft.Batch/batchAccounts/{self.account}"

    @property
    def vault_scope(self) -> str:
        """The vault's resource ID."""
        return f"{self.resource_group_scope}/providers/Microsoft.KeyVault/vaults/{self.vault}"

    @property
    def storage_scope(self) -> str:
        """The storage account's resource ID."""
        return f"{self.resource_group_scope}/providers/Microsoft.Storage/storageAccounts/{STORAGE_ACCOUNT}"

    def container_scope(self, container: str) -> str:
        """The resource ID of a container of the storage account."""
        return f"{self.storage_scope}/blobServices/default/containers/{container}"

    def identity_scope(self, identity: ManagedIdentityConfig) -> str:
        """The resource ID of a managed identity, or of the machine that a system-assigned one is of."""
        kind = _MACHINE if identity.system_assigned else _USER_ASSIGNED
        return f"{self.resource_group_scope}/providers/{kind}/{identity.name}"

    def scope_of(self, resource: ResourceName) -> str:
        """The resource ID that a role is assigned at."""
        return {
            "batch": self.account_scope,
            "keyvault": self.vault_scope,
            "storage": self.storage_scope,
            "resource_group": self.resource_group_scope,
            "subscription": self.subscription_scope,
            "management_group": self.management_group_scope,
        }[resource]
