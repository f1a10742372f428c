"""What the simulated key vault holds: secrets, their versions, and what was deleted and can be recovered."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.local.keyvault.certificates import (
    CertificateFormat,
    CertificateIssuer,
    KeyType,
    VaultCertificate,
    make_certificate,
)
from airflow_provider_batchad.local.throttle import Throttle

if TYPE_CHECKING:
    from airflow_provider_batchad.local.clock import Clock


RECOVERABLE_DAYS: Final = 90
# "Azure Key Vault service limits": so many operations on secrets in ten seconds, for each vault.
_REQUESTS: Final = 4000
_REQUESTS_SECONDS: Final = 10.0


class NameIsTaken(Exception):
    """The name belongs to a secret that was deleted and not purged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretVersion:
    """One version of a secret.

    :param not_before: a note by whoever stored it: Key Vault hands the secret out all the same.
    :param expires_on: likewise.
    :param is_certificate: whether Key Vault keeps it for a certificate of the same name.
    """

    name: str
    version: str
    value: str = field(repr=False)
    created: datetime
    updated: datetime
    enabled: bool = True
    not_before: datetime | None = None
    expires_on: datetime | None = None
    content_type: str | None = None
    tags: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    is_certificate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedSecret:
    """A secret that can be recovered until it is purged."""

    versions: tuple[SecretVersion, ...]
    deleted: datetime
    purged: datetime

    @property
    def current(self) -> SecretVersion:
        """The version that was current."""
        return self.versions[-1]


