"""Tokens in place of signatures: who may do what with the blobs of a container.

Source: "Authorize with Microsoft Entra ID" of the storage REST reference: tokens from version 2017-11-09 on,
the challenge to whoever brings none or a bad one from 2019-12-12 on. The refusals are those of public logs;
assumed are the details for a token outside of its time or with a wrong signature, and claims challenges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.local.access import Requirement
from airflow_provider_batchad.local.call import current_call
from airflow_provider_batchad.local.config import STORAGE_RESOURCE, LocalAzureConfig
from airflow_provider_batchad.local.entra.tokens import RejectionReason, TokenRejected, token_of
from airflow_provider_batchad.local.storage.answers import render_error

if TYPE_CHECKING:
    from aiohttp import web

    from airflow_provider_batchad.local.access import RoleBook
    from airflow_provider_batchad.local.entra.tokens import Principal, TokenAuthority

AUDIENCES: Final = (STORAGE_RESOURCE, f"{STORAGE_RESOURCE}/")
_BLOBS: Final = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
READ: Final = (f"{_BLOBS}/read",)
DELETE: Final = (f"{_BLOBS}/delete",)
# "Put Blob": write for every blob; to add one that is new, add/action is enough.
WRITE: Final = (f"{_BLOBS}/write",)
ADD: Final = (*WRITE, f"{_BLOBS}/add/action")
# The versions are dates.
_FIRST_WITH_TOKENS: Final = "2017-11-09"
_FIRST_WITH_CHALLENGE: Final = "2019-12-12"
_NO_SCHEME: Final = (
    "Authentication information is not given in the correct format. Check the value of Authorization header."
)
_DETAILS: Final = {
    RejectionReason.AUDIENCE: "Audience validation failed. Audience did not match.",
    RejectionReason.TENANT: "Issuer validation failed. Issuer did not match.",
    RejectionReason.EXPIRED: "Lifetime validation failed. The token is expired.",
    RejectionReason.NOT_YET_VALID: "Lifetime validation failed. The token is not yet valid.",
    RejectionReason.SIGNATURE: "Signature validation failed. Signature verification failed.",
}


class IdentityAccess:
    """The check of requests that bring a token, or nothing at all.

    :param authority: Entra ID's address, which the challenge names.
    """

    def __init__(
        self, *, authority: str, config: LocalAzureConfig, tokens: TokenAuthority, roles: RoleBook
    ) -> None:
        self._config = config
        self._tokens = tokens
        self._roles = roles
        self._challenge = (
            f"Bearer authorization_uri={authority}/{config.tenant.id}/oauth2/authorize "
            f"resource_id={STORAGE_RESOURCE}"
        )

    @staticmethod
    def sends_token(request: web.Request) -> bool:
        """Whether a request brings a token, and no signature."""
        return "sig" not in request.query and "Authorization" in request.headers

    def find(self, request: web.Request) -> Principal | None:
        """Who sends a request; ``None`` for nobody that can be told."""
        try:
            return self._identify(request) if self.sends_token(request) else None
        except TokenRejected:
            return None

    def refuse_nobody(self, request: web.Request) -> web.Response:
        """What a private container answers to nobody in particular."""
        if _version(request) < _FIRST_WITH_CHALLENGE:
            return render_error("ResourceNotFound")
        return self._challenging("NoAuthenticationInformation")

    def refuse(self, request: web.Request, container: str, any_of: tuple[str, ...]) -> web.Response | None:
        """The refusal of a request; ``None`` for somebody who may.

        :param any_of: the data actions at the container, each of which is enough.
        """
        needs = [Requirement(data_actions=(action,)) for action in any_of]
        current_call().requirement = needs[0]
        if token_of(request.headers["Authorization"]) is None:
            return _refuse_scheme(request.headers["Authorization"])
        if _version(request) < _FIRST_WITH_TOKENS:
            detail = "Authentication scheme Bearer is not supported in this version."
            return render_error("AuthenticationFailed", detail=detail)
        try:
            principal = self._identify(request)
        except TokenRejected as rejected:
            detail = _DETAILS.get(rejected.reason, "")
            if _version(request) < _FIRST_WITH_CHALLENGE:
                return render_error("AuthenticationFailed", detail=detail)
            return self._challenging("InvalidAuthenticationInfo", detail)
        current_call().principal = principal
        scope = self._config.container_scope(container)
        for need in needs:
            if not self._roles.missing(principal.object_id, need, scope=scope):
                current_call().requirement = need
                return None
        return render_error("AuthorizationPermissionMismatch")

    def _identify(self, request: web.Request) -> Principal:
        return self._tokens.verify_header(
            request.headers.get("Authorization"), audience=AUDIENCES, tenant_id=self._config.tenant.id
        )

    def _challenging(self, code: str, detail: str = "") -> web.Response:
        answer = render_error(code, detail=detail)
        answer.headers["WWW-Authenticate"] = self._challenge
        return answer


def _version(request: web.Request) -> str:
    return request.headers.get("x-ms-version", "")


def _refuse_scheme(authorization: str) -> web.Response:
    # The account's keys open no blob here.
    if authorization.casefold().startswith("sharedkey"):
        return render_error("AuthenticationFailed")
    return render_error("InvalidAuthenticationInfo", 400, text=_NO_SCHEME)
