"""The ``claims`` parameter of a token request: what the client announces, and what a service demanded."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedClaims:
    """OpenID Connect Core, 5.5, as far as it concerns access tokens.

    :param answers_challenges: the client announces (``xms_cc``: ``CP1``) that it can answer a challenge.
    :param not_before: the token must not be valid from earlier on than this.
    """

    answers_challenges: bool = False
    not_before: float = 0.0

    @classmethod
    def parse(cls, text: str | None) -> Self:
        """What can be made out; Entra ID passes over the rest."""
        try:
            wanted: Any = json.loads(text or "{}")["access_token"]
        except (ValueError, KeyError, TypeError):
            return cls()
        if not isinstance(wanted, dict):
            return cls()
        capabilities = _member(wanted, "xms_cc", "values")
        known = [str(one).upper() for one in capabilities] if isinstance(capabilities, list) else []
        try:
            not_before = float(str(_member(wanted, "nbf", "value") or 0))
        except ValueError:
            not_before = 0.0
        if not math.isfinite(not_before):
            not_before = 0.0
        return cls(answers_challenges="CP1" in known, not_before=not_before)

    def for_token(self) -> dict[str, object]:
        """What the token itself says of it."""
        return {"xms_cc": ["CP1"]} if self.answers_challenges else {}


def _member(wanted: dict[str, Any], name: str, key: str) -> object:
    member = wanted.get(name)
    return member.get(key) if isinstance(member, dict) else None
