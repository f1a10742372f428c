"""Who may do what in the vault, and the headers of every answer that it gives."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.local.access import Requirement
from airflow_provider_batchad.local.call import current_call
from airflow_provider_batchad.local.config import VAULT_RESOURCE, LocalAzureConfig
from airflow_provider_batchad.local.entra.tokens import TokenRejected
from airflow_provider_batchad.local.keyvault import errors

if TYPE_CHECKING:
    from aiohttp import web

    from airflow_provider_batchad.local.access import RoleBook
    from airflow_provider_batchad.local.entra.tokens import Principal, TokenAuthority
    from airflow_provider_batchad.local.keyvault.vault import Vault

_API_VERSION: Final = re.compile(r"7\.[0-6](-preview\.\d+)?|20\d\d-\d\d-\d\d(-preview)?|2016-10-01")
_NAME: Final = re.compile(r"[0-9A-Za-z-]{1,127}")


class VaultAccess:
    """The check that each operation begins with.

    :param authority: Entra ID's address, which the challenge names.
    """

    def __init__(
        self,
        *,
        authority: str,
        config: LocalAzureConfig,
        vault: Vault,
        tokens: TokenAuthority,
        roles: RoleBook,
    ) -> None:
        self._config = config
        self._vault = vault
        self._tokens = tokens
        self._roles = roles
        self._challenge = (
            f'Bearer authorization="{authority}/{config.tenant.id}", resource="{VAULT_RESOURCE}"'
        )

    def identify(self, request: web.Request) -> Principal:
        """Who makes a request.

        :raises TokenRejected: the token does not say so truthfully.
        """
        return self._tokens.verify_header(
            request.headers.get("Authorization"), audience=VAULT_RESOURCE, tenant_id=self._config.tenant.id
        )

    def authorize(self, request: web.Request, action: str) -> tuple[str, str | None]:
        """The name and the version of the secret that the path names, for somebody who may do this.

        :raises VaultRefused: they may not, ask too often, or what they ask makes no sense.
        """
        current_call().requirement = requirement = Requirement(data_actions=(action,))
        principal = self.authenticate(request)
        _check_api_version(request)
        name = request.match_info.get("name", "")
        if name and not _NAME.fullmatch(name):
            raise errors.bad_parameter(f"The request URI contains an invalid name: {name}")
        scope = f"{self._config.vault_scope}/secrets/{name}" if name else self._config.vault_scope
        if self._roles.missing(principal.object_id, requirement, scope=scope):
            raise errors.forbidden(
                principal,
                action,
                resource=scope.lower(),
                vault=self._config.vault,
                region=self._config.region,
            )
        return name, request.match_info.get("version") or None

    def authenticate(self, request: web.Request) -> Principal:
        """Who makes a request, and not too many of them.

        :raises VaultRefused: nobody, or too many.
        """
        try:
            principal = self.identify(request)
        except TokenRejected as rejected:
            raise errors.unauthorized(
                rejected,
                challenge=self._challenge,
                resource=VAULT_RESOURCE,
                tenant_id=self._config.tenant.id,
            ) from None
        current_call().principal = principal
        if not self._vault.throttle.admits():
            raise errors.throttled()
        return principal

    def headers(self, request: web.Request) -> dict[str, str]:
        """Those of every answer."""
        headers = {
            "Cache-Control": "no-cache",
            "Pragma": "no-cache",
            "Expires": "-1",
            "Strict-Transport-Security": "max-age=31536000;includeSubDomains",
            "X-Content-Type-Options": "nosniff",
            "x-ms-keyvault-region": self._config.region,
            "x-ms-client-request-id": request.headers.get("x-ms-client-request-id") or str(uuid.uuid4()),
            "x-ms-request-id": str(uuid.uuid4()),
            "x-ms-keyvault-service-version": "1.9.378.1",
            "x-ms-keyvault-network-info": (
                f"conn_type=Ipv4;addr={request.remote};act_addr_fam=InterNetwork;"
            ),
        }
        principal = current_call().principal
        if principal is not None:
            held = self._roles.assignments(principal_id=principal.object_id, scope=self._config.vault_scope)
            headers["x-ms-keyvault-rbac-cache"] = (
                "ra_age=1;da_age=1;rd_age=1;brd_age=1;ra_notif_age=1;dec_lev=1;"
            )
            if held:
                headers["x-ms-keyvault-rbac-assignment-id"] = held[0].id
        return headers


def _check_api_version(request: web.Request) -> None:
    version = request.query.get("api-version", "")
    if not version:
        raise errors.bad_parameter("The request URI must contain a api-version query parameter.")
    if not _API_VERSION.fullmatch(version):
        raise errors.bad_parameter(f"The request URI contains an unsupported api-version: {version}")
