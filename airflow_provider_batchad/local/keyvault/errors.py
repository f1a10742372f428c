"""Errors of the simulated Key Vault, in the shape and words of the real one's recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.local.call import current_call
from airflow_provider_batchad.local.entra.tokens import RejectionReason, TokenRejected
from airflow_provider_batchad.local.json_answer import answer_json

if TYPE_CHECKING:
    from aiohttp import web

    from airflow_provider_batchad.local.entra.tokens import Principal

_USUAL_CODES: Final = {
    400: "BadParameter",
    401: "Unauthorized",
    403: "Forbidden",
    404: "SecretNotFound",
    429: "Throttled",
    503: "ServiceUnavailable",
}


_OUTAGE_TEXTS: Final = {
    401: (
        "Continuous access evaluation resulted in challenge with result: InteractionRequired and code: "
        "TokenIssuedBeforeRevocationTimestamp"
    ),
    429: "Request was not processed because too many requests were received.",
}


class VaultRefused(Exception):
    """Key Vault's answer is an error.

    :param inner_code: ``innererror.code``, such as ``ForbiddenByRbac``.
    :param headers: beside those of every answer.
    """

    def __init__(
        self,
        status: int,
        code: str,
        text: str,
        *,
        inner_code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.text = text
        self.inner_code = inner_code
        self.headers = headers or {}
        super().__init__(code)


def bad_parameter(text: str) -> VaultRefused:
    """400: a part of the request is not as it should be."""
    return VaultRefused(400, "BadParameter", text)


def not_found(name: str) -> VaultRefused:
    """404, for a name, or ``name/version``."""
    return VaultRefused(
        404,
        "SecretNotFound",
        f"A secret with (name/id) {name} was not found in this key vault. If you recently deleted this "
        "secret you may be able to recover it using the correct recovery command. For help resolving this "
        "issue, please see https://go.microsoft.com/fwlink/?linkid=2125182",
    )


def deleted_not_found(name: str) -> VaultRefused:
    """404 for a secret that is not among the deleted ones."""
    return VaultRefused(404, "SecretNotFound", f"Deleted Secret not found: {name}")


def name_is_taken(name: str) -> VaultRefused:
    """409: the secret of this name is deleted, and can be recovered."""
    return VaultRefused(
        409,
        "Conflict",
        f"Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused; in "
        "this state, the secret can only be recovered or purged.",
        inner_code="ObjectIsDeletedButRecoverable",
    )


def throttled() -> VaultRefused:
    """429, which comes without ``Retry-After``."""
    text = (
        "Request was not processed because too many requests were received. Reason: "
        "VaultRequestTypeLimitReached"
    )
    return VaultRefused(429, "Throttled", text)


def unknown_operation(method: str, name: str) -> VaultRefused:
    """400 for a path that means nothing to the service; no recording shows it, the words are assumed."""
    return VaultRefused(400, "BadParameter", f"Method {method} does not allow operation '{name}'")


def disabled() -> VaultRefused:
    """403 for reading a version that is not enabled."""
    text = "Operation get is not allowed on a disabled secret."
    return VaultRefused(403, "Forbidden", text, inner_code="SecretDisabled")


def forbidden(principal: Principal, action: str, *, resource: str, vault: str, region: str) -> VaultRefused:
    """403 for lack of a role assignment."""
    issuer = f"https://sts.windows.net/{principal.tenant_id}/"
    advice = (
        "If role assignments, deny assignments or role definitions were changed recently, please observe "
        "propagation time."
    )
    lines = (
        "Caller is not authorized to perform action on resource.",
        advice,
        f"Caller: appid={principal.app_id};oid={principal.object_id};iss={issuer}",
        f"Action: '{action}'",
        f"Resource: '{resource}'",
        "Assignment: (not found)",
        "DenyAssignmentId: null",
        "DecisionReason: null ",
        f"Vault: {vault};location={region}",
        "",
    )
    return VaultRefused(403, "Forbidden", "\r\n".join(lines), inner_code="ForbiddenByRbac")


def unauthorized(rejected: TokenRejected, *, challenge: str, resource: str, tenant_id: str) -> VaultRefused:
    """401 with the challenge from which a client learns the tenant and the resource."""
    match rejected.reason:
        case RejectionReason.MISSING | RejectionReason.MALFORMED:
            text = "AKV10000: Request is missing a Bearer or PoP token."
        case RejectionReason.SIGNATURE:
            text = "AKV10046: Unable to resolve the key used for signature validation."
        case RejectionReason.AUDIENCE:
            text = f"AKV10022: Invalid audience. Expected {resource}, found: {rejected.found}."
        case RejectionReason.TENANT:
            issuers = (
                f"https://sts.windows.net/{tenant_id}/, found https://sts.windows.net/{rejected.found}/."
            )
            text = f"AKV10032: Invalid issuer. Expected one of {issuers}"
        case RejectionReason.NOT_YET_VALID | RejectionReason.EXPIRED:
            text = "[TokenExpired] Error validating token: 'S2S12086'."
    if rejected.reason is not RejectionReason.MISSING:
        challenge += f', error="invalid_token", error_description="{text}"'
    return VaultRefused(401, "Unauthorized", text, headers={"WWW-Authenticate": challenge})


def outage(status: int, code: str | None) -> VaultRefused:
    """What a fault rule asks for."""
    if status == 429 and code is None:
        return throttled()
    text = _OUTAGE_TEXTS.get(status, "The service is temporarily unavailable.")
    return VaultRefused(status, code or _USUAL_CODES.get(status, "InternalServerError"), text)


def render_vault_error(refused: VaultRefused, headers: dict[str, str]) -> web.Response:
    """The answer as it goes over the wire."""
    current_call().error_code = refused.inner_code or refused.code
    error: dict[str, object] = {"code": refused.code, "message": refused.text}
    if refused.inner_code is not None:
        error["innererror"] = {"code": refused.inner_code}
    return answer_json({"error": error}, status=refused.status, headers={**headers, **refused.headers})
