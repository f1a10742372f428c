"""What is done where the role allows it, and done without where it does not."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Final, TypeVar

from airflow_provider_batchad.errors import PermissionDenied

if TYPE_CHECKING:
    from airflow_provider_batchad.access.actions import AnyAction
    from airflow_provider_batchad.jobs.rest import Steps

T = TypeVar("T")

# For as long as the process lives: a refused request is a line in somebody's security log.
_refused: Final[set[tuple[Hashable, AnyAction]]] = set()


def optionally(steps: Steps[T], action: AnyAction, *, principal: Hashable) -> Steps[T | None]:
    """``steps``, unless this principal was refused this optional action before; ``None`` where it is.

    :param steps: not begun.
    :param principal: tells the accounts and principals of this process apart, such as a connection.
    """
    key = (principal, action)
    if key in _refused:
        steps.close()
        return None
    try:
        return (yield from steps)
    except PermissionDenied:
        _refused.add(key)
        return None


def is_refused(action: AnyAction, *, principal: Hashable) -> bool:
    """Whether this principal was refused this optional action since the process began."""
    return (principal, action) in _refused
