"""The tokens that a person's sign-in gives: access, ID and refresh token, as MSAL's accounts need them."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_batchad.local.entra.wanted_claims import WantedClaims

if TYPE_CHECKING:
    from airflow_provider_batchad.local.clock import Clock
    from airflow_provider_batchad.local.config import TenantConfig
    from airflow_provider_batchad.local.entra.application import Application
    from airflow_provider_batchad.local.entra.client_credentials import ClientCredentials, Grant, Proof
    from airflow_provider_batchad.local.entra.delegation import Delegation
    from airflow_provider_batchad.local.entra.sign_ins import SignIns
    from airflow_provider_batchad.local.entra.tokens import TokenAuthority
    from airflow_provider_batchad.local.secrets_file import SecretsFile


class PersonTokens:
    """Makes the answer to a code, a device code or a refresh token."""

    def __init__(
        self,
        *,
        authority: str,
        credentials: ClientCredentials,
        sign_ins: SignIns,
        tokens: TokenAuthority,
        clock: Clock,
        secrets_file: SecretsFile,
    ) -> None:
        self._authority = authority
        self._credentials = credentials
        self._sign_ins = sign_ins
        self._tokens = tokens
        self._clock = clock
        self._secrets_file = secrets_file

    def grant(
        self,
        delegation: Delegation,
        tenant: TenantConfig,
        form: Mapping[str, str],
        proof: Proof,
    ) -> Grant:
        """The access token.

        :raises SignInRefused: the tenant does not know the resource.
        """
        scopes, person = delegation.scopes, delegation.person
        self._credentials.check_resource(scopes.audience, tenant)
        return self._credentials.issue(
            person.using(delegation.client_id),
            audience=scopes.audience,
            wanted=WantedClaims.parse(form.get("claims")),
            claims={
                "acr": "1",
                "amr": ["pwd"],
                "appidacr": proof.value,
                "idtyp": "user",
                "name": person.display_name,
                "scp": " ".join(scopes.permissions),
                "unique_name": person.principal.name,
                "upn": person.principal.name,
            },
        )

    def others(
        self, delegation: Delegation, application: Application, form: Mapping[str, str], *, v1: bool
    ) -> dict[str, Any]:
        """What the answer holds beside the access token, as far as it was asked for."""
        principal, scopes = delegation.person.principal, delegation.scopes
        body: dict[str, Any] = {"scope": " ".join(scopes.permissions) if v1 else scopes.describe()}
        if scopes.wants_refresh_token:
            body["refresh_token"] = self._sign_ins.refresh_tokens.issue(delegation)
            if application.is_first_party:
                body["foci"] = "1"
        if scopes.wants_id_token:
            body["id_token"] = self._make_id_token(delegation, v1=v1)
        if form.get("client_info"):
            info = json.dumps({"uid": principal.object_id, "utid": principal.tenant_id})
            body["client_info"] = base64.urlsafe_b64encode(info.encode()).rstrip(b"=").decode()
        return body

    def _make_id_token(self, delegation: Delegation, *, v1: bool) -> str:
        person, now = delegation.person, int(self._clock.time())
        tenant_id, name = person.principal.tenant_id, person.principal.name
        of_version = (
            {"iss": f"https://sts.windows.net/{tenant_id}/", "upn": name, "unique_name": name, "ver": "1.0"}
            if v1
            else {"iss": f"{self._authority}/{tenant_id}/v2.0", "preferred_username": name, "ver": "2.0"}
        )
        claims = {
            "aud": delegation.client_id,
            "iat": now - 300,
            "nbf": now - 300,
            "exp": now + 3600,
            "name": person.display_name,
            "oid": person.principal.object_id,
            "rh": f"1.{secrets.token_urlsafe(24)}.",
            "sub": base64.urlsafe_b64encode(person.principal.object_id.encode()).rstrip(b"=").decode(),
            "tid": tenant_id,
            "uti": secrets.token_urlsafe(16),
            **of_version,
        }
        if delegation.nonce is not None:
            claims["nonce"] = delegation.nonce
        token = self._tokens.sign(claims)
        self._secrets_file.add(token)
        return token
