"""How the Batch service refuses a token or a principal.

Recorded (public log, 2020): a token of another audience gets 401, ``AuthenticationFailed``, this message and
the detail about the audience. No recording shows any of the rest. It is assumed, and stands here alone:

* the other details of a token that is refused, and the ``WWW-Authenticate`` header of every 401;
* the answer to a principal whose role lacks an action: 403, ``AuthorizationFailure``. Its values name what
  the service may well not name.
"""

from __future__ import annotations

from typing import Final

from airflow_provider_batchad.local.batch.errors import BatchError
from airflow_provider_batchad.local.config import BATCH_RESOURCE
from airflow_provider_batchad.local.entra.tokens import RejectionReason, TokenRejected

_DETAILS: Final = {
    RejectionReason.MISSING: "The access token is missing.",
    RejectionReason.MALFORMED: "The access token is not valid.",
    RejectionReason.SIGNATURE: "The access token's signature is not valid.",
    RejectionReason.TENANT: "The access token has been issued by a tenant that the account does not trust.",
    RejectionReason.NOT_YET_VALID: "The access token is not yet valid.",
    RejectionReason.EXPIRED: "The access token has expired.",
}


def refuse_token(rejected: TokenRejected, *, tenant_id: str) -> BatchError:
    """401."""
    if rejected.reason is RejectionReason.AUDIENCE:
        detail = (
            f"The access token has been obtained from wrong audience or resource '{rejected.found}'. It "
            "should exactly match (including forward slash) with one of the allowed audiences "
            f"'{BATCH_RESOURCE}'"
        )
    else:
        detail = _DETAILS[rejected.reason]
    authority = f"https://login.windows.net/{tenant_id}"
    challenge = f'Bearer authorization_uri="{authority}", resource_id="{BATCH_RESOURCE}"'
    return BatchError(
        "AuthenticationFailed",
        (("AuthenticationErrorDetail", detail),),
        headers={"WWW-Authenticate": challenge},
    )


def refuse_principal(missing: tuple[str, ...]) -> BatchError:
    """403."""
    return BatchError("AuthorizationFailure", tuple(("MissingPermission", action) for action in missing))
