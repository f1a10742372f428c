"""The directory of the simulated Entra ID: tenants, applications with their secrets, managed identities."""

from __future__ import annotations

import hmac
import secrets
import string
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.local.config import (
    BATCH_RESOURCE,
    VAULT_RESOURCE,
    ApplicationConfig,
    LocalAzureConfig,
    ManagedIdentityConfig,
    TenantConfig,
)
from airflow_provider_batchad.local.tokens import Principal

if TYPE_CHECKING:
    from airflow_provider_batchad.local.clock import Clock

_SECRET_ALPHABET: Final = string.ascii_letters + string.digits + "._-~"

# What a token can be asked for; a trailing slash makes no difference here, but stays in the audience.
_KNOWN_RESOURCES: Final = frozenset(
    {
        BATCH_RESOURCE.rstrip("/"),
        VAULT_RESOURCE,
        "https://management.azure.com",
        "https://management.core.windows.net",
        "https://graph.microsoft.com",
        "https://graph.windows.net",
        "https://storage.azure.com",
    }
)


class SecretCheck(StrEnum):
    """What a client secret turned out to be."""

    GOOD = "good"
    EXPIRED = "expired"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSecret:
    """One of an application's secrets; several are good at a time, which is how they are rotated."""

    key_id: str
    value: str = field(repr=False)
    expires_on: datetime | None = None


class Application:
    """An application, and its service principal in its tenant."""

    def __init__(self, config: ApplicationConfig, *, tenant_id: str) -> None:
        self.principal = Principal(
            tenant_id=tenant_id,
            object_id=config.object_id,
            app_id=config.client_id,
            name=config.name,
        )
        self.secrets: tuple[ClientSecret, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedIdentity:
    """An identity that the simulated machine may use."""

    principal: Principal
    resource_id: str
    system_assigned: bool


def new_secret_value() -> str:
    """A random client secret in the form of Entra ID's: 40 characters, ``8Q~`` from the fourth on."""
    head, tail = ("".join(secrets.choice(_SECRET_ALPHABET) for _ in range(length)) for length in (2, 34))
    # The first character is a letter, so that no command line takes the value for an option.
    return f"{secrets.choice(string.ascii_letters)}{head}8Q~{tail}"


class Directory:
    """Tenants, applications and managed identities; everything may change while requests are served.

    :param on_secret: told every secret before it is used.
    """

    def __init__(self, config: LocalAzureConfig, *, clock: Clock, on_secret: Callable[[str], None]) -> None:
        self._config = config
        self._clock = clock
        self._on_secret = on_secret
        self._lock = threading.Lock()
        self._applications: dict[str, Application] = {}
        self._identities: list[ManagedIdentity] = []
        self.tenants: tuple[TenantConfig, ...] = (config.tenant, *config.other_tenants)
        self.token_lifetime_seconds = config.token_lifetime_seconds
        for application in config.applications:
            self.add_application(application)
        for identity in config.managed_identities:
            self.add_managed_identity(identity)

    def tenant(self, id_or_domain: str) -> TenantConfig | None:
        """The tenant with this id or domain, compared without case."""
        wanted = id_or_domain.casefold()
        for tenant in self.tenants:
            if wanted in (tenant.id.casefold(), tenant.domain.casefold()):
                return tenant
        return None

    def knows_resource(self, resource: str) -> bool:
        """Whether a token can be had for this resource."""
        return resource.rstrip("/").casefold() in _KNOWN_RESOURCES

    def add_application(self, config: ApplicationConfig) -> Application:
        """Register an application with one secret: the configured one, or a new one."""
        application = Application(config, tenant_id=config.tenant_id or self._config.tenant.id)
        self._applications[config.client_id.casefold()] = application
        self.add_secret(config.client_id, config.secret)
        return application

    def application(self, client_id: str) -> Application | None:
        """The application with this client ID."""
        return self._applications.get(client_id.casefold())

    def applications(self) -> tuple[Application, ...]:
        """All applications."""
        return tuple(self._applications.values())

    def add_secret(
        self, client_id: str, value: str | None = None, *, expires_on: datetime | None = None
    ) -> ClientSecret:
        """Give an application one more secret; a random one by default.

        :raises KeyError: there is no such application.
        """
        secret = ClientSecret(
            key_id=str(uuid.uuid4()), value=value or new_secret_value(), expires_on=expires_on
        )
        self._on_secret(secret.value)
        with self._lock:
            application = self._applications[client_id.casefold()]
            application.secrets = (*application.secrets, secret)
        return secret

    def expire_secret(self, client_id: str, key_id: str | None = None) -> int:
        """Let a secret expire now; all of the application's by default.

        :return: how many.
        :raises KeyError: there is no such application.
        """
        now = self._clock.now()
        with self._lock:
            application = self._applications[client_id.casefold()]
            touched = [one.key_id for one in application.secrets if key_id in (None, one.key_id)]
            application.secrets = tuple(
                replace(one, expires_on=now) if one.key_id in touched else one for one in application.secrets
            )
        return len(touched)

    def revoke_secret(self, client_id: str, key_id: str | None = None) -> int:
        """Delete a secret; all of the application's by default.

        :return: how many.
        :raises KeyError: there is no such application.
        """
        with self._lock:
            application = self._applications[client_id.casefold()]
            kept = tuple(one for one in application.secrets if key_id not in (None, one.key_id))
            revoked = len(application.secrets) - len(kept)
            application.secrets = kept
        return revoked

    def check_secret(self, application: Application, value: str) -> SecretCheck:
        """Whether the value is one of the application's secrets, and still good."""
        now = self._clock.now()
        found = SecretCheck.WRONG
        for secret in application.secrets:
            if hmac.compare_digest(secret.value.encode(), value.encode()):
                if secret.expires_on is None or now < secret.expires_on:
                    return SecretCheck.GOOD
                found = SecretCheck.EXPIRED
        return found

    def add_managed_identity(self, config: ManagedIdentityConfig) -> ManagedIdentity:
        """Give the simulated machine one more identity."""
        kind = "Microsoft.Compute/virtualMachines" if config.system_assigned else _USER_ASSIGNED
        identity = ManagedIdentity(
            principal=Principal(
                tenant_id=self._config.tenant.id,
                object_id=config.object_id,
                app_id=config.client_id,
                name=config.name,
            ),
            resource_id=f"{self._config.resource_group_scope}/providers/{kind}/{config.name}",
            system_assigned=config.system_assigned,
        )
        with self._lock:
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
        """Every application and managed identity."""
        identities = tuple(one.principal for one in tuple(self._identities))
        return tuple(one.principal for one in self.applications()) + identities

    def knows_principal(self, object_id: str) -> bool:
        """Whether there is a principal with this object ID."""
        return any(one.object_id.casefold() == object_id.casefold() for one in self.principals())

    def principal(self, name: str) -> Principal:
        """The application or managed identity with this name.

        :raises KeyError: there is none.
        """
        known = self.principals()
        for principal in known:
            if principal.name == name:
                return principal
        raise KeyError(f"no principal {name!r}; there are: {', '.join(sorted(p.name for p in known))}")


_USER_ASSIGNED: Final = "Microsoft.ManagedIdentity/userAssignedIdentities"
