"""Keeps the password of the environment's proxies out of messages: clients repeat a URL they cannot read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

_VARIABLES: Final = ("http_proxy", "https_proxy", "all_proxy")
# What a client takes for the end of the host, where somebody has not escaped it.
_CUTS: Final = re.compile(r"[#/?]")
_SHORTEST: Final = 4


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
