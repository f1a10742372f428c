"""How long a secret or a certificate is good for by its own word, said before it ends."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from airflow_provider_batchad.errors import CredentialRefused

_log = logging.getLogger(__name__)

_DAY_SECONDS: Final = 86_400.0
_WARNED_DAYS: Final = (1, 7, 30)
_PROOF_FIELDS: Final = ("extra.vault_credential_name", "extra.vault_certificate_name")
# Vault, name, version, kind and which of the thresholds: each is said once in a process.
_said: set[tuple[str, str, str, str, str]] = set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """What one version of a secret in Key Vault says about when it is valid.

    :param kind: ``secret``: Key Vault's ``attributes.exp`` and ``nbf``, which are notes by whoever stored it;
        ``certificate``: the certificate's own dates.
    :param field: the connection's field that names it.
    """

    kind: Literal["secret", "certificate"]
    name: str
    version: str
    field: str
    not_before: datetime | None
    expires_on: datetime | None

    def days_left(self, now: float) -> float | None:
        """Days until its end, negative after it; ``None`` where it has none.

        :param now: in seconds since the epoch.
        """
        return None if self.expires_on is None else (self.expires_on.timestamp() - now) / _DAY_SECONDS

    def is_outside(self, now: float) -> bool:
        """Whether it has ended, or has not begun."""
        left = self.days_left(now)
        begins = self.not_before
        return (left is not None and left <= 0) or (begins is not None and begins.timestamp() > now)

    def threshold(self, now: float) -> str | None:
        """Which warning is due: ``not yet``, ``ended``, ``1``, ``7`` or ``30`` days; ``None`` for none."""
        left = self.days_left(now)
        if left is not None and left <= 0:
            return "ended"
        if self.not_before is not None and self.not_before.timestamp() > now:
            return "not yet"
        return next((str(days) for days in _WARNED_DAYS if left is not None and left <= days), None)

    def describe(self, now: float) -> str | None:
        """The warning in a sentence without its full stop; ``None`` where none is due."""
        own = self.kind == "certificate"
        what = (
            f"The certificate in Key Vault's secret {self.name!r}"
            if own
            else f"Key Vault's secret {self.name!r}"
        )
        word = "" if own else " by the note on it"
        match self.threshold(now):
            case None:
                return None
            case "ended":
                when = f"expired on {_day(self.expires_on)}"
            case "not yet":
                when = f"is not valid before {_day(self.not_before)}"
            case _:
                when = f"expires on {_day(self.expires_on)}, in {self.days_left(now) or 0.0:.1f} days"
        return f"{what} (version {self.version[:8]}) {when}{word}"


class ValidityWatch:
    """Warns of what has ended or ends soon; refuses nothing.

    In the log each version is named once a process for each of 30, 7 and 1 days and the end itself.

    :param vault_url: where the secrets are.
    :param clock: the time in seconds since the epoch.
    :param on_validity: called with each one that has an end, at each reading, and with its days left.
    """

    def __init__(
        self,
        *,
        vault_url: str | None,
        clock: Callable[[], float],
        on_validity: Callable[[Validity, float], None] | None = None,
    ) -> None:
        self._vault_url = vault_url or ""
        self._clock = clock
        self._on_validity = on_validity
        self._seen: dict[tuple[str, str, str], Validity] = {}

    def look_at(self, validity: Validity) -> None:
        """Take note of what was just read."""
        now = self._clock()
        self._seen[validity.kind, validity.field, validity.name] = validity
        left = validity.days_left(now)
        if left is not None and self._on_validity is not None:
            self._on_validity(validity, left)
        threshold, warning = validity.threshold(now), validity.describe(now)
        if threshold is None or warning is None:
            return
        key = (self._vault_url, validity.name, validity.version, validity.kind, threshold)
        if key not in _said:
            _said.add(key)
            tried = "; it is tried all the same" if validity.is_outside(now) else ""
            _log.warning("%s%s (field %r).", warning, tried, validity.field)

    def warnings(self) -> tuple[str, ...]:
        """What is to be said now of all that was read, a sentence each."""
        now = self._clock()
        told = (one.describe(now) for one in tuple(self._seen.values()))
        return tuple(f"{warning}." for warning in told if warning is not None)

    def explain(self, refused: CredentialRefused) -> CredentialRefused:
        """The refusal, with what had ended or not begun by its own word named first."""
        now = self._clock()
        outside = [
            one.describe(now)
            for one in tuple(self._seen.values())
            if one.field in _PROOF_FIELDS and one.is_outside(now)
        ]
        if not outside:
            return refused
        first = " ".join(f"{said}." for said in outside)
        return type(refused)(
            f"{first} {refused.message}", step=refused.step, code=refused.code, remedy=refused.remedy
        )


def _day(moment: datetime | None) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC") if moment is not None else ""
