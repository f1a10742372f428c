"""What goes to the Batch service and what comes back, as plain data; and the steps that exchange them."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from airflow_provider_batchad.errors import Unreachable
from airflow_provider_batchad.jobs.shapes import misshapen

API_VERSION = "2025-06-01"
JSON_CONTENT_TYPE = "application/json; odata=minimalmetadata"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRequest:
    """One request to the Batch service.

    :param operation: the REST operation, in the words of Azure's reference, such as ``Create Job``.
    :param path: below the account URL, percent-encoded; or the absolute URL of a further page.
    :param body: the JSON body, ready to be sent.
    :param max_bytes: read at most so many bytes of the answer's body, and leave the rest.
    """

    operation: str
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    max_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResponse:
    """The answer to a :class:`BatchRequest`: always a success, since errors are raised.

    :param headers: the names in lower case.
    :param operation: what it answers; empty where nobody looks whether the answer is one of that.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    operation: str = ""

    def json(self) -> Any:
        """The body, a JSON object; ``{}`` where there is none.

        :raises Unreachable: what answered was not Batch, but a proxy, say, with a page of its own.
        """
        try:
            body = json.loads(self.content) if self.content else {}
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise self.not_batch("its body is no JSON object")
        wrong = misshapen(self.operation, body)
        if wrong is not None:
            raise self.not_batch(f"{wrong!r} in its body is not what {self.operation} answers")
        return body

    def not_batch(self, problem: str) -> Unreachable:
        """The error that says so."""
        return Unreachable(
            f"What answered with HTTP {self.status} is not Batch: {problem}.",
            step="batch",
            remedy="Look for a proxy or a portal between this machine and the account.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A wait between two requests; the one who runs the steps may end it early."""

    seconds: float


Answered: TypeAlias = Callable[[BatchResponse | Exception], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Several:
    """Requests that may be under way at the same time.

    :param requests: each with what is told its answer, or its error. They are taken one by one as places
        come free, so that what is told of one answer may end them early; no two are told at the same time.
    :param at_once: the most that are under way.
    """

    requests: Iterator[tuple[BatchRequest, Answered]]
    at_once: int


Step: TypeAlias = BatchRequest | Pause | Several
Steps = Generator[Step, BatchResponse | None, T]
"""Steps that yield requests and pauses, are sent the answers, and return a ``T``.

Errors of the service are thrown in at the request that they answer.
"""


def ask(request: BatchRequest) -> Steps[BatchResponse]:
    """One request, and its answer."""
    response = yield request
    if response is None:
        raise TypeError(f"{request.operation} was not answered: a request must be sent its response")
    return response


def one_by_one(several: Several, send: Callable[[BatchRequest], BatchResponse]) -> None:
    """Send each request when the one before is answered."""
    for request, answered in several.requests:
        try:
            answer = send(request)
        except Exception as error:  # noqa: BLE001 - handed on: who asked decides what it means
            answered(error)
        else:
            answered(answer)


def run(
    steps: Steps[T],
    send: Callable[[BatchRequest], BatchResponse],
    pause: Callable[[float], object],
    send_several: Callable[[Several], None] | None = None,
) -> T:
    """Run ``steps`` to their end, sending each request with ``send`` and waiting with ``pause``.

    :param send_several: sends those that may be under way at once; one by one unless told.
    """
    answer: BatchResponse | None = None
    error: Exception | None = None
    while True:
        try:
            step = steps.throw(error) if error is not None else steps.send(answer)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        answer = error = None
        try:
            if isinstance(step, Pause):
                pause(step.seconds)
            elif isinstance(step, BatchRequest):
                answer = send(step)
            elif send_several is not None:
                send_several(step)
            else:
                one_by_one(step, send)
        except Exception as exc:  # noqa: BLE001 - thrown back in: the steps decide what it means
            error = exc
