"""The client credentials grant: who asks, with what proof."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from airflow_provider_batchad.local.entra import errors
from airflow_provider_batchad.local.entra.application import Application, SecretCheck
from airflow_provider_batchad.local.entra.assertion_errors import CLIENT_IS_PUBLIC
from airflow_provider_batchad.local.entra.client_assertion import Assertion, verify_self_issued
from airflow_provider_batchad.local.entra.errors import SignInRefused
from airflow_provider_batchad.local.entra.federated_assertion import TrustedIssuers, verify_federated
from airflow_provider_batchad.local.entra.wanted_claims import WantedClaims

if TYPE_CHECKING:
    from airflow_provider_batchad.local.clock import Clock
    from airflow_provider_batchad.local.config import TenantConfig
    from airflow_provider_batchad.local.entra.directory import Directory
    from airflow_provider_batchad.local.entra.tokens import Principal, TokenAuthority
    from airflow_provider_batchad.local.secrets_file import SecretsFile


class Proof(StrEnum):
    """How an application proved itself, as its token's ``appidacr`` says it."""

    NONE = "0"
    SECRET = "1"  # noqa: S105 - a claim's value
    ASSERTION = "2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A token that was issued, and what an answer says about it; times in whole seconds."""

    token: str = field(repr=False)
    audience: str
    expires_on: int
    expires_in: int


def require(form: Mapping[str, str], parameter: str) -> str:
    """A parameter of the request's body.

    :raises SignInRefused: it is missing or empty.
    """
    value = form.get(parameter, "")
    if not value:
        raise SignInRefused(errors.PARAMETER_MISSING, parameter=parameter)
    return value


def with_basic_credentials(form: Mapping[str, str], authorization: str | None) -> dict[str, str]:
    """The form with client ID and secret of an ``Authorization: Basic`` header (``client_secret_basic``)."""
    merged = dict(form)
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.casefold() != "basic":
        return merged
    try:
        decoded = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return merged
    client_id, _, secret = decoded.partition(":")
    # RFC 6749, 2.3.1: both are form-encoded before they are joined.
    merged.setdefault("client_id", unquote_plus(client_id))
    merged.setdefault("client_secret", unquote_plus(secret))
    return merged


class ClientCredentials:
    """Checks an application's proof and issues its token."""

    def __init__(
        self,
        *,
        authority: str,
        directory: Directory,
        issuers: TrustedIssuers,
        tokens: TokenAuthority,
        clock: Clock,
        secrets_file: SecretsFile,
    ) -> None:
        self._authority = authority
        self._directory = directory
        self._issuers = issuers
        self._tokens = tokens
        self._clock = clock
        self._secrets_file = secrets_file

    def find_application(self, tenant: TenantConfig, form: Mapping[str, str]) -> Application:
        """The application that the request names.

        :raises SignInRefused: the tenant has none of this client ID.
        """
        client_id = require(form, "client_id")
        application = self._directory.application(client_id)
        if application is None or not application.is_known_in(tenant.id):
            raise SignInRefused(errors.APPLICATION_NOT_FOUND, client_id=client_id, tenant=tenant.display_name)
        return application

    def authenticate(self, application: Application, tenant: TenantConfig, form: Mapping[str, str]) -> Proof:
        """How the request proves to be the application's.

        :raises SignInRefused: it does not.
        """
        if application.is_first_party and form.keys() & {"client_secret", "client_assertion"}:
            raise SignInRefused(CLIENT_IS_PUBLIC)
        if form.get("client_assertion"):
            self._check_assertion(application, tenant, form)
            return Proof.ASSERTION
        if not form.get("client_secret"):
            raise SignInRefused(errors.NO_CREDENTIAL)
        client_id = application.principal.app_id
        match application.check_secret(form["client_secret"], now=self._clock.now()):
            case SecretCheck.WRONG:
                raise SignInRefused(errors.WRONG_SECRET, client_id=client_id)
            case SecretCheck.EXPIRED:
                raise SignInRefused(errors.EXPIRED_SECRET, client_id=client_id)
            case SecretCheck.GOOD:
                return Proof.SECRET

    def authenticate_for_person(
        self, application: Application, tenant: TenantConfig, form: Mapping[str, str]
    ) -> Proof:
        """The same where a person signs in: a public application need prove nothing.

        :raises SignInRefused: it does not prove what it claims or must.
        """
        presented = form.get("client_secret") or form.get("client_assertion")
        if application.is_public and not presented:
            return Proof.NONE
        return self.authenticate(application, tenant, form)

    def grant(
        self,
        application: Application,
        tenant: TenantConfig,
        audience: str,
        form: Mapping[str, str],
        proof: Proof,
    ) -> Grant:
        """A token for the application.

        :raises SignInRefused: the tenant does not know the resource.
        """
        self.check_resource(audience, tenant)
        wanted = WantedClaims.parse(form.get("claims"))
        return self.issue(
            application.principal,
            audience=audience,
            wanted=wanted,
            claims={"appidacr": proof.value},
        )

    def check_resource(self, audience: str, tenant: TenantConfig) -> None:
        """Refuse a resource that the tenant does not know.

        :raises SignInRefused: so it is.
        """
        if not self._directory.knows_resource(audience):
            raise SignInRefused(errors.RESOURCE_NOT_FOUND, resource=audience, tenant=tenant.display_name)

    def issue(
        self, principal: Principal, *, audience: str, wanted: WantedClaims, claims: Mapping[str, object]
    ) -> Grant:
        """An access token, noted in the file of secrets before anybody has it."""
        token, expires_on = self._tokens.issue(
            principal,
            audience=audience,
            lifetime_seconds=self._directory.token_lifetime_seconds,
            extra_claims={**claims, **wanted.for_token()},
            not_before=wanted.not_before,
        )
        self._secrets_file.add(token)
        expires_in = max(int(expires_on - self._clock.time()), 0)
        return Grant(token=token, audience=audience, expires_on=expires_on, expires_in=expires_in)

    def _check_assertion(
        self, application: Application, tenant: TenantConfig, form: Mapping[str, str]
    ) -> None:
        assertion = Assertion.parse(form["client_assertion"])
        now = self._clock.time()
        if assertion.is_self_issued:
            verify_self_issued(assertion, application, tenant, authority=self._authority, now=now)
        else:
            verify_federated(assertion, application, self._issuers, now=now)
