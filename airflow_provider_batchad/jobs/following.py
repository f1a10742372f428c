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
_IDLE_LOOKS_BEFORE_POOL: Final = 3
_IDLE_LOOKS_BETWEEN_POOL: Final = 20


class Follower:
    """Looks at the job whenever its end is waited for: at most two requests a look.

    A job of many tasks is counted. Of a job of one task, what it writes is shown as soon as it runs. Where
    tasks wait and none runs at three looks on end, the pool is looked at, and at every twentieth from then.

    :param task_ids: of the tasks that this job holds.
    :param say: takes a record of the log.
    :param look_at_pool: steps that say why the pool can run nothing; ``None`` where none is known.
    """

    def __init__(
        self,
        job_id: str,
        task_ids: Sequence[str],
        say: Callable[[str], None],
        look_at_pool: Callable[[], Steps[str | None]] | None = None,
    ) -> None:
        self.state = "active"
        self._progress = Progress(job_id, say)
        self._streams = (
            [LogStream(job_id, task_ids[0], name, say) for name in ("stdout.txt", "stderr.txt")]
            if len(task_ids) == 1
            else []
        )
        self._say = say
        self._look_at_pool = look_at_pool
        self._idle_looks = 0
        self._trouble: str | None = None
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
                yield from self._ask_pool()
        except BatchAdError:
            self._left_out = _LEFT_OUT_AFTER_A_FAILURE

    def _ask_pool(self) -> Steps[None]:
        self._idle_looks = self._idle_looks + 1 if self._progress.idle else 0
        if (
            self._look_at_pool is None
            or self._idle_looks % _IDLE_LOOKS_BETWEEN_POOL != _IDLE_LOOKS_BEFORE_POOL
        ):
            return
        trouble = yield from self._look_at_pool()
        if trouble and trouble != self._trouble:
            self._say(trouble)
        self._trouble = trouble

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
