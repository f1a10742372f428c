"""What a role grants, held against what is needed: missing, exact, or too much."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from airflow_provider_batchad.access.actions import ACTIONS, OPENS_EVERYTHING, AnyAction, DataAction, Need
from airflow_provider_batchad.access.permissions import Permission, granted, matches, opened_by


class Fit(StrEnum):
    """How a role fits."""

    EXACT = "exact"
    TOO_MUCH = "too much"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a role lacks, and what it grants beyond what is needed.

    :param missing: needed, and neither granted nor opened by another action.
    :param opened: needed and not granted itself, with the action that opens it all the same.
    :param unneeded: actions of the Batch service that it grants and nobody needs, those that are optional
        left out.
    :param foreign: its patterns that cover nothing of the Batch service's actions.
    :param patterns: its patterns that grant something of ``unneeded``.
    """

    missing: tuple[AnyAction, ...]
    opened: tuple[tuple[AnyAction, AnyAction], ...]
    unneeded: tuple[AnyAction, ...]
    foreign: tuple[str, ...]
    patterns: tuple[str, ...]

    @property
    def fit(self) -> Fit:
        """Missing goes before too much."""
        if self.missing:
            return Fit.MISSING
        return Fit.TOO_MUCH if self.unneeded or self.foreign else Fit.EXACT

    @property
    def opens_everything(self) -> bool:
        """Whether it may list the account's keys: then the rest of it limits nobody."""
        return OPENS_EVERYTHING in self.unneeded


def compare(permissions: Iterable[Permission], need: Need, optional: Need | None = None) -> Comparison:
    """What elements of ``permissions``, of one role or of several, make of ``need``.

    :param optional: what can be used and is not needed.
    """
    elements = tuple(permissions)
    held = tuple(action for action in ACTIONS if granted(elements, action))
    wanted = {*need.all(), *(optional.all() if optional else ())}
    missing, opened = [], []
    for action in need.all():
        if action in held:
            continue
        by = opened_by(elements, action)
        if by is None:
            missing.append(action)
        else:
            opened.append((action, by))
    unneeded = tuple(action for action in held if action not in wanted)
    return Comparison(
        missing=tuple(missing),
        opened=tuple(opened),
        unneeded=unneeded,
        foreign=_foreign(elements),
        patterns=_patterns_of(elements, unneeded),
    )


def _foreign(elements: tuple[Permission, ...]) -> tuple[str, ...]:
    found = []
    for element in elements:
        found += [one for one in element.actions if not _covers_any(one, data=False)]
        found += [one for one in element.data_actions if not _covers_any(one, data=True)]
    return tuple(dict.fromkeys(found))


def _covers_any(pattern: str, *, data: bool) -> bool:
    return any(matches(pattern, action) for action in ACTIONS if isinstance(action, DataAction) is data)


def _patterns_of(elements: tuple[Permission, ...], unneeded: tuple[AnyAction, ...]) -> tuple[str, ...]:
    found = []
    for action in unneeded:
        for element in elements:
            if element.grants(action):
                mine = element.data_actions if isinstance(action, DataAction) else element.actions
                found += [pattern for pattern in mine if matches(pattern, action)]
    return tuple(dict.fromkeys(found))
