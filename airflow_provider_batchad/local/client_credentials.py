"""The client credentials grant: who asks, with what proof, for which audience."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_plus

import jwt

from airflow_provider_batchad.local import entra_errors as errors
from airflow_provider_batchad.local.directory import Application, Directory, SecretCheck
from airflow_provider_batchad.local.entra_errors import SignInRefused

if TYPE_CHECKING:
    from airflow_provider_batchad.local.clock import Clock
    from airflow_provider_batchad.local.config import TenantConfig
    from airflow_provider_batchad.local.secrets_file import SecretsFile
    from airflow_provider_batchad.local.tokens import TokenAuthority

_DEFAULT: Final = "/.default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A token that was issued, and what an answer says about it; times in whole seconds."""

    token: str = field(repr=False)
    audience: str
    expires_on: int
    expires_in: int


def audience_of_scope(scope: str) -> str:
    """The audience by Entra ID's rule: the scope less one ``/.default``, so that a double slash leaves one.

    :raises SignInRefused: more than one scope, or no ``/.default``.
    """
    scopes = scope.split()
    if len(scopes) != 1:
        raise SignInRefused(errors.SCOPE_INVALID, scope=scope)
    if not scopes[0].endswith(_DEFAULT):
        raise SignInRefused(errors.SCOPE_NOT_DEFAULT, scope=scopes[0])
    return scopes[0].removesuffix(_DEFAULT)


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
        self, *, directory: Directory, tokens: TokenAuthority, clock: Clock, secrets_file: SecretsFile
    ) -> None:
        self._directory = directory
        self._tokens = tokens
        self._clock = clock
        self._secrets_file = secrets_file

    def authenticate(self, tenant: TenantConfig, form: Mapping[str, str]) -> Application:
        """The application that the request proves to be.

        :raises SignInRefused: it does not.
        """
        grant_type = require(form, "grant_type")
        if grant_type != "client_credentials":
            raise SignInRefused(errors.GRANT_UNSUPPORTED, grant_type=grant_type)
        client_id = require(form, "client_id")
        application = self._directory.application(client_id)
        if application is None or application.principal.tenant_id != tenant.id:
            raise SignInRefused(errors.APPLICATION_NOT_FOUND, client_id=client_id, tenant=tenant.display_name)
        if "client_assertion" in form:
            raise _refuse_assertion(client_id, form["client_assertion"])
        if not form.get("client_secret"):
            raise SignInRefused(errors.NO_CREDENTIAL)
        match self._directory.check_secret(application, form["client_secret"]):
            case SecretCheck.WRONG:
                raise SignInRefused(errors.WRONG_SECRET, client_id=client_id)
            case SecretCheck.EXPIRED:
                raise SignInRefused(errors.EXPIRED_SECRET, client_id=client_id)
            case SecretCheck.GOOD:
                return application

    def grant(
        self, application: Application, tenant: TenantConfig, audience: str, form: Mapping[str, str]
    ) -> Grant:
        """A token for the application.

        :raises SignInRefused: the tenant does not know the resource.
        """
        if not self._directory.knows_resource(audience):
            raise SignInRefused(errors.RESOURCE_NOT_FOUND, resource=audience, tenant=tenant.display_name)
        token, expires_on = self._tokens.issue(
            application.principal,
            audience=audience,
            lifetime_seconds=self._directory.token_lifetime_seconds,
            extra_claims={"xms_cc": ["CP1"]} if _announces_cae(form.get("claims")) else None,
        )
        self._secrets_file.add(token)
        expires_in = max(int(expires_on - self._clock.time()), 0)
        return Grant(token=token, audience=audience, expires_on=expires_on, expires_in=expires_in)


def _refuse_assertion(client_id: str, assertion: str) -> SignInRefused:
    # No application here has a certificate or a federated credential: these are Entra ID's answers to that.
    try:
        header = jwt.get_unverified_header(assertion)
        claims = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.PyJWTError:
        return SignInRefused(errors.MALFORMED_ASSERTION)
    thumbprint = header.get("x5t#S256") or header.get("x5t")
    if thumbprint is None:
        return SignInRefused(errors.NO_FEDERATED_IDENTITY, subject=str(claims.get("sub", "")))
    padded = thumbprint + "=" * (-len(thumbprint) % 4)
    shown = base64.urlsafe_b64decode(padded).hex().upper()
    return SignInRefused(errors.CERTIFICATE_NOT_REGISTERED, client_id=client_id, thumbprint=shown)


def _announces_cae(claims: str | None) -> bool:
    try:
        parsed = json.loads(claims or "{}")
        capabilities = parsed["access_token"]["xms_cc"]["values"]
    except (ValueError, KeyError, TypeError):
        return False
    return isinstance(capabilities, list) and "CP1" in capabilities
