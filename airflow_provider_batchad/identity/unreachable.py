"""Telling "nobody answered" from "the answer is no", whichever of Microsoft's clients says it."""

from __future__ import annotations

import email.utils
import math
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TRY_AGAIN: Final = frozenset({408, 429})


def is_outage(status: int) -> bool:
    """Whether an HTTP status says that trying again can help."""
    return status in _TRY_AGAIN or status >= 500


def did_not_answer(error: BaseException) -> bool:
    """Whether a failure is of the network, or is an answer that says to try again.

    azure-identity reports a dead host as a refused sign-in; what really happened is further down the chain.
    """
    import requests
    from azure.core.exceptions import (
        DecodeError,
        HttpResponseError,
        IncompleteReadError,
        ServiceRequestError,
        ServiceResponseError,
    )

    network = (
        ServiceRequestError,
        ServiceResponseError,
        IncompleteReadError,
        DecodeError,
        requests.RequestException,
        TimeoutError,
        ConnectionError,
    )
    for link in chain_of(error):
        if isinstance(link, network):
            return True
        if isinstance(link, HttpResponseError) and link.status_code and is_outage(link.status_code):
            return True
    return False


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """An exception and what it came from."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def retry_after_of(error: BaseException) -> float | None:
    """How long the service asked to wait, in seconds, where an answer is part of the failure."""
    for link in chain_of(error):
        response = getattr(link, "response", None)
        headers = getattr(response, "headers", None)
        if headers:
            return parse_retry_after(headers)
    return None


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """``Retry-After`` in seconds, given so or as a date (RFC 9110, 10.2.3); nothing for anything else."""
    text = headers.get("Retry-After") or headers.get("retry-after")
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
        except ValueError:
            return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None
