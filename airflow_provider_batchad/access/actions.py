"""The actions and data actions of Microsoft.Batch, and what a request may need of them.

Source: `permissions of Microsoft.Batch
<https://learn.microsoft.com/azure/role-based-access-control/permissions/compute>`__ and `Role-based access
control for Azure Batch <https://learn.microsoft.com/azure/batch/batch-role-based-access-control>`__.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

_ACCOUNT = "Microsoft.Batch/batchAccounts"


class Action(StrEnum):
    """What a role definition lists under ``actions``, as far as the Batch service itself asks for it."""

    ACCOUNT_READ = f"{_ACCOUNT}/read"
    LIST_KEYS = f"{_ACCOUNT}/listKeys/action"
    POOLS_READ = f"{_ACCOUNT}/pools/read"
    POOLS_WRITE = f"{_ACCOUNT}/pools/write"
    POOLS_DELETE = f"{_ACCOUNT}/pools/delete"
    POOLS_STOP_RESIZE = f"{_ACCOUNT}/pools/stopResize/action"
    POOLS_DISABLE_AUTOSCALE = f"{_ACCOUNT}/pools/disableAutoscale/action"
    APPLICATIONS_READ = f"{_ACCOUNT}/applications/read"


class DataAction(StrEnum):
    """What a role definition lists under ``dataActions``: all six that Microsoft.Batch has."""

    JOBS_READ = f"{_ACCOUNT}/jobs/read"
    JOBS_WRITE = f"{_ACCOUNT}/jobs/write"
    JOBS_DELETE = f"{_ACCOUNT}/jobs/delete"
    JOB_SCHEDULES_READ = f"{_ACCOUNT}/jobSchedules/read"
    JOB_SCHEDULES_WRITE = f"{_ACCOUNT}/jobSchedules/write"
    JOB_SCHEDULES_DELETE = f"{_ACCOUNT}/jobSchedules/delete"


AnyAction = Action | DataAction

# Documented, one line each: "for any read operation", "for any operation".
OPENS_ANY_READ: Final = Action.ACCOUNT_READ
OPENS_EVERYTHING: Final = Action.LIST_KEYS
ACTIONS: Final[tuple[AnyAction, ...]] = (*Action, *DataAction)
_BY_TEXT: Final[dict[str, AnyAction]] = {action.value.casefold(): action for action in ACTIONS}


@dataclass(frozen=True, slots=True)
class Need:
    """Actions, each of which must be held.

    :param actions: asked of a role's ``actions`` and ``notActions``.
    :param data_actions: asked of its ``dataActions`` and ``notDataActions``.
    """

    actions: frozenset[Action] = frozenset()
    data_actions: frozenset[DataAction] = frozenset()

    @classmethod
    def of(cls, *wanted: AnyAction) -> Self:
        """From actions of both kinds."""
        return cls(
            frozenset(one for one in wanted if isinstance(one, Action)),
            frozenset(one for one in wanted if isinstance(one, DataAction)),
        )

    def all(self) -> tuple[AnyAction, ...]:
        """Both kinds, in the order of the alphabet: actions, then data actions."""
        return (*sorted(self.actions), *sorted(self.data_actions))


def parse_action(text: str) -> AnyAction:
    """The action that is written so, whatever its case; the account may be left out, as in ``jobs/read``.

    :raises ValueError: there is none; the text lists those there are.
    """
    key = text.casefold()
    key = key.removeprefix("batchaccounts/") if key not in _BY_SHORT_NAME else key
    found = _BY_TEXT.get(key) or _BY_SHORT_NAME.get(key)
    if found is None:
        known = ", ".join(short_name(action) for action in ACTIONS)
        raise ValueError(f"{text!r} is no action of the Batch service; there are: {known}")
    return found


def short_name(action: AnyAction) -> str:
    """Without what all of them begin with: ``jobs/read``; ``batchAccounts/read`` keeps the account's name."""
    short = action.value.removeprefix(f"{_ACCOUNT}/")
    return short if "/" in short else f"batchAccounts/{short}"


def explain_missing(actions: Iterable[AnyAction], operation: str, principal: str) -> str:
    """What to do about a 403 on ``operation``: the action that is missing, and how to get it.

    :param principal: whose role it is, such as ``application 1111…``.
    """
    wanted = tuple(actions)
    needed = " and ".join(_described(action) for action in wanted)
    if not needed:
        needed = "an action that this package does not know"
    return (
        f"The role of {principal} lacks {needed}, which '{operation}' needs. 'airflow batchad role' prints "
        "the role that the DAGs need; assign it at the Batch account. A new assignment takes up to ten "
        "minutes."
    )


def _described(action: AnyAction) -> str:
    return f"the {'data action' if isinstance(action, DataAction) else 'action'} {action.value}"


_BY_SHORT_NAME: Final = {short_name(action).casefold(): action for action in ACTIONS}
