"""What the code that runs says it needs of a Batch account; the guard holds it to that.

A context variable, since clients are shared: what runs in one coroutine, or in one thread, says nothing of
another. A task or a thread that is started with a copy of the context inherits what is declared there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from airflow_provider_batchad.access.actions import (
    OPENS_EVERYTHING,
    AnyAction,
    DataAction,
    Need,
    parse_action,
)


@dataclass(frozen=True, slots=True)
class Declaration:
    """The actions that somebody may use.

    :param who: for messages, such as ``AzureBatchSubmitJobOperator``.
    :param actions: what it needs, and what it can use but does without.
    """

    who: str
    actions: frozenset[AnyAction]

    @classmethod
    def of(cls, who: str, actions: Iterable[AnyAction | str]) -> Declaration:
        """From actions, or their names; the account may be left out, as in ``jobs/read``.

        :raises ValueError: a name is no action of the Batch service.
        """
        return cls(who, frozenset(parse_action(action) for action in actions))

    def lacks(self, need: Need) -> tuple[AnyAction, ...]:
        """What of ``need`` is not declared."""
        return tuple(action for action in need.all() if action not in self.actions)


# An author's own code that declares nothing may look at jobs, and is told to declare it.
UNDECLARED_READS: Final = frozenset({DataAction.JOBS_READ})

_declared: ContextVar[Declaration | None] = ContextVar("airflow_provider_batchad_declared", default=None)


@contextmanager
def declared(declaration: Declaration) -> Iterator[None]:
    """What is declared within; it takes the place of what is declared around it."""
    token = _declared.set(declaration)
    try:
        yield
    finally:
        _declared.reset(token)


def current_declaration() -> Declaration | None:
    """What holds here; ``None`` where nothing is declared."""
    return _declared.get()


def declaration_of(who: str, actions: Iterable[str] | None) -> Declaration | None:
    """What is given with ``actions=…``; ``None`` where nothing is.

    :raises ValueError: a name is no action of the Batch service, or it is listing the account's keys, which
        no request of this package needs and which would open everything.
    :raises TypeError: a text is given in place of a list.
    """
    if actions is None:
        return None
    if isinstance(actions, str):
        raise TypeError(f"actions: expected a list such as [{actions!r}], not a text")
    declaration = Declaration.of(who, actions)
    if OPENS_EVERYTHING in declaration.actions:
        raise ValueError(
            f"actions: {OPENS_EVERYTHING.value} is not to be declared: no request to Batch needs it, and a "
            "role that has it limits nobody. Declare what the requests need, such as 'jobs/write'."
        )
    return declaration
