"""What Entra ID answers to a client assertion that it does not take.

Numbers and texts are those of public logs and of the reference of error codes. No log was found of 700021,
700030, 700212 and 50166 in these words, and none that shows the status of 50013 and 7002138: assumed.
"""

from __future__ import annotations

from typing import Final

from airflow_provider_batchad.local.entra.errors import SignInErrorKind

ASSERTION_EXPIRED: Final = SignInErrorKind(
    number=700024,
    status=401,
    error="invalid_client",
    text=(
        "Client assertion is not within its valid time range. Current time: {now}, assertion valid from "
        "{not_before}, expiry time of assertion {expires_on}. Review the documentation at "
        "https://learn.microsoft.com/entra/identity-platform/certificate-credentials ."
    ),
)
ASSERTION_AUDIENCE: Final = SignInErrorKind(
    number=700023,
    status=401,
    error="invalid_client",
    text=(
        "Client assertion audience claim does not match Realm issuer. Review the documentation at "
        "https://learn.microsoft.com/entra/identity-platform/certificate-credentials ."
    ),
)
ASSERTION_OF_ANOTHER: Final = SignInErrorKind(
    number=700021,
    status=401,
    error="invalid_client",
    text=(
        "Client assertion application identifier doesn't match 'client_id' parameter. Review the "
        "documentation at https://learn.microsoft.com/entra/identity-platform/certificate-credentials ."
    ),
)
ASSERTION_SIGNATURE: Final = SignInErrorKind(
    number=700027,
    status=401,
    error="invalid_client",
    text=(
        "Client assertion contains an invalid signature. [Reason - {reason}, Thumbprint of key used by "
        "client: '{thumbprint}', Found key 'Start={start}, End={end}', Please visit the Azure Portal, "
        "Graph Explorer or directly use MS Graph to see configured keys for app Id '{client_id}'.]"
    ),
)
CERTIFICATE_CHAIN: Final = SignInErrorKind(
    number=7000213,
    status=401,
    error="invalid_client",
    text="Invalid certificate chain.",
)
SUBJECT_NOT_AUTHORIZED: Final = SignInErrorKind(
    number=700030,
    status=401,
    error="invalid_client",
    text=(
        "Invalid certificate - subject name in certificate is not authorized. "
        "SubjectNames/SubjectAlternativeNames (up to 10) in token certificate are: {names}."
    ),
)
FEDERATED_ISSUER: Final = SignInErrorKind(
    number=700211,
    status=401,
    error="invalid_client",
    text=(
        "No matching federated identity record found for presented assertion issuer '{issuer}'. Please "
        "check your federated identity credential Subject, Audience and Issuer against the presented "
        "assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
    ),
)
FEDERATED_AUDIENCE: Final = SignInErrorKind(
    number=700212,
    status=401,
    error="invalid_client",
    text=(
        "No matching federated identity record found for presented assertion audience '{audience}'. "
        "Please check your federated identity credential Subject, Audience and Issuer against the "
        "presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
    ),
)
FEDERATED_SUBJECT_CASE: Final = SignInErrorKind(
    number=7002138,
    status=401,
    error="invalid_client",
    text=(
        "No matching federated identity record found for presented assertion subject '{subject}'. The "
        "subject matches with case-insensitive comparison, but not with case-sensitive comparison. Please"
        " check your federated identity credential Subject, Audience and Issuer against the presented "
        "assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
    ),
)
FEDERATED_KEY: Final = SignInErrorKind(
    number=7000272,
    status=401,
    error="invalid_client",
    text=(
        "The certificate with identifier {key_id} used to sign the federated credential could not be "
        "found in the metadata of identity provider {issuer}. Please validate that your Identity "
        "Provider's metadata exposes the key used to sign the incoming token."
    ),
)
FEDERATED_SIGNATURE: Final = SignInErrorKind(
    number=50013,
    status=401,
    error="invalid_client",
    text=(
        "Assertion failed signature validation. [Reason - The provided signature value did not match the "
        "expected signature value.]"
    ),
)
FEDERATED_METADATA: Final = SignInErrorKind(
    number=50166,
    status=400,
    error="invalid_request",
    text="Request to External OIDC endpoint failed.",
)
CLIENT_IS_PUBLIC: Final = SignInErrorKind(
    number=700025,
    status=401,
    error="invalid_client",
    text=("Client is public so neither 'client_assertion' nor 'client_secret' should be presented."),
)
