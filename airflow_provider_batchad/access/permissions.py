"""What a role grants, by Azure's rules for wildcards and for what is taken out again.

Source: `Understand Azure role definitions
<https://learn.microsoft.com/azure/role-based-access-control/role-definitions>`__.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from airflow_provider_batchad.access.actions import (
    OPENS_ANY_READ,
    OPENS_EVERYTHING,
    AnyAction,
    DataAction,
)

_READ: Final = "/read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """One element of a role definition's ``permissions``; ``*`` may stand anywhere, any number of times.

    What ``not_actions`` takes out, another element or another role may grant: it is no denial.
    """

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()

    def grants(self, action: AnyAction) -> bool:
        """Whether this element alone grants the action; ``actions`` never cover a data action."""
        if isinstance(action, DataAction):
            return _any(self.data_actions, action) and not _any(self.not_data_actions, action)
        return _any(self.actions, action) and not _any(self.not_actions, action)


def granted(permissions: Iterable[Permission], action: AnyAction) -> bool:
    """Whether one of several elements grants the action itself."""
    return any(permission.grants(action) for permission in permissions)


def opened_by(permissions: Iterable[Permission], action: AnyAction) -> AnyAction | None:
    """The action by which the Batch service lets one do what ``action`` is for, though a role lacks it.

    Source: "any operation" and "any read operation" in `Role-based access control for Azure Batch
    <https://learn.microsoft.com/azure/batch/batch-role-based-access-control>`__.
    """
    elements = tuple(permissions)
    if granted(elements, OPENS_EVERYTHING):
        return OPENS_EVERYTHING
    if action.value.endswith(_READ) and granted(elements, OPENS_ANY_READ):
        return OPENS_ANY_READ
    return None


def matches(pattern: str, action: str) -> bool:
    """Whether a pattern of a role covers an action; without case, and ``*`` across ``/``."""
    return _compiled(pattern.casefold()).fullmatch(action.casefold()) is not None


def _any(patterns: Iterable[str], action: AnyAction) -> bool:
    return any(matches(pattern, action.value) for pattern in patterns)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL)
