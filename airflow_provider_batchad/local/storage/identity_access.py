"""Tokens in place of signatures: who may do what with the blobs of a container.

"Authorize with Microsoft Entra ID" of Blob storage says that a token needs a version of the service from 2017
on; the texts of the refusals are assumed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.local.access import Requirement
from airflow_provider_batchad.local.call import current_call
from airflow_provider_batchad.local.config import STORAGE_RESOURCE, LocalAzureConfig
from airflow_provider_batchad.local.entra.tokens import TokenRejected
from airflow_provider_batchad.local.storage.answers import render_error

if TYPE_CHECKING:
    from aiohttp import web

    from airflow_provider_batchad.local.access import RoleBook
    from airflow_provider_batchad.local.entra.tokens import Principal, TokenAuthority

_BLOBS: Final = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
READ: Final = f"{_BLOBS}/read"
WRITE: Final = f"{_BLOBS}/write"
DELETE: Final = f"{_BLOBS}/delete"
_AUDIENCES: Final = (STORAGE_RESOURCE, f"{STORAGE_RESOURCE}/")
_FIRST_VERSION: Final = "2017-11-09"


class IdentityAccess:
    """The check of requests that bring a token.

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

    def refuse(self, request: web.Request, container: str, action: str) -> web.Response | None:
        """The refusal of a request; ``None`` for somebody who may.

        :param action: the data action that it needs at the container.
        """
        current_call().requirement = requirement = Requirement(data_actions=(action,))
        # The versions are dates.
        if request.headers.get("x-ms-version", "") < _FIRST_VERSION:
            return render_error("InvalidAuthenticationInfo", 400)
        try:
            principal = self._identify(request)
        except TokenRejected:
            answer = render_error("InvalidAuthenticationInfo")
            answer.headers["WWW-Authenticate"] = self._challenge
            return answer
        current_call().principal = principal
        scope = self._config.container_scope(container)
        if self._roles.missing(principal.object_id, requirement, scope=scope):
            return render_error("AuthorizationPermissionMismatch")
        return None

    def _identify(self, request: web.Request) -> Principal:
        return self._tokens.verify_header(
            request.headers.get("Authorization"), audience=_AUDIENCES, tenant_id=self._config.tenant.id
        )
