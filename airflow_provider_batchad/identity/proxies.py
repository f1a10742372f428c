"""The environment's proxies: what no client can use is refused here, and no password gets into a message.

Clients repeat a URL that they cannot read, and raise anything from a ``ValueError`` on.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies_environment

from airflow_provider_batchad.errors import ProxyConfigurationError

_VARIABLES: Final = ("http_proxy", "https_proxy", "all_proxy")
# What a client takes for the end of the host, where somebody has not escaped it.
_CUTS: Final = re.compile(r"[#/?]")
_SHORTEST: Final = 4
_SOCKS: Final = ("socks4", "socks4a", "socks5", "socks5h")


def usable_proxy(url: str, *, asynchronous: bool = False) -> str | None:
    """The environment's proxy for ``url``, as requests chooses it; none where ``NO_PROXY`` names the host.

    :param asynchronous: aiohttp asks, which takes ``http://`` proxies alone.
    :raises ProxyConfigurationError: the client could not use it; names the variable, and not its value.
    """
    from requests.utils import should_bypass_proxies

    proxies = getproxies_environment()
    if not proxies or should_bypass_proxies(url, no_proxy=None):
        return None
    scheme = urlsplit(url).scheme
    chosen = scheme if scheme in proxies else "all"
    value = proxies.get(chosen)
    if value is None:
        return None
    what = _fault_of(value) or _unsupported(value, asynchronous=asynchronous)
    if what is not None:
        raise ProxyConfigurationError(
            what,
            variable=_variable_of(chosen, value),
            remedy="It is http://host:port or http://user:password@host:port, with %23 for # in user "
            "name and password, %2F for / and %3F for ?.",
        )
    return value


def _variable_of(kind: str, value: str) -> str:
    found = [name for name in os.environ if name.lower() == f"{kind}_proxy" and os.environ.get(name) == value]
    return found[0] if found else f"{kind}_proxy".upper()


def _fault_of(value: str) -> str | None:
    """What keeps every client from using it."""
    if any(sign.isspace() or not sign.isprintable() for sign in value):
        return "white space or a control character stands in it."
    rest = value.partition("://")[2] if "://" in value else value
    if "@" in "".join(_CUTS.split(rest, maxsplit=1)[1:]):
        return "an unescaped '#', '/' or '?' stands in its user name or password."
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
    except ValueError:
        return "it is not a URL; '[' and ']' are for IPv6 addresses, and %5B and %5D elsewhere."
    try:
        return _fault_of_parts(parts, value)
    except Exception:  # noqa: BLE001 - whatever a client's parser raises, it repeats the URL
        return "it is not a URL that clients can read."


def _fault_of_parts(parts: SplitResult, value: str) -> str | None:
    """The same, once it is cut into its parts; whatever this raises is a fault too."""
    from requests.utils import prepend_scheme_if_needed

    try:
        _ = parts.port
    except ValueError:
        return "its port is not a number from 0 to 65535."
    if not parts.hostname:
        return "it names no host."
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if ":" in user:
        return "a user name cannot hold a colon (RFC 7617)."
    (user + password).encode("latin-1")
    parts.hostname.encode("idna")
    prepend_scheme_if_needed(value, "http")  # type: ignore[no-untyped-call]  # what requests reads it with
    return None


def _unsupported(value: str, *, asynchronous: bool) -> str | None:
    """What keeps this client from using it."""
    scheme = urlsplit(value).scheme if "://" in value else ""
    if asynchronous:
        return None if scheme == "http" else "the triggerer's client, aiohttp, takes http:// proxies alone."
    if scheme in ("", "http", "https"):
        return None
    if scheme not in _SOCKS:
        return "it does not begin with http://."
    return None if importlib.util.find_spec("socks") else "SOCKS proxies need the package PySocks."


def strike_proxy_passwords(text: str) -> str:
    """``text`` without the user names and passwords of ``HTTPS_PROXY`` and its like, and their parts."""
    for secret in sorted(set(_secrets()), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _secrets() -> Iterator[str]:
    for name in _VARIABLES:
        for value in (os.environ.get(name, ""), os.environ.get(name.upper(), "")):
            user_info, at, _ = value.rpartition("@")
            if not at:
                continue
            user_info = user_info.rpartition("://")[2]
            user, colon, password = user_info.partition(":")
            yield from filter(None, (user_info, unquote(user_info)))
            for part in (password, unquote(password), *_CUTS.split(password)):
                if part:
                    # A short part may stand anywhere in a sentence: only where it follows the user's name.
                    yield part if len(part) >= _SHORTEST else f"{user}{colon}{part}"
