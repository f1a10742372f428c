"""Hands Airflow's wish to end a task from the signal handler to the thread that waits for a Batch job."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.triggers.states import state_in, why_unwanted_in

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

# Airflow kills a process five seconds after its SIGTERM.
ANSWER_SECONDS: Final = 30.0


class Killed(Exception):
    """Airflow told this process to end."""


class KillSwitch:
    """What ``on_kill`` flips, and the waits between two requests look at.

    ``on_kill`` runs in a signal handler, on the thread that it interrupts, which may hold any lock, that of
    Airflow's own channel included: so it only puts an item into a queue that is made for such handlers.
    """

    def __init__(self) -> None:
        self._flipped: SimpleQueue[None] = SimpleQueue()

    def flip(self) -> None:
        """Ask the waiting thread to stop. Safe in a signal handler."""
        self._flipped.put(None)

    def pause(self, seconds: float) -> None:
        """Wait so many seconds.

        :raises Killed: the switch was flipped, before or meanwhile.
        """
        try:
            self._flipped.get(timeout=seconds)
        except Empty:
            return
        raise Killed


def why_unwanted(context: Context) -> str | None:
    """Why the job of a task that Airflow ends is to be ended too; ``None`` to leave it to the next try.

    Asks Airflow for the state of the task instance. Where it cannot say, nobody is known to have ended the
    task, and the job is left. Where it says nothing at all for half a minute, the process kills itself.
    """
    ti: Any = context["ti"]
    map_index = -1 if ti.map_index is None else ti.map_index
    with _dies_unanswered():
        states = ti.get_task_states(
            dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=map_index
        )
    return why_unwanted_in(state_in(states, ti.run_id, ti.task_id, map_index))


@contextmanager
def _dies_unanswered() -> Iterator[None]:
    # The supervisor of Airflow 3.2 dies of a question that it cannot pass on, without closing its end of the
    # channel: whoever waits for the answer would do so for ever, and nobody is left to end it.
    alarm = threading.Timer(ANSWER_SECONDS, os.kill, (os.getpid(), signal.SIGKILL))
    alarm.daemon = True
    alarm.start()
    try:
        yield
    finally:
        alarm.cancel()
