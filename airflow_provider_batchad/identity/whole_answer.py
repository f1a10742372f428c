"""A bound on a whole exchange: clients' own time limits begin anew with each byte that comes."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")

# More than the longest that a client waits for a connection and then for a first byte.
LONGEST_SECONDS = 60.0


def bounded(exchange: Callable[[], T]) -> T:
    """What ``exchange`` returns, if that is there within a minute.

    It runs in a thread of its own, which is left behind where it takes longer, and ends with the connection:
    nothing else ends a client that looks up a name, shakes hands, or reads.

    :raises TimeoutError: it is not.
    """
    answer: Future[T] = Future()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            answer.set_result(context.run(exchange))
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            answer.set_exception(error)

    threading.Thread(target=run, name="batchad-exchange", daemon=True).start()
    try:
        return answer.result(timeout=LONGEST_SECONDS)
    except TimeoutError:
        if answer.done():
            raise
    raise TimeoutError(f"the whole answer did not come within {LONGEST_SECONDS:.0f} s")
