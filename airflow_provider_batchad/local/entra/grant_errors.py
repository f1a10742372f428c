"""What Entra ID answers where a person signs in: codes, device codes and refresh tokens.

Numbers and texts are those of public logs and of the reference of error codes. No log was found of 70019 and
of any number that goes with ``slow_down``: both are assumed.
"""

from __future__ import annotations

from typing import Final

from airflow_provider_batchad.local.entra.errors import SignInErrorKind

AUTHORIZATION_PENDING: Final = SignInErrorKind(
    number=70016,
    status=400,
    error="authorization_pending",
    text="OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
)
DEVICE_TOO_FAST: Final = SignInErrorKind(
    number=70016,
    status=400,
    error="slow_down",
    text=("OAuth 2.0 device flow error. Polling too frequently. Wait for the interval before polling again."),
)
DEVICE_CODE_EXPIRED: Final = SignInErrorKind(
    number=70020,
    status=400,
    error="expired_token",
    text=(
        "The provided value for the input parameter 'device_code' is not valid. This device code has expired."
    ),
)
DEVICE_CODE_UNKNOWN: Final = SignInErrorKind(
    number=70019,
    status=400,
    error="bad_verification_code",
    text="The provided value for the input parameter 'device_code' is not valid.",
)
DEVICE_DECLINED: Final = SignInErrorKind(
    number=65004,
    status=400,
    error="authorization_declined",
    text="User declined to consent to access the app.",
)
CODE_REDEEMED: Final = SignInErrorKind(
    number=54005,
    status=400,
    error="invalid_grant",
    text=(
        "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an "
        "existing refresh token."
    ),
)
CODE_EXPIRED: Final = SignInErrorKind(
    number=70008,
    status=400,
    error="invalid_grant",
    text=(
        "The provided authorization code or refresh token has expired due to inactivity. Send a new "
        "interactive authorization request for this user and resource."
    ),
)
GRANT_MALFORMED: Final = SignInErrorKind(
    number=9002313,
    status=400,
    error="invalid_grant",
    text="Invalid request. Request is malformed or invalid.",
)
VERIFIER_WRONG: Final = SignInErrorKind(
    number=501481,
    status=400,
    error="invalid_grant",
    text=("The Code_Verifier does not match the code_challenge supplied in the authorization request."),
)
REDIRECT_MISMATCH: Final = SignInErrorKind(
    number=50011,
    status=400,
    error="invalid_request",
    text=(
        "The redirect URI '{redirect_uri}' specified in the request does not match the redirect URIs "
        "configured for the application '{client_id}'. Make sure the redirect URI sent in the request "
        "matches one added to your application in the Azure portal. Navigate to "
        "https://aka.ms/redirectUriMismatchError to learn more about how to fix this."
    ),
)
REFRESH_TOKEN_EXPIRED: Final = SignInErrorKind(
    number=700082,
    status=400,
    error="invalid_grant",
    text=(
        "The refresh token has expired due to inactivity. The token was issued on {issued} and was "
        "inactive for {lifetime}."
    ),
)
GRANT_REVOKED: Final = SignInErrorKind(
    number=50173,
    status=400,
    error="invalid_grant",
    text=(
        "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user "
        "might have changed or reset their password. The grant was issued on '{issued}' and the "
        "TokensValidFrom date (before which tokens are not valid) for this user is '{revoked}'."
    ),
)
USER_NOT_FOUND: Final = SignInErrorKind(
    number=50034,
    status=400,
    error="invalid_grant",
    text=(
        "The user account {name} does not exist in the {tenant} directory. To sign into this application,"
        " the account must be added to the directory."
    ),
)
NOT_SIGNED_IN: Final = SignInErrorKind(
    number=50058,
    status=400,
    error="login_required",
    text="A silent sign-in request was sent but no user is signed in.",
)
SEVERAL_RESOURCES: Final = SignInErrorKind(
    number=28000,
    status=400,
    error="invalid_scope",
    text=(
        "Provided value for the input parameter scope is not valid because it contains more than one "
        "resource. Scope {scope} is not valid."
    ),
)
RESPONSE_UNSUPPORTED: Final = SignInErrorKind(
    number=700054,
    status=400,
    error="unsupported_response_type",
    text="response_type '{response_type}' is not enabled for the application.",
)
