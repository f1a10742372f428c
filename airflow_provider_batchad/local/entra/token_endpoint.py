"""The token endpoints v1 and v2: from the form of a request to the tokens of its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.local.call import current_call
from airflow_provider_batchad.local.entra import errors
from airflow_provider_batchad.local.entra.client_credentials import ClientCredentials, Grant, require
from airflow_provider_batchad.local.entra.errors import SignInRefused
from airflow_provider_batchad.local.entra.grant_errors import USER_NOT_FOUND
from airflow_provider_batchad.local.entra.scopes import DelegatedScopes, audience_of_scope

if TYPE_CHECKING:
    from airflow_provider_batchad.local.config import TenantConfig
    from airflow_provider_batchad.local.entra.application import Application
    from airflow_provider_batchad.local.entra.delegation import Delegation
    from airflow_provider_batchad.local.entra.directory import Directory
    from airflow_provider_batchad.local.entra.person_tokens import PersonTokens
    from airflow_provider_batchad.local.entra.sign_ins import SignIns

_REFRESH_IN_FROM_SECONDS: Final = 7200
# The second name of each pair is that of v1, whose device flow is older than RFC 8628.
_DEVICE_GRANTS: Final = ("urn:ietf:params:oauth:grant-type:device_code", "device_code")
_PERSON_GRANTS: Final = ("authorization_code", "refresh_token", *_DEVICE_GRANTS)


class TokenEndpoint:
    """Answers a grant of any type that is known."""

    def __init__(
        self,
        *,
        directory: Directory,
        credentials: ClientCredentials,
        people: PersonTokens,
        sign_ins: SignIns,
    ) -> None:
        self._directory = directory
        self._credentials = credentials
        self._people = people
        self._sign_ins = sign_ins

    def answer(self, tenant: TenantConfig | None, form: Mapping[str, str], *, v1: bool) -> dict[str, Any]:
        """The answer's body.

        :param tenant: ``None`` for ``common`` and its like.
        :raises SignInRefused: there is none.
        """
        grant_type = require(form, "grant_type")
        if grant_type in _PERSON_GRANTS:
            return self._answer_person(tenant, form, grant_type, v1=v1)
        if grant_type != "client_credentials":
            raise SignInRefused(errors.GRANT_UNSUPPORTED, grant_type=grant_type)
        if tenant is None:
            raise SignInRefused(errors.NO_TENANT)
        application = self._credentials.find_application(tenant, form)
        proof = self._credentials.authenticate(application, tenant, form)
        current_call().principal = application.principal
        audience = require(form, "resource") if v1 else audience_of_scope(require(form, "scope"))
        grant = self._credentials.grant(application, tenant, audience, form, proof)
        return _describe_v1(grant) if v1 else _describe_v2(grant)

    def _answer_person(
        self, tenant: TenantConfig | None, form: Mapping[str, str], grant_type: str, *, v1: bool
    ) -> dict[str, Any]:
        home = tenant or self._directory.home_of(require(form, "client_id"))
        application = self._credentials.find_application(home, form)
        proof = self._credentials.authenticate_for_person(application, home, form)
        delegation = self._redeem(application, form, grant_type)
        person = delegation.person.principal
        if tenant is not None and person.tenant_id != tenant.id:
            raise SignInRefused(USER_NOT_FOUND, name=person.name, tenant=tenant.display_name)
        current_call().principal = delegation.person.using(delegation.client_id)
        delegation = replace(delegation, scopes=_read_scopes(form, delegation.scopes, v1=v1))
        grant = self._people.grant(delegation, home, form, proof)
        body = _describe_v1(grant) if v1 else _describe_v2(grant)
        return {**body, **self._people.others(delegation, application, form, v1=v1)}

    def _redeem(self, application: Application, form: Mapping[str, str], grant_type: str) -> Delegation:
        client_id = application.principal.app_id
        if grant_type == "authorization_code":
            return self._sign_ins.codes.redeem(
                require(form, "code"),
                client_id=client_id,
                redirect_uri=form.get("redirect_uri"),
                verifier=form.get("code_verifier"),
            )
        if grant_type == "refresh_token":
            return self._sign_ins.refresh_tokens.redeem(require(form, "refresh_token"), client_id=client_id)
        code = form.get("code") or require(form, "device_code")
        return self._sign_ins.device_codes.redeem(form.get("device_code") or code, client_id=client_id)


def _read_scopes(form: Mapping[str, str], agreed: DelegatedScopes, *, v1: bool) -> DelegatedScopes:
    # A code and a refresh token may be redeemed for another resource than the sign-in was for.
    if v1:
        return DelegatedScopes.of_resource(form["resource"]) if form.get("resource") else agreed
    return DelegatedScopes.parse(form["scope"]) if form.get("scope") else agreed


def _describe_v2(grant: Grant) -> dict[str, Any]:
    body: dict[str, Any] = {
        "token_type": "Bearer",
        "expires_in": grant.expires_in,
        "ext_expires_in": grant.expires_in,
        "access_token": grant.token,
    }
    if grant.expires_in > _REFRESH_IN_FROM_SECONDS:
        body["refresh_in"] = grant.expires_in // 2
    return body


def _describe_v1(grant: Grant) -> dict[str, Any]:
    return {
        "token_type": "Bearer",
        "expires_in": str(grant.expires_in),
        "ext_expires_in": str(grant.expires_in),
        "expires_on": str(grant.expires_on),
        "not_before": str(grant.expires_on - grant.expires_in),
        "resource": grant.audience,
        "access_token": grant.token,
    }
