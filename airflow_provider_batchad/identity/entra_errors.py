"""What Entra ID's numbered errors mean for a connection."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.errors import BatchAdError, SignInError, Unreachable
from airflow_provider_batchad.identity.entra_error_table import MEANINGS

if TYPE_CHECKING:
    from airflow_provider_batchad.identity.principal import Application, Person

# The rest of a description is its trace and correlation IDs, to quote to Azure's support.
_TRACE: Final = re.compile(r"\s*Trace ID:\s*(?P<trace>[0-9a-fA-F-]+).*", re.DOTALL)
_LONGEST_TEXT: Final = 400


# Entra ID is busy, throttles, or has lost its way for a moment.
# learn.microsoft.com/entra/identity-platform/reference-error-codes
_TRY_AGAIN: Final = frozenset({50000, 50196, 90006, 90012, 90024, 90033, 90055})


def explain_entra_error(
    number: int,
    description: str,
    principal: Application | Person,
    *,
    retry_after_seconds: float | None = None,
) -> BatchAdError:
    """The error in the words of the connection; a number that nobody knows is shown raw.

    :param number: the number after ``AADSTS``.
    :param description: the whole ``error_description``.
    """
    code = f"AADSTS{number}"
    traced = _TRACE.search(description)
    trace = f" (trace ID {traced['trace']})" if traced else ""
    if number in _TRY_AGAIN:
        return Unreachable(
            f"Entra ID could not answer: {code}{trace}.",
            step="token",
            retry_after_seconds=retry_after_seconds,
        )
    meaning = MEANINGS.get(number)
    if meaning is None:
        text = _TRACE.sub("", description).strip()[:_LONGEST_TEXT]
        return SignInError(f"Entra ID refused a token: {text}{trace}", step="token", code=code)
    fields = {
        "tenant_id": principal.tenant_id,
        "client_id": principal.client_id,
        "tenant_field": principal.tenant_field,
        "client_field": principal.client_field,
        "credential_field": getattr(principal, "credential_field", "extra.sign_in"),
    }
    return meaning.kind(
        f"{meaning.what.format(**fields)} [{code}{trace}]",
        step="token",
        code=code,
        remedy=meaning.remedy.format(**fields) if meaning.remedy else None,
    )
