"""What the simulated key vault holds: secrets and their versions."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_batchad.local.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretVersion:
    """One version of a secret.

    :param not_before: a note by whoever stored it: Key Vault hands the secret out all the same.
    :param expires_on: likewise.
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


class Vault:
    """Secrets by name, compared without case; each with its versions, the newest being current.

    :param on_secret: told every confidential value before it is kept.
    """

    def __init__(self, *, clock: Clock, on_secret: Callable[[str], None]) -> None:
        self._clock = clock
        self._on_secret = on_secret
        self._versions: dict[str, tuple[SecretVersion, ...]] = {}
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
    ) -> SecretVersion:
        """Add a version, which becomes the current one.

        :param confidential: ``False`` keeps the value out of the file of secrets.
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
        )
        with self._lock:
            self._versions[name.casefold()] = (*self._versions.get(name.casefold(), ()), added)
        return added

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
        """Forget a secret with all its versions; ``False`` where there was none."""
        with self._lock:
            return self._versions.pop(name.casefold(), None) is not None
