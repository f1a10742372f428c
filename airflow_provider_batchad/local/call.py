"""What becomes known of a request while it is answered: for the ledger, the faults and the error texts."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_batchad.local.access import NOTHING, Requirement

if TYPE_CHECKING:
    from airflow_provider_batchad.local.entra.tokens import Principal


@dataclass(slots=True, kw_only=True)
class Call:
    """The request in hand; handlers fill it in.

    :param operation: Azure's name of the REST operation.
    :param requirement: what the operation needs.
    :param error_code: the service's code, where the answer is an error.
    :param fault_id: the fault rule that breaks it, where one does.
    """

    operation: str = ""
    principal: Principal | None = None
    requirement: Requirement = NOTHING
    error_code: str | None = None
    fault_id: str | None = None


# aiohttp's own place for this, the request as a mapping, wants typed keys that older versions do not have.
_current: ContextVar[Call] = ContextVar("call")


def begin_call(operation: str) -> Call:
    """A record for the request that this task answers from now on."""
    call = Call(operation=operation)
    _current.set(call)
    return call


def current_call() -> Call:
    """The record of the request in hand.

    :raises LookupError: there is none in this task.
    """
    return _current.get()
