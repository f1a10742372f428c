"""What a worker that waits shows of the job meanwhile, without any effect on how the wait ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from airflow_provider_batchad.errors import BatchAdError
from airflow_provider_batchad.jobs.progress import Progress
from airflow_provider_batchad.jobs.rest import BatchRequest, BatchResponse, Pause, Step, Steps
from airflow_provider_batchad.jobs.streaming import LogStream

T = TypeVar("T")

_LEFT_OUT_AFTER_A_FAILURE: Final = 5


class Follower:
    """Looks at the job whenever its end is waited for: at most two requests a look.

    A job of many tasks is counted. Of a job of one task, what it writes is shown as soon as it runs.

    :param task_ids: of the tasks that this job holds.
    :param say: takes a record of the log.
    """

    def __init__(self, job_id: str, task_ids: Sequence[str], say: Callable[[str], None]) -> None:
        self.state = "active"
        self._progress = Progress(job_id, say)
        self._streams = (
            [LogStream(job_id, task_ids[0], name, say) for name in ("stdout.txt", "stderr.txt")]
            if len(task_ids) == 1
            else []
        )
        self._started = False
        self._left_out = 0

    def look(self) -> Steps[None]:
        """What is new; an error only says that it cannot be seen this time, and some times more."""
        if self._left_out:
            self._left_out -= 1
            return
        try:
            if self._started and self._streams:
                for stream in self._streams:
                    yield from stream.look()
            else:
                self._started = yield from self._progress.look(self.state)
        except BatchAdError:
            self._left_out = _LEFT_OUT_AFTER_A_FAILURE

    def rest(self) -> Steps[None]:
        """What the task wrote since the last look; its job is over."""
        try:
            for stream in self._streams:
                yield from stream.rest()
        except BatchAdError:
            return


def followed(waiting: Steps[T], follower: Follower) -> Steps[T]:
    """``waiting``, with a look of the follower before each of its pauses, and one at its end."""
    answer: BatchResponse | None = None
    error: Exception | None = None
    while True:
        try:
            step = waiting.throw(error) if error is not None else waiting.send(answer)
        except StopIteration as end:
            yield from follower.rest()
            return end.value  # type: ignore[no-any-return]  # what ``waiting`` returns
        answer = error = None
        if isinstance(step, Pause):
            yield from follower.look()
        try:
            answer = yield step
        except Exception as exc:  # noqa: BLE001 - thrown back in: the steps that wait decide what it means
            error = exc
        else:
            follower.state = _state_in(step, answer) or follower.state


def _state_in(step: Step, answer: BatchResponse | None) -> str | None:
    if answer is None or not isinstance(step, BatchRequest) or step.operation != "Get Job":
        return None
    try:
        job: Any = answer.json()
    except BatchAdError:
        return None
    return str(job.get("state") or "").casefold() or None
