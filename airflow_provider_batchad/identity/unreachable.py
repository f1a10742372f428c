"""Telling "nobody answered" from "the answer is no", whichever of Microsoft's clients says it."""

from __future__ import annotations

import email.utils
import json
import math
import re
import subprocess
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from airflow_provider_batchad.errors import ProxyConfigurationError
from airflow_provider_batchad.identity.proxies import usable_proxy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# 410: the virtual machines' metadata service is being updated (learn.microsoft.com, "Azure Instance Metadata
# Service", errors and retry guidance).
_TRY_AGAIN: Final = frozenset({408, 410, 429})
# The virtual machines' own address: the default chain looks there, and on other machines nobody answers.
_IMDS_HOST: Final = "169.254.169.254"
_RETRY_AFTER_HEADERS: Final = ("Retry-After", "retry-after-ms", "x-ms-retry-after-ms")
_LONGEST_SLEEP_SECONDS: Final = 10.0
# In the words of requests and urllib3, which the Azure CLI is made of.
_NO_NETWORK: Final = re.compile(
    r"Max retries exceeded|Failed to establish a new connection|NameResolutionError|Connection aborted"
    r"|Connection reset|Read timed out|ConnectTimeout"
)


class AnswerWatch:
    """Watches what a client of azure-identity or azure-core sends and gets.

    The errors of the former say neither, least of all those of a chain. And azure-core sleeps out whatever
    ``Retry-After`` says, an hour if need be: a long one is taken off the answer, and told to the caller.

    :ivar refused: why the last request was not sent.
    """

    def __init__(self) -> None:
        self.refused: ProxyConfigurationError | None = None
        self.retry_after_seconds: float | None = None
        self._unanswered: str | None = None
        self._status: int | None = None

    def hooks(self) -> dict[str, Any]:
        """Keywords for a client or credential, which azure-core's pipeline understands."""
        return {"raw_request_hook": self._asked, "raw_response_hook": self._answered}

    def saw_outage(self) -> bool:
        """Whether the last who was asked did not answer, or said to try again."""
        if self._unanswered is not None:
            return self._unanswered != _IMDS_HOST
        return self._status is not None and is_outage(self._status)

    def saw_success(self) -> bool:
        """Whether the last answer was a good one, so that what failed was to make sense of it."""
        return self._unanswered is None and self._status is not None and 200 <= self._status < 300

    def forget(self) -> None:
        """Begin a new question."""
        self._unanswered = self._status = self.retry_after_seconds = self.refused = None

    def _asked(self, request: Any) -> None:
        self._unanswered = urlsplit(request.http_request.url).hostname or ""
        self._status = self.retry_after_seconds = self.refused = None
        try:
            usable_proxy(request.http_request.url)
        except ProxyConfigurationError as error:
            # azure-identity makes refused sign-ins of what it does not know.
            self.refused = error
            raise

    def _answered(self, response: Any) -> None:
        headers = response.http_response.headers
        self._unanswered = None
        self._status = response.http_response.status_code
        self.retry_after_seconds = parse_retry_after(headers)
        if (self.retry_after_seconds or 0.0) > _LONGEST_SLEEP_SECONDS:
            for name in _RETRY_AFTER_HEADERS:
                headers.pop(name, None)


def is_outage(status: int) -> bool:
    """Whether an HTTP status says that trying again can help."""
    return status in _TRY_AGAIN or status >= 500


def did_not_answer(error: BaseException) -> bool:
    """Whether a failure is of the network, or is an answer that is none, or one that says to try again.

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
        subprocess.TimeoutExpired,
        json.JSONDecodeError,
        UnicodeDecodeError,
    )
    for link in chain_of(error):
        if isinstance(link, network) or _is_az_without_network(link):
            return True
        if isinstance(link, HttpResponseError) and link.status_code and is_outage(link.status_code):
            return True
    return False


def _is_az_without_network(error: BaseException) -> bool:
    # The Azure CLI is a process of its own: of what it met there are its last words alone.
    if not isinstance(error, subprocess.CalledProcessError):
        return False
    return _NO_NETWORK.search(str(error.stderr or "")) is not None


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """An exception and what it came from."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


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
