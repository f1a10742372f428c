"""Conditional requests: ``If-Match`` and its relatives against an entity's last change by a user."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_batchad.local.batch.errors import BatchError, NotModified
from airflow_provider_batchad.local.batch.ticks import TICKS_PER_SECOND, parse_moment, to_etag


def check_conditions(headers: Mapping[str, str], modified: int, *, is_read: bool) -> None:
    """Whether the request may go on.

    :param modified: ticks of the entity's last modification.
    :raises NotModified: a read of what the client has already.
    :raises BatchError: a condition that does not hold, or is no time.
    """
    etag = to_etag(modified)
    if (wanted := headers.get("If-Match")) is not None and not _matches(wanted, etag):
        raise BatchError("ConditionNotMet")
    if (moment := _read_moment(headers, "If-Unmodified-Since")) is not None and _is_later(modified, moment):
        raise BatchError("ConditionNotMet")
    known = headers.get("If-None-Match")
    if known is not None and _matches(known, etag):
        raise NotModified if is_read else BatchError("ConditionNotMet")
    moment = _read_moment(headers, "If-Modified-Since")
    if moment is not None and known is None and not _is_later(modified, moment):
        raise NotModified if is_read else BatchError("ConditionNotMet")


def _matches(header: str, etag: str) -> bool:
    candidates = (part.strip().removeprefix("W/").strip('"') for part in header.split(","))
    return any(one in ("*", etag) for one in candidates)


def _is_later(modified: int, moment: int) -> bool:
    # Headers hold whole seconds.
    return modified // TICKS_PER_SECOND > moment // TICKS_PER_SECOND


def _read_moment(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name)
    if text is None:
        return None
    try:
        return parse_moment(text)
    except (ValueError, TypeError, OverflowError):
        raise BatchError("InvalidHeaderValue", (("HeaderName", name), ("HeaderValue", text))) from None
