"""How far a job is, in a line for each change: not one for each look, nor one for each task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.rest import ask

if TYPE_CHECKING:
    from airflow_provider_batchad.jobs.rest import Steps


class Progress:
    """Says when a job's state changes, when its first task starts, at its first failure, and at each tenth.

    :param say: takes a line of the log.
    :ivar idle: whether tasks waited and none ran when it was last asked.
    """

    def __init__(self, job_id: str, say: Callable[[str], None]) -> None:
        self._job_id = job_id
        self._say = say
        self._said: tuple[object, ...] = ()
        self.idle = False

    def look(self, state: str) -> Steps[bool]:
        """One request for the counts; whether a task has started.

        :param state: the job's.
        """
        answer = yield from ask(requests.get_task_counts(self._job_id))
        return self.tell(state, answer.json().get("taskCounts") or {})

    def tell(self, state: str, counts: Mapping[str, Any]) -> bool:
        """Say it if it is new; whether a task has started."""
        active, running, done, failed = (
            int(counts.get(name) or 0) for name in ("active", "running", "completed", "failed")
        )
        self.idle = active > 0 and running == 0
        every = active + running + done
        started = running + done > 0
        change = (state, started, failed > 0, done * 10 // every if every else 0)
        if change != self._said:
            self._said = change
            self._say(
                f"Batch job {self._job_id} is {state}: of {every} task(s) {active} wait, {running} run, "
                f"{done} are done, {failed} of these failed."
            )
        return started
