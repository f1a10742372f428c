"""The Batch account's two shared keys, and the check of requests that are signed with one of them.

The string to sign is that of "Authenticate requests to the Azure Batch service", which azure-batch's
``BatchSharedKeyAuthPolicy`` follows. What the service answers to a wrong signature is recorded; its answer to
a request that is too old, or to a key where the account takes none, is assumed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from airflow_provider_batchad.local.batch.errors import BatchError
from airflow_provider_batchad.local.entra.tokens import Principal

if TYPE_CHECKING:
    from aiohttp import web

    from airflow_provider_batchad.local.access import Requirement, ResourceAccess
    from airflow_provider_batchad.local.clock import Clock

_SCHEME: Final = "sharedkey"
_KEY_BYTES: Final = 64
_CLOCK_SKEW_SECONDS: Final = 15 * 60
_SIGNED_HEADERS: Final = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)


class KeyName(StrEnum):
    """Which of the two."""

    PRIMARY = "Primary"
    SECONDARY = "Secondary"


class AccountKeys:
    """The two keys; whoever has one may do everything at the account.

    :param on_secret: told a key before anybody is given it.
    """

    def __init__(self, *, on_secret: Callable[[str], None]) -> None:
        self._on_secret = on_secret
        self._values = {name: self._make() for name in KeyName}

    def __getitem__(self, name: KeyName) -> str:
        return self._values[name]

    def regenerate(self, name: KeyName) -> None:
        """A new key in the place of an old one, which is worth nothing from now on."""
        self._values[name] = self._make()

    def sign(self, name: KeyName, text: str) -> str:
        """The signature that goes into a request's ``Authorization`` header."""
        digest = hmac.new(base64.b64decode(self._values[name]), text.encode(), hashlib.sha256).digest()
        return base64.b64encode(digest).decode()

    def _make(self) -> str:
        value = base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()
        self._on_secret(value)
        return value


class SharedKeys:
    """Who a signed request speaks for: the account's owner.

    :param allowed: whether the account's ``allowedAuthenticationModes`` have ``SharedKey``.
    """

    def __init__(
        self, *, account: str, tenant_id: str, keys: AccountKeys, clock: Clock, allowed: bool
    ) -> None:
        self._account = account
        self._keys = keys
        self._clock = clock
        self._allowed = allowed
        self.owner = Principal(tenant_id=tenant_id, object_id="", app_id="", name="shared key")

    def signs(self, request: web.Request) -> bool:
        """Whether the request comes with a signature, good or bad."""
        return request.headers.get("Authorization", "").lower().startswith(_SCHEME)

    def verify(self, request: web.Request) -> Principal:
        """Who the signature speaks for.

        :raises BatchError: 403: it does not hold, or the account takes no keys.
        """
        if not self._allowed:
            raise _refuse("The specified type of authentication SharedKey is not allowed for this account.")
        account, _, signature = request.headers["Authorization"][len(_SCHEME) :].strip().partition(":")
        if account != self._account:
            raise _refuse("The account of the Authorization header is not this account.")
        if not self._is_fresh(request.headers):
            raise _refuse("The date header in the request is missing, not valid or too far from now.")
        text = string_to_sign(request, self._account)
        if not any(_equal(self._keys.sign(name, text), signature) for name in KeyName):
            raise _refuse("The MAC signature found in the HTTP request is not the same as any computed one.")
        return self.owner

    def _is_fresh(self, headers: Mapping[str, str]) -> bool:
        try:
            sent = parsedate_to_datetime(headers.get("ocp-date") or headers.get("Date") or "")
            return abs(sent.timestamp() - self._clock.time()) <= _CLOCK_SKEW_SECONDS
        except (TypeError, ValueError, OverflowError):
            return False


class AccountAccess:
    """What principals may do at the account: by their roles, and by its keys everything."""

    def __init__(self, roles: ResourceAccess, owner: Principal) -> None:
        self._roles = roles
        self._owner = owner

    def missing(self, principal_id: str, requirement: Requirement) -> tuple[str, ...]:
        """What the principal lacks."""
        return () if principal_id == self._owner.object_id else self._roles.missing(principal_id, requirement)


def string_to_sign(request: web.Request, account: str) -> str:
    """What the client signed, if its request came as it was sent."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    if request.method not in ("GET", "HEAD"):
        headers.setdefault("content-length", "0")
    lines = [request.method, *(headers.get(name, "") for name in _SIGNED_HEADERS)]
    lines += [f"{name}:{headers[name]}" for name in sorted(headers) if "ocp-" in name and headers[name]]
    lines.append(f"/{account}{request.rel_url.raw_path}")
    query = parse_qs(request.rel_url.raw_query_string)
    return "\n".join([*lines, *(f"{name}:{query[name][0]}" for name in sorted(query))])


def _equal(signature: str, given: str) -> bool:
    try:
        return hmac.compare_digest(base64.b64decode(signature), base64.b64decode(given, validate=True))
    except (binascii.Error, ValueError):
        return False


def _refuse(detail: str) -> BatchError:
    error = BatchError("AuthenticationFailed", (("AuthenticationErrorDetail", detail),), status=403)
    # Recorded; of a token the service says nothing about a signature.
    error.message = f"{error.message.removesuffix('.')} including the signature."
    return error