class Vault:
    """Secrets by name, compared without case; each with its versions, the newest being current.

    :param on_secret: told every confidential value before it is kept.
    """

    def __init__(self, *, clock: Clock, on_secret: Callable[[str], None]) -> None:
        self._clock = clock
        self._on_secret = on_secret
        self._versions: dict[str, tuple[SecretVersion, ...]] = {}
        self._deleted: dict[str, DeletedSecret] = {}
        self.throttle = Throttle(clock=clock, count=_REQUESTS, seconds=_REQUESTS_SECONDS)
        self._lock = threading.Lock()

    def set_secret(
        self,
        name: str,
        value: str,
        *,
        enabled: bool = True,
        not_before: datetime | None = None,
        expires_on: datetime | None = None,
        content_type: str | None = None,
        tags: Mapping[str, str] | None = None,
        confidential: bool = True,
        is_certificate: bool = False,
    ) -> SecretVersion:
        """Add a version, which becomes the current one.

        :param confidential: ``False`` keeps the value out of the file of secrets.
        :raises NameIsTaken: a secret of this name was deleted and is still recoverable.
        """
        if confidential:
            self._on_secret(value)
        now = self._clock.now()
        added = SecretVersion(
            name=name,
            version=uuid.uuid4().hex,
            value=value,
            created=now,
            updated=now,
            enabled=enabled,
            not_before=not_before,
            expires_on=expires_on,
            content_type=content_type,
            tags=MappingProxyType(dict(tags or {})),
            is_certificate=is_certificate,
        )
        with self._lock:
            if self._recoverable(name) is not None:
                raise NameIsTaken(name)
            self._versions[name.casefold()] = (*self._versions.get(name.casefold(), ()), added)
        return added

    def add_certificate(
        self,
        name: str,
        *,
        content_type: CertificateFormat = CertificateFormat.PKCS12,
        key_type: KeyType = "RSA",
        exportable: bool = True,
        subject: str | None = None,
        not_before: datetime | None = None,
        expires_on: datetime | None = None,
        issuer: CertificateIssuer | None = None,
    ) -> VaultCertificate:
        """Make a certificate and keep it as a secret of this name, as a new version where there is one.

        :param exportable: ``False``: the value holds no private key.
        :param subject: its common name; the secret's name by default.
        :param not_before: valid from now on by default.
        :param expires_on: after a year by default.
        :param issuer: it signs itself by default.
        """
        now = self._clock.now().replace(microsecond=0)
        not_before = not_before or now
        expires_on = expires_on or max(now, not_before) + timedelta(days=365)
        made = make_certificate(
            subject or name, not_before=not_before, not_after=expires_on, key_type=key_type, issuer=issuer
        )
        secret = self.set_secret(
            name,
            made.encode(content_type, exportable=exportable),
            not_before=not_before,
            expires_on=expires_on,
            content_type=content_type.value,
            confidential=exportable,
            is_certificate=True,
        )
        return VaultCertificate(secret=secret, certificate_pem=made.certificate_pem)

    def find(self, name: str, version: str | None = None) -> SecretVersion | None:
        """A version of a secret: the current one by default."""
        versions = self._versions.get(name.casefold(), ())
        if version is None:
            return versions[-1] if versions else None
        return next((one for one in versions if one.version == version), None)

    def versions(self, name: str) -> tuple[SecretVersion, ...]:
        """All versions of a secret, oldest first."""
        return self._versions.get(name.casefold(), ())

    def current(self) -> tuple[SecretVersion, ...]:
        """The current version of every secret, by name."""
        with self._lock:
            return tuple(versions[-1] for _, versions in sorted(self._versions.items()))

    def update(
        self,
        name: str,
        version: str | None = None,
        *,
        enabled: bool | None = None,
        not_before: datetime | None = None,
        expires_on: datetime | None = None,
        content_type: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> SecretVersion | None:
        """Change what is noted of a version, the current one by default; ``None`` leaves a thing as it is.

        :return: the version as it is now; ``None`` where there is none.
        """
        with self._lock:
            found = self.find(name, version)
            if found is None:
                return None
            changed = replace(
                found,
                updated=self._clock.now(),
                enabled=found.enabled if enabled is None else enabled,
                not_before=found.not_before if not_before is None else not_before,
                expires_on=found.expires_on if expires_on is None else expires_on,
                content_type=found.content_type if content_type is None else content_type,
                tags=found.tags if tags is None else MappingProxyType(dict(tags)),
            )
            self._versions[name.casefold()] = tuple(
                changed if one is found else one for one in self._versions[name.casefold()]
            )
        return changed

    def remove(self, name: str) -> bool:
        """Forget a secret with all its versions, beyond recovery; ``False`` where there was none."""
        with self._lock:
            deleted = self._deleted.pop(name.casefold(), None)
            return self._versions.pop(name.casefold(), None) is not None or deleted is not None

    def delete(self, name: str) -> DeletedSecret | None:
        """Delete a secret so that it can be recovered; ``None`` where there is none."""
        now = self._clock.now()
        with self._lock:
            versions = self._versions.pop(name.casefold(), ())
            if not versions:
                return None
            deleted = DeletedSecret(
                versions=versions, deleted=now, purged=now + timedelta(days=RECOVERABLE_DAYS)
            )
            self._deleted[name.casefold()] = deleted
        return deleted

    def find_deleted(self, name: str) -> DeletedSecret | None:
        """A deleted secret that can be recovered."""
        with self._lock:
            return self._recoverable(name)

    def deleted(self) -> tuple[DeletedSecret, ...]:
        """Every secret that can be recovered, by name."""
        with self._lock:
            found = [self._recoverable(name) for name in sorted(self._deleted)]
        return tuple(one for one in found if one is not None)

    def recover(self, name: str) -> SecretVersion | None:
        """Take back a deletion; ``None`` where there is nothing to recover."""
        with self._lock:
            deleted = self._recoverable(name)
            if deleted is None:
                return None
            del self._deleted[name.casefold()]
            self._versions[name.casefold()] = deleted.versions
        return deleted.current

    def purge(self, name: str) -> bool:
        """End the recoverability of a deleted secret; ``False`` where there was none."""
        with self._lock:
            found = self._recoverable(name)
            self._deleted.pop(name.casefold(), None)
        return found is not None

    def _recoverable(self, name: str) -> DeletedSecret | None:
        found = self._deleted.get(name.casefold())
        if found is not None and self._clock.now() >= found.purged:
            del self._deleted[name.casefold()]
            return None
        return found
