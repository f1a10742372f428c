"""Entra ID's numbered errors: what each means, and which field of the connection mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from airflow_provider_batchad.errors import CredentialRefused, PrincipalNotFound, SignInError


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a number means.

    :param kind: a refused credential is read anew and tried again; nothing else is.
    :param what: with the principal's fields to fill in, as ``remedy``.
    :param remedy: none where signing in again is what helps.
    """

    kind: type[SignInError]
    what: str
    remedy: str | None


_WRONG_SECRET: Final = Meaning(
    kind=CredentialRefused,
    what="Entra ID refused the client secret of application {client_id}: it is not one of its secrets.",
    remedy="Put the value of a valid secret (not the secret's ID) where the field {credential_field!r} says.",
)
_NO_TENANT: Final = Meaning(
    kind=PrincipalNotFound,
    what="Entra ID does not know the tenant {tenant_id}.",
    remedy="Correct the tenant's ID in the field {tenant_field!r}, or choose its cloud in 'extra.cloud'.",
)
_NO_RESOURCE: Final = Meaning(
    kind=SignInError,
    what="The tenant {tenant_id} does not know the Batch service as a resource.",
    remedy="Register the resource provider Microsoft.Batch in a subscription of that tenant.",
)
_WRONG_SCOPE: Final = Meaning(
    kind=SignInError,
    what="Entra ID does not take the scope that was asked for.",
    remedy="Choose the right cloud in 'extra.cloud'; for one of your own, check its 'batch_resource'.",
)

_NO_FEDERATION: Final = Meaning(
    kind=SignInError,
    what="No federated credential of application {client_id} fits the token that this machine presents.",
    remedy="Compare issuer, subject and audience of the token with the application's federated credentials "
    "(az ad app federated-credential list --id {client_id}); upper and lower case count.",
)
_ISSUERS_KEY: Final = Meaning(
    kind=CredentialRefused,
    what="Entra ID cannot check the federated token of application {client_id} with its issuer's keys.",
    remedy="Let the issuer publish the key that it signs with; the token that the field "
    "{credential_field!r} stands for must be a fresh one.",
)
_WRONG_CHAIN: Final = Meaning(
    kind=CredentialRefused,
    what="The certificate's name or issuer is not what application {client_id} trusts.",
    remedy="Store a certificate of that name and issuer, with its chain, where the field "
    "{credential_field!r} says.",
)
_LOGIN_ENDED: Final = Meaning(
    kind=SignInError, what="What the person has logged in with is no longer good.", remedy=None
)
_MORE_PROOF: Final = Meaning(
    kind=SignInError, what="The person must prove more than a refresh token does.", remedy=None
)

# learn.microsoft.com/entra/identity-platform/reference-error-codes
MEANINGS: Final = {
    7000215: _WRONG_SECRET,
    7000222: Meaning(
        kind=CredentialRefused,
        what="The client secret of application {client_id} has expired.",
        remedy="Make a new secret for the application and put it where the field {credential_field!r} says.",
    ),
    700016: Meaning(
        kind=PrincipalNotFound,
        what="Entra ID does not know the application {client_id} in the tenant {tenant_id}.",
        remedy="Correct the client ID in the field {client_field!r} or the tenant in {tenant_field!r}.",
    ),
    7000229: Meaning(
        kind=PrincipalNotFound,
        what="The application {client_id} has no service principal in the tenant {tenant_id}.",
        remedy="Create it: az ad sp create --id {client_id}.",
    ),
    7000112: Meaning(
        kind=SignInError,
        what="The application {client_id} is disabled.",
        remedy="Enable it in Entra ID (Enterprise applications, Properties, Enabled for users to sign in).",
    ),
    90002: _NO_TENANT,
    900021: _NO_TENANT,
    900023: _NO_TENANT,
    50059: _NO_TENANT,
    53003: Meaning(
        kind=SignInError,
        what="A Conditional Access policy refuses the application {client_id} a token from here.",
        remedy="Let the policy for workload identities admit this machine's address.",
    ),
    500011: _NO_RESOURCE,
    650052: _NO_RESOURCE,
    70011: _WRONG_SCOPE,
    1002012: _WRONG_SCOPE,
    700027: Meaning(
        kind=CredentialRefused,
        what="Entra ID refused the certificate of application {client_id}: it has expired, or is not one "
        "that is registered there.",
        remedy="Register it (az ad app credential reset --id {client_id} --cert @public.pem --append), or "
        "store a registered one where the field {credential_field!r} says.",
    ),
    700024: Meaning(
        kind=CredentialRefused,
        what="What application {client_id} presented is outside of its time.",
        remedy="Look at this machine's clock, and at what renews a federated token.",
    ),
    50012: Meaning(
        kind=CredentialRefused,
        what="Entra ID does not accept the certificate of application {client_id}: its signature, "
        "thumbprint, chain or name.",
        remedy="Store a registered certificate with its chain where the field {credential_field!r} says.",
    ),
    700021: Meaning(
        kind=CredentialRefused,
        what="What is presented for application {client_id} was issued for another application.",
        remedy="Correct the client ID in the field {client_field!r}, or what the field {credential_field!r} "
        "stands for.",
    ),
    700023: Meaning(
        kind=SignInError,
        what="What is presented for application {client_id} was issued for another authority.",
        remedy="Choose the right cloud in 'extra.cloud'; for one of your own, check its 'authority'.",
    ),
    7000216: Meaning(
        kind=CredentialRefused,
        what="Entra ID found no proof of application {client_id} in the request.",
        remedy="Put a secret or a certificate where the field {credential_field!r} says.",
    ),
    7000213: _WRONG_CHAIN,
    700030: _WRONG_CHAIN,
    7000272: _ISSUERS_KEY,
    50013: _ISSUERS_KEY,
    70021: _NO_FEDERATION,
    700211: _NO_FEDERATION,
    700212: _NO_FEDERATION,
    700213: _NO_FEDERATION,
    7002138: _NO_FEDERATION,
    7000218: Meaning(
        kind=SignInError,
        what="The application {client_id} demands a secret, and a person has none.",
        remedy="Allow public client flows in its authentication settings, or empty the field "
        "{client_field!r}.",
    ),
    700025: Meaning(
        kind=SignInError,
        what="The application {client_id} is one for people: it takes no secret and no certificate.",
        remedy="Take another application, or choose 'integrated' in 'extra.sign_in'.",
    ),
    50034: Meaning(
        kind=SignInError,
        what="The person is not known in the tenant {tenant_id}.",
        remedy="Sign in as another one, or correct the field {tenant_field!r}.",
    ),
    65001: Meaning(
        kind=SignInError,
        what="Nobody has consented to the application {client_id} calling Batch for the person.",
        remedy="Let an administrator consent, or empty the field {client_field!r}.",
    ),
    65004: Meaning(kind=SignInError, what="The sign-in was declined.", remedy=None),
    70020: Meaning(kind=SignInError, what="The code has expired before anybody used it.", remedy=None),
    **dict.fromkeys((50132, 50133, 50173, 70008, 70043, 700082, 700084), _LOGIN_ENDED),
    **dict.fromkeys((50072, 50074, 50076, 50078, 50079, 50097), _MORE_PROOF),
}
