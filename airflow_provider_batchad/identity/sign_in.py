"""The whole way from a connection to a token for Batch."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, assert_never

from airflow_provider_batchad.connection import SignIn
from airflow_provider_batchad.errors import (
    BatchAdError,
    CloudConfigurationError,
    ConnectionFieldError,
    CredentialRefused,
    Unreachable,
)
from airflow_provider_batchad.identity.entra import EntraId
from airflow_provider_batchad.identity.managed_identity import MachineIdentity
from airflow_provider_batchad.identity.person import PersonSignIn
from airflow_provider_batchad.identity.principal import (
    Application,
    ClientCertificate,
    ClientSecret,
    FederatedToken,
    ManagedIdentity,
    Person,
    Principal,
)
from airflow_provider_batchad.identity.principal_reader import PrincipalReader
from airflow_provider_batchad.identity.surroundings import Surroundings
from airflow_provider_batchad.identity.tokens import AccessToken, PrincipalFacts
from airflow_provider_batchad.identity.validity import ValidityWatch
from airflow_provider_batchad.identity.vault_access import open_vault

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_batchad.clouds import AzureCloud
    from airflow_provider_batchad.connection import BatchConnection
    from airflow_provider_batchad.identity.validity import Validity

_log = logging.getLogger(__name__)


class BatchSignIn:
    """Finds the principal once, asks for tokens as it, and reads its proof again when it is refused.

    :param retries: how often Key Vault and the machine are asked again when they do not answer.
    :param clock: the time in seconds since the epoch.
    :param surroundings: what the machine and the Airflow configuration say.
    :param scope: what the tokens are for; Batch by default.
    :param on_validity: called with each secret and certificate that has an end, and its days left.
    :raises ConnectionFieldError: a person is to sign in where nobody is there.
    :raises CloudConfigurationError: the cloud's CA file is not there.
    """

    def __init__(
        self,
        connection: BatchConnection,
        *,
        on_secret: Callable[[str], None],
        retries: int,
        clock: Callable[[], float],
        surroundings: Surroundings | None = None,
        scope: str | None = None,
        on_validity: Callable[[Validity, float], None] | None = None,
    ) -> None:
        surroundings = surroundings or Surroundings()
        cloud = connection.cloud
        _check_ca_file(cloud)
        _check_attended(connection, surroundings)
        self._connection = connection
        self._scope = scope or cloud.batch_scope
        self._validity = ValidityWatch(vault_url=connection.vault_url, clock=clock, on_validity=on_validity)
        self._reader = PrincipalReader(
            connection,
            vault=open_vault(
                connection,
                on_secret=on_secret,
                retries=retries,
                clock=clock,
                surroundings=surroundings,
                validity=self._validity,
            ),
            surroundings=surroundings,
            on_secret=on_secret,
        )
        self._entra = EntraId(cloud, on_secret=on_secret, retries=retries, clock=clock)
        self._machine = MachineIdentity(cloud, on_secret=on_secret, retries=retries)
        self._person = PersonSignIn(
            cloud,
            login_command=f"airflow batchad login {connection.conn_id}",
            directory=surroundings.login_dir,
            on_secret=on_secret,
            retries=retries,
            clock=clock,
        )
        self._principal: Principal | None = None
        self._doubted = False

    def facts(self) -> PrincipalFacts:
        """Who signs in, as far as it is known."""
        connection, principal = self._connection, self._principal
        tenant_id, client_id = connection.tenant_id, connection.client_id
        if isinstance(principal, Application | Person):
            tenant_id, client_id = principal.tenant_id, principal.client_id
        elif connection.managed_identity_client_id is not None and client_id is None:
            client_id = connection.managed_identity_client_id
        return PrincipalFacts(
            sign_in=connection.sign_in.value,
            tenant_id=tenant_id,
            client_id=client_id,
            warnings=self._validity.warnings(),
        )

    def request_token(self, claims: str | None = None, rejected: str | None = None) -> AccessToken:  # noqa: ARG002
        """One token, asked for anew.

        :param claims: of a challenge; the token answers them.
        :param rejected: a token that the service refused; no token is kept here, so it makes no difference.
        :raises SignInError: Key Vault, the machine or Entra ID refused.
        :raises Unreachable: one of them did not answer.
        """
        principal = self._principal
        if principal is None or self._doubted:
            principal = self._reader.read()
        elif isinstance(principal, FederatedToken):
            principal = self._reader.read_again(principal)
        self._principal = principal
        try:
            token, self._principal = self._ask_with_newest(principal, claims)
        except BatchAdError as error:
            # What was refused is read anew next time: whoever mends the vault need not restart anything.
            self._doubted = not isinstance(error, Unreachable)
            if isinstance(error, CredentialRefused):
                raise self._validity.explain(error) from None
            raise
        self._doubted = False
        return token

    def log_in(self, *, by_device_code: bool, show: Callable[[str], None]) -> str:
        """Let a person sign in, and keep what the silent sign-in needs.

        :param show: called with each line that the person must read.
        :return: the person's name.
        :raises ConnectionFieldError: the connection is not one of a person.
        :raises SignInError: it came to no end, or Entra ID refused.
        :raises Unreachable: Entra ID or Key Vault did not answer.
        """
        person = self._reader.read() if self._connection.sign_in is SignIn.INTEGRATED else None
        if not isinstance(person, Person):
            raise ConnectionFieldError(
                "is not 'integrated': nobody needs to log in for this connection.",
                conn_id=self._connection.conn_id,
                field="extra.sign_in",
            )
        return self._person.log_in(person, self._scope, by_device_code=by_device_code, show=show)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a sign-in holds secrets and is not pickled: make it where it is needed")

    def _ask_with_newest(self, principal: Principal, claims: str | None) -> tuple[AccessToken, Principal]:
        """Ask; where the proof is refused, once more with each newer one that its place holds by then."""
        tried = {_version_of(principal)}
        while True:
            try:
                return self._ask(principal, claims), principal
            except CredentialRefused as refused:
                newer = self._read_newer(principal, refused)
                if _version_of(newer) in tried:
                    raise
                _log.info(
                    "Entra ID refused version %.8s of what the field %r names; version %.8s is there by now, "
                    "and is tried.",
                    _version_of(principal),
                    getattr(newer, "credential_field", None),
                    _version_of(newer),
                )
            principal = newer
            tried.add(_version_of(newer))

    def _ask(self, principal: Principal, claims: str | None) -> AccessToken:
        match principal:
            case ManagedIdentity():
                return self._machine.request_token(principal, self._scope, claims)
            case Person():
                return self._person.request_token(principal, self._scope, claims)
            case ClientSecret() | ClientCertificate() | FederatedToken():
                return self._entra.request_token(principal, self._scope, claims)
            case _ as never:
                assert_never(never)

    def _read_newer(self, principal: Principal, refused: CredentialRefused) -> Principal:
        try:
            return self._reader.read_again(principal)
        except Unreachable as error:
            # Nobody knows whether it was rotated: it may go right in a while.
            raise Unreachable(
                f"{refused.message} Whether there is a newer one could not be asked: {error.message}",
                step=error.step,
                retry_after_seconds=error.retry_after_seconds,
                remedy=error.remedy,
            ) from None
        except BatchAdError as error:
            raise type(refused)(
                f"{refused.message} A newer one could not be read: {error.message}",
                step=refused.step,
                code=refused.code,
                remedy=error.remedy or refused.remedy,
            ) from None


def _version_of(principal: Principal) -> str | None:
    return principal.version if isinstance(principal, Application) else None


def _check_attended(connection: BatchConnection, surroundings: Surroundings) -> None:
    if connection.sign_in is SignIn.INTEGRATED and surroundings.unattended is not None:
        raise ConnectionFieldError(
            f"is 'integrated', a person who has logged in, and this is {surroundings.unattended}.",
            conn_id=connection.conn_id,
            field="extra.sign_in",
            remedy="Choose 'service_principal', 'managed_identity' or 'workload_identity' for it.",
        )


def _check_ca_file(cloud: AzureCloud) -> None:
    if cloud.ca_file is not None and not Path(cloud.ca_file).is_file():
        raise CloudConfigurationError(
            f"[batchad] clouds, cloud {cloud.name!r}: 'ca_file' is not a file on this machine.",
            cloud=cloud.name,
            key="ca_file",
            remedy="Put the certificates there, or correct the path; every worker and the triggerer need it.",
        )
