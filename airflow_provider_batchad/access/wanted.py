"""What an operator says that it needs: an action, with the reason and the argument that asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from airflow_provider_batchad.access.actions import AnyAction


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()
"""Stands for an argument that is known only when the task runs: templated, mapped, or of another task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One action that an operator wants.

    :param why: what it does with it, such as ``creates the job``.
    :param argument: the argument that asks for it; ``None`` for what it wants in any case.
    :param widest: whether the argument is :data:`UNKNOWN`, so that its widest choice counts.
    :param optional: whether the operator does without where its role lacks it.
    """

    action: AnyAction
    why: str
    argument: str | None = None
    widest: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleElsewhere:
    """One of Microsoft's roles that an operator wants at something else than the Batch account.

    :param at: what the role is for, such as the URL of a container.
    :param why: what the operator does there.
    :param argument: the argument that asks for it.
    """

    role: str
    at: str
    why: str
    argument: str
