"""What Entra ID's numbered errors mean for a connection, and which field mends each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.errors import (
    BatchAdError,
    CredentialRefused,
    PrincipalNotFound,
    SignInError,
    Unreachable,
)

if TYPE_CHECKING:
    from airflow_provider_batchad.identity.principal import Application, Person

# The rest of a description is its trace and correlation IDs, to quote to Azure's support.
_TRACE: Final = re.compile(r"\s*Trace ID:\s*(?P<trace>[0-9a-fA-F-]+).*", re.DOTALL)
_LONGEST_TEXT: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class _Meaning:
    kind: type[SignInError]
    what: str
    remedy: str


_WRONG_SECRET: Final = _Meaning(
    kind=CredentialRefused,
    what="Entra ID refused the client secret of application {client_id}: it is not one of its secrets.",
    remedy="Put the value of a valid secret (not the secret's ID) where the field {secret_field!r} says.",
)
_NO_TENANT: Final = _Meaning(
    kind=PrincipalNotFound,
    what="Entra ID does not know the tenant {tenant_id}.",
    remedy="Correct the tenant's ID in the field {tenant_field!r}, or choose its cloud in 'extra.cloud'.",
)
_NO_RESOURCE: Final = _Meaning(
    kind=SignInError,
    what="The tenant {tenant_id} does not know the Batch service as a resource.",
    remedy="Register the resource provider Microsoft.Batch in a subscription of that tenant.",
)
_WRONG_SCOPE: Final = _Meaning(
    kind=SignInError,
    what="Entra ID does not take the scope that was asked for.",
    remedy="Choose the right cloud in 'extra.cloud'; for one of your own, check its 'batch_resource'.",
)

# learn.microsoft.com/entra/identity-platform/reference-error-codes
_MEANINGS: Final = {
    7000215: _WRONG_SECRET,
    7000222: _Meaning(
        kind=CredentialRefused,
        what="The client secret of application {client_id} has expired.",
        remedy="Make a new secret for the application and put it where the field {secret_field!r} says.",
    ),
    700016: _Meaning(
        kind=PrincipalNotFound,
        what="Entra ID does not know the application {client_id} in the tenant {tenant_id}.",
        remedy="Correct the client ID in the field {client_field!r} or the tenant in {tenant_field!r}.",
    ),
    7000229: _Meaning(
        kind=PrincipalNotFound,
        what="The application {client_id} has no service principal in the tenant {tenant_id}.",
        remedy="Create it: az ad sp create --id {client_id}.",
    ),
    7000112: _Meaning(
        kind=SignInError,
        what="The application {client_id} is disabled.",
        remedy="Enable it in Entra ID (Enterprise applications, Properties, Enabled for users to sign in).",
    ),
    90002: _NO_TENANT,
    900021: _NO_TENANT,
    900023: _NO_TENANT,
    50059: _NO_TENANT,
    53003: _Meaning(
        kind=SignInError,
        what="A Conditional Access policy refuses the application {client_id} a token from here.",
        remedy="Let the policy for workload identities admit this machine's address.",
    ),
    500011: _NO_RESOURCE,
    650052: _NO_RESOURCE,
    70011: _WRONG_SCOPE,
    1002012: _WRONG_SCOPE,
}
# Entra ID is busy, throttles, or has lost its way for a moment.
_TRY_AGAIN: Final = frozenset({90024, 90033, 50196, 90006, 90010})


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
    meaning = _MEANINGS.get(number)
    if meaning is None:
        text = _TRACE.sub("", description).strip()[:_LONGEST_TEXT]
        return SignInError(f"Entra ID refused a token: {text}{trace}", step="token", code=code)
    fields = {
        "tenant_id": principal.tenant_id,
        "client_id": principal.client_id,
        "tenant_field": principal.tenant_field,
        "client_field": principal.client_field,
        "secret_field": getattr(principal, "credential_field", "extra.sign_in"),
    }
    return meaning.kind(
        f"{meaning.what.format(**fields)} [{code}{trace}]",
        step="token",
        code=code,
        remedy=meaning.remedy.format(**fields),
    )
