"""Strikes out what a URL may carry and nobody should read: the signature of a shared access signature."""

from __future__ import annotations

import re

_SIGNATURE = re.compile(r"(?i)\b(sig=)[^&\s\"'<>;,)\]}]+")


def redact_signatures(text: str) -> str:
    """``text`` with the value of each ``sig=`` struck out; Batch repeats wrong values in its errors.

    Source: https://learn.microsoft.com/rest/api/storageservices/create-service-sas
    """
    return _SIGNATURE.sub(r"\1***", text)
