"""The first part of every path of Entra ID: a tenant by id or domain, or a name that stands for many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.local.config import TenantConfig
from airflow_provider_batchad.local.entra import errors
from airflow_provider_batchad.local.entra.discovery import CONSUMERS, CONSUMERS_TENANT_ID, SHARED_NAMES
from airflow_provider_batchad.local.entra.errors import SignInRefused

if TYPE_CHECKING:
    from airflow_provider_batchad.local.entra.directory import Directory

# Nobody and no application is at home there: local Azure has no personal accounts.
_PERSONAL_ACCOUNTS: Final = TenantConfig(
    id=CONSUMERS_TENANT_ID, domain=CONSUMERS, display_name="Microsoft Accounts"
)


class TenantNames:
    """Finds the tenant that a path names."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def find(self, name: str) -> TenantConfig:
        """The tenant itself.

        :raises SignInRefused: there is none, or the name stands for many.
        """
        if name.casefold() in SHARED_NAMES:
            raise SignInRefused(errors.NO_TENANT)
        tenant = self._directory.tenant(name)
        if tenant is None:
            raise SignInRefused(errors.TENANT_NOT_FOUND, tenant=name)
        return tenant

    def find_for_grant(self, name: str, *, grant_type: str) -> TenantConfig | None:
        """The same for a token request or a sign-in; ``None`` where the person's own tenant is meant.

        :raises SignInRefused: there is no such tenant.
        """
        if name.casefold() not in SHARED_NAMES:
            return self.find(name)
        if name.casefold() == CONSUMERS and grant_type != "client_credentials":
            return _PERSONAL_ACCOUNTS
        return None

    def in_document(self, name: str) -> str:
        """How a metadata document writes the tenant.

        :raises SignInRefused: there is no such tenant.
        """
        return name.casefold() if name.casefold() in SHARED_NAMES else self.find(name).id
