"""Shared access signatures of a storage account: made for users, checked at each request.

Source: "Create a service SAS" of the storage REST reference, for containers and blobs, version 2020-12-06 and
later.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlencode

_VERSION: Final = "2022-11-02"
_FIRST_VERSION: Final = "2020-12-06"
# In this order they are signed; what a signature leaves out counts as empty.
_BEFORE_RESOURCE: Final = ("sp", "st", "se")
_AFTER_RESOURCE: Final = (
    "si",
    "sip",
    "spr",
    "sv",
    "sr",
    "snapshot",
    "ses",
    "rscc",
    "rscd",
    "rsce",
    "rscl",
    "rsct",
)
_TIMES: Final = ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d")


class SharedAccess:
    """The signatures of one storage account.

    :param key: one of the account's keys.
    """

    def __init__(self, account: str, key: bytes) -> None:
        self._account = account
        self._key = key

    def sign(self, container: str, *, permissions: str, now: datetime, lifetime: timedelta) -> str:
        """The query that opens a container.

        :param permissions: of ``racwdl``, in this order.
        """
        values = {
            "sv": _VERSION,
            "sr": "c",
            "sp": permissions,
            "se": (now + lifetime).astimezone(UTC).strftime(_TIMES[0]),
            "spr": "https",
        }
        values["sig"] = self._signature(values, f"/blob/{self._account}/{container}")
        return urlencode(values)

    def permissions(
        self, query: Mapping[str, str], *, container: str, blob: str | None, now: datetime
    ) -> str | None:
        """What a request's signature permits; ``None``: it is not ours, not for this, or not for now."""
        if query.get("sv", "") < _FIRST_VERSION:
            return None
        resource = f"/blob/{self._account}/{container}"
        if query.get("sr") == "b":
            resource += f"/{blob}"
        elif query.get("sr") != "c":
            return None
        expected = self._signature(query, resource)
        if not hmac.compare_digest(expected.encode(), query.get("sig", "").encode()):
            return None
        start, end = _read_time(query.get("st")), _read_time(query.get("se"))
        if end is None or now >= end or (start is not None and now < start):
            return None
        return query.get("sp", "")

    def _signature(self, values: Mapping[str, str], resource: str) -> str:
        parts = [values.get(name, "") for name in _BEFORE_RESOURCE]
        parts.append(resource)
        parts += [values.get(name, "") for name in _AFTER_RESOURCE]
        text = "\n".join(parts)
        digest = hmac.new(self._key, text.encode(errors="surrogatepass"), hashlib.sha256).digest()
        return base64.b64encode(digest).decode()


def _read_time(text: str | None) -> datetime | None:
    for form in _TIMES:
        try:
            return datetime.strptime(text or "", form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None
