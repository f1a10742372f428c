"""The directory of the simulated Entra ID: tenants, applications, people, managed identities."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.local.config import (
    BATCH_RESOURCE,
    STORAGE_RESOURCE,
    VAULT_RESOURCE,
    LocalAzureConfig,
    ManagedIdentityConfig,
    TenantConfig,
    UserConfig,
)
from airflow_provider_batchad.local.entra.registrations import Registrations
from airflow_provider_batchad.local.entra.tokens import Principal

if TYPE_CHECKING:
    from airflow_provider_batchad.local.clock import Clock

# What a token can be asked for; a trailing slash makes no difference here, but stays in the audience.
_KNOWN_RESOURCES: Final = frozenset(
    {
        BATCH_RESOURCE.rstrip("/"),
        VAULT_RESOURCE,
        "https://management.azure.com",
        "https://management.core.windows.net",
        "https://graph.microsoft.com",
        "https://graph.windows.net",
        STORAGE_RESOURCE,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who signs in, at home in one tenant.

    :param principal: its name is the user principal name; its ``app_id`` is empty, since that is whichever
        application the person uses.
    """

    principal: Principal
    display_name: str

    def using(self, client_id: str) -> Principal:
        """The person as a token for this application names them."""
        return replace(self.principal, app_id=client_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedIdentity:
    """An identity that the simulated machine may use."""

    principal: Principal
    resource_id: str
    system_assigned: bool


class Directory(Registrations):
    """Tenants, applications, people and managed identities; all may change while requests are served.

    :param on_secret: told every secret before it is used.
    """

    def __init__(self, config: LocalAzureConfig, *, clock: Clock, on_secret: Callable[[str], None]) -> None:
        super().__init__(config, clock=clock, on_secret=on_secret)
        self._directory_lock = threading.Lock()
        self._identities: list[ManagedIdentity] = []
        self._people: list[Person] = []
        self.tenants: tuple[TenantConfig, ...] = (config.tenant, *config.other_tenants)
        self.token_lifetime_seconds = config.token_lifetime_seconds
        for identity in config.managed_identities:
            self.add_managed_identity(identity)
        for user in config.users:
            self.add_user(user)

    def tenant(self, id_or_domain: str) -> TenantConfig | None:
        """The tenant with this id or domain, compared without case."""
        wanted = id_or_domain.casefold()
        for tenant in self.tenants:
            if wanted in (tenant.id.casefold(), tenant.domain.casefold()):
                return tenant
        return None

    def home_of(self, client_id: str) -> TenantConfig:
        """The tenant that an application is registered in; the main one for an unknown one."""
        application = self.application(client_id)
        home = None if application is None else self.tenant(application.principal.tenant_id)
        return home or self.tenants[0]

    def knows_resource(self, resource: str) -> bool:
        """Whether a token can be had for this resource."""
        return resource.rstrip("/").casefold() in _KNOWN_RESOURCES

    def add_user(self, config: UserConfig) -> Person:
        """One more person."""
        person = Person(
            principal=Principal(
                tenant_id=config.tenant_id or self._config.tenant.id,
                object_id=config.object_id,
                app_id="",
                name=config.name,
                is_person=True,
            ),
            display_name=config.display_name,
        )
        with self._directory_lock:
            self._people.append(person)
        return person

    def people(self) -> tuple[Person, ...]:
        """Everybody, of every tenant."""
        return tuple(self._people)

    def person(self, name: str) -> Person | None:
        """Who has this user principal name, compared without case."""
        wanted = name.casefold()
        return next((one for one in self.people() if one.principal.name.casefold() == wanted), None)

    def add_managed_identity(self, config: ManagedIdentityConfig) -> ManagedIdentity:
        """Give the simulated machine one more identity."""
        identity = ManagedIdentity(
            principal=Principal(
                tenant_id=self._config.tenant.id,
                object_id=config.object_id,
                app_id=config.client_id,
                name=config.name,
            ),
            resource_id=self._config.identity_scope(config),
            system_assigned=config.system_assigned,
        )
        with self._directory_lock:
            self._identities.append(identity)
        return identity

    def managed_identity(
        self,
        *,
        client_id: str | None = None,
        object_id: str | None = None,
        resource_id: str | None = None,
    ) -> ManagedIdentity | None:
        """The user-assigned identity that is named, or the system-assigned one where none is."""
        named = client_id or object_id or resource_id
        for identity in tuple(self._identities):
            if named is None:
                if identity.system_assigned:
                    return identity
            elif named.casefold() in (
                identity.principal.app_id.casefold() if client_id else "",
                identity.principal.object_id.casefold() if object_id else "",
                identity.resource_id.casefold() if resource_id else "",
            ):
                return identity
        return None

    def principals(self) -> tuple[Principal, ...]:
        """Every application, managed identity and person."""
        identities = tuple(one.principal for one in tuple(self._identities))
        people = tuple(one.principal for one in self.people())
        return tuple(one.principal for one in self.applications()) + identities + people

    def knows_principal(self, object_id: str) -> bool:
        """Whether there is a principal with this object ID."""
        return any(one.object_id.casefold() == object_id.casefold() for one in self.principals())

    def principal(self, name: str) -> Principal:
        """The application, managed identity or person with this name.

        :raises KeyError: there is none.
        """
        known = self.principals()
        for principal in known:
            if principal.name == name:
                return principal
        raise KeyError(f"no principal {name!r}; there are: {', '.join(sorted(p.name for p in known))}")
