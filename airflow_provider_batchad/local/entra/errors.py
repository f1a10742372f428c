"""Errors of the simulated Entra ID: number, status and text as the real service gives them.

Texts and statuses are those of recordings and public logs.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.local.call import current_call
from airflow_provider_batchad.local.json_answer import answer_json

if TYPE_CHECKING:
    from aiohttp import web

# "Microsoft identity platform: error codes", and recordings of the real service.
SERVER_HEADERS: Final = {
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "P3P": 'CP="DSP CUR OTPi IND OTRi ONL FIN"',
    "x-ms-ests-server": "2.1.12707.9 - LOCAL ProdSlices",
    "X-XSS-Protection": "0",
}
NO_STORE: Final = {"Cache-Control": "no-store, no-cache", "Pragma": "no-cache", "Expires": "-1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInErrorKind:
    """A row of the table; ``text`` holds the fields to fill in."""

    number: int
    status: int
    error: str
    text: str


TENANT_NOT_FOUND: Final = SignInErrorKind(
    number=90002,
    status=400,
    error="invalid_request",
    text=(
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into "
        "the correct cloud. Check with your subscription administrator, this may happen if there are no "
        "active subscriptions for the tenant."
    ),
)
NO_TENANT: Final = SignInErrorKind(
    number=50059,
    status=400,
    error="invalid_request",
    text=(
        "No tenant-identifying information found in either the request or implied by any provided "
        "credentials."
    ),
)
APPLICATION_NOT_FOUND: Final = SignInErrorKind(
    number=700016,
    status=400,
    error="unauthorized_client",
    text=(
        "Application with identifier '{client_id}' was not found in the directory '{tenant}'. This can "
        "happen if the application has not been installed by the administrator of the tenant or consented to "
        "by any user in the tenant. You may have sent your authentication request to the wrong tenant."
    ),
)
WRONG_SECRET: Final = SignInErrorKind(
    number=7000215,
    status=401,
    error="invalid_client",
    text=(
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret "
        "value, not the client secret ID, for a secret added to app '{client_id}'."
    ),
)
EXPIRED_SECRET: Final = SignInErrorKind(
    number=7000222,
    status=401,
    error="invalid_client",
    text=(
        "The provided client secret keys for app '{client_id}' are expired. Visit the Azure portal to create "
        "new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials "
        "for added security: https://aka.ms/certCreds."
    ),
)
NO_CREDENTIAL: Final = SignInErrorKind(
    number=7000218,
    status=401,
    error="invalid_client",
    text="The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
)
CERTIFICATE_NOT_REGISTERED: Final = SignInErrorKind(
    number=700027,
    status=401,
    error="invalid_client",
    text=(
        "The certificate with identifier used to sign the client assertion is not registered on application. "
        "[Reason - The key was not found., Thumbprint of key used by client: '{thumbprint}', Please visit "
        "the Azure Portal, Graph Explorer or directly use MS Graph to see configured keys for app Id "
        "'{client_id}'.]"
    ),
)
NO_FEDERATED_IDENTITY: Final = SignInErrorKind(
    number=700213,
    status=401,
    error="invalid_client",
    text=(
        "No matching federated identity record found for presented assertion subject '{subject}'. Check your "
        "federated identity credential Subject, Audience and Issuer against the presented assertion."
    ),
)
MALFORMED_ASSERTION: Final = SignInErrorKind(
    number=50027, status=400, error="invalid_request", text="JWT token is invalid or malformed."
)
RESOURCE_NOT_FOUND: Final = SignInErrorKind(
    number=500011,
    status=400,
    error="invalid_resource",
    text=(
        "The resource principal named {resource} was not found in the tenant named {tenant}. This can happen "
        "if the application has not been installed by the administrator of the tenant or consented to by any "
        "user in the tenant. You might have sent your authentication request to the wrong tenant."
    ),
)
SCOPE_NOT_DEFAULT: Final = SignInErrorKind(
    number=1002012,
    status=400,
    error="invalid_scope",
    text=(
        "The provided value for scope {scope} is not valid. Client credential flows must have a scope value "
        "with /.default suffixed to the resource identifier (application ID URI)."
    ),
)
SCOPE_INVALID: Final = SignInErrorKind(
    number=70011,
    status=400,
    error="invalid_scope",
    text=(
        "The provided request must include a 'scope' input parameter. The provided value for the input "
        "parameter 'scope' is not valid. The scope {scope} is not valid."
    ),
)
PARAMETER_MISSING: Final = SignInErrorKind(
    number=900144,
    status=400,
    error="invalid_request",
    text="The request body must contain the following parameter: '{parameter}'.",
)
GRANT_UNSUPPORTED: Final = SignInErrorKind(
    number=70003,
    status=400,
    error="unsupported_grant_type",
    text="The app requested an unsupported grant type '{grant_type}'.",
)
INVALID_INSTANCE: Final = SignInErrorKind(
    number=50049, status=400, error="invalid_instance", text="Unknown or invalid instance."
)


def token_headers() -> dict[str, str]:
    """The headers of an answer that holds a token or a code."""
    return {
        **SERVER_HEADERS,
        **NO_STORE,
        "x-ms-request-id": str(uuid.uuid4()),
        "x-ms-clitelem": "1,0,0,,",
    }


class SignInRefused(Exception):
    """Entra ID's answer is an error of the table."""

    def __init__(self, kind: SignInErrorKind, **fields: str) -> None:
        self.kind = kind
        self.text = kind.text.format(**fields)
        super().__init__(f"AADSTS{kind.number}")


def render_sign_in_error(
    request: web.Request, refused: SignInRefused, *, now: float, authority: str
) -> web.Response:
    """The answer as it goes over the wire."""
    kind = refused.kind
    current_call().error_code = f"AADSTS{kind.number}"
    trace_id = str(uuid.uuid4())
    correlation_id = request.headers.get("client-request-id") or str(uuid.uuid4())
    timestamp = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(now))
    body = {
        "error": kind.error,
        "error_description": (
            f"AADSTS{kind.number}: {refused.text} Trace ID: {trace_id} "
            f"Correlation ID: {correlation_id} Timestamp: {timestamp}"
        ),
        "error_codes": [kind.number],
        "timestamp": timestamp,
        "trace_id": trace_id,
        "correlation_id": correlation_id,
        "error_uri": f"{authority}/error?code={kind.number}",
    }
    headers = {
        **SERVER_HEADERS,
        **NO_STORE,
        "x-ms-request-id": trace_id,
        "x-ms-clitelem": f"1,{kind.number},0,,",
    }
    return answer_json(body, status=kind.status, headers=headers)
