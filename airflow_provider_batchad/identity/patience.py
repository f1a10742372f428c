"""How long, and how often, a service that does not answer is asked again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from airflow_provider_batchad.errors import Unreachable

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")

_log = logging.getLogger(__name__)

DEFAULT_RETRIES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Asks again where the answer was ``Unreachable``, and never where it was a refusal.

    It waits as long as the service said, at least twice as long each time, and gives up where a wait would be
    longer than ``longest_wait_seconds`` or end later than ``bound_seconds`` after the first question. Whoever
    is told to wait longer gets the error with that time in it.

    :param retries: how often it is asked again.
    :param first_wait_seconds: doubled each time, with up to as much again at random.
    :param sleep: waits; a task's timeout or end breaks it off.
    """

    retries: int = DEFAULT_RETRIES
    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 30.0
    bound_seconds: float = 60.0
    sleep: Callable[[float], None] = time.sleep

    def ask(self, question: Callable[[], T]) -> T:
        """The answer to the question.

        :raises Unreachable: the last one that the question raised.
        """
        from tenacity import (
            Retrying,
            retry_if_exception_type,
            stop_after_attempt,
            stop_before_delay,
            wait_exponential,
            wait_random,
        )

        backoff = wait_exponential(
            multiplier=self.first_wait_seconds, max=self.longest_wait_seconds
        ) + wait_random(0, self.first_wait_seconds)
        enough, too_late = stop_after_attempt(self.retries + 1), stop_before_delay(self.bound_seconds)
        asking = Retrying(
            sleep=self.sleep,
            retry=retry_if_exception_type(Unreachable),
            wait=lambda state: max(_told(state), backoff(state)),
            stop=lambda state: enough(state) or too_late(state) or _told(state) > self.longest_wait_seconds,
            before_sleep=_say_so,
            reraise=True,
        )
        return asking(question)


IMPATIENT: Final = Patience(retries=0)


def _told(state: RetryCallState) -> float:
    """The seconds that the service asked to wait."""
    error = state.outcome.exception() if state.outcome is not None else None
    return (error.retry_after_seconds or 0.0) if isinstance(error, Unreachable) else 0.0


def _say_so(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome is not None else None
    _log.warning("Asked again in %.1f s: %s", state.upcoming_sleep, error)
