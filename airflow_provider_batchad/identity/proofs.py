"""What an application proves itself with: client secret, certificate, or another issuer's token."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.errors import ConnectionFieldError, SignInError
from airflow_provider_batchad.identity.certificate import KeyAndChain, UselessCertificate, read_certificate
from airflow_provider_batchad.identity.federated import (
    TOKEN_FILE_VARIABLE,
    UselessTokenFile,
    read_token_file,
)
from airflow_provider_batchad.identity.named_secrets import useless

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_batchad.connection import BatchConnection
    from airflow_provider_batchad.identity.named_secrets import NamedSecrets
    from airflow_provider_batchad.identity.surroundings import Surroundings

SECRET_FIELD: Final = "extra.vault_credential_name"  # noqa: S105  # the name of a field
CERTIFICATE_FIELD: Final = "extra.vault_certificate_name"
TOKEN_FILE_FIELD: Final = "extra.federated_file"  # noqa: S105  # the name of a field


class Proofs:
    """Reads a proof from where the connection says it is, each time anew.

    Each method returns the proof and its version: of the secret in Key Vault, or a digest; none where the
    proof stands in the connection.
    """

    def __init__(
        self,
        connection: BatchConnection,
        vault: NamedSecrets,
        *,
        surroundings: Surroundings,
        on_secret: Callable[[str], None],
    ) -> None:
        self._connection = connection
        self._vault = vault
        self._surroundings = surroundings
        self._on_secret = on_secret

    def secret(self) -> tuple[str, str | None]:
        """The client secret.

        :raises VaultError: Key Vault refused, or does not hold one.
        :raises Unreachable: Key Vault could not be asked.
        """
        secret = self._connection.client_secret
        if secret is not None:
            self._on_secret(secret)
            return secret, None
        found = self._vault.read(self._connection.vault_credential_name, SECRET_FIELD)
        if not found.value:
            raise useless(SECRET_FIELD, "is not a client secret.")
        if "-----BEGIN " in found.value or found.content_type == "application/x-pkcs12":
            raise useless(
                SECRET_FIELD,
                "is a certificate and not a client secret.",
                "Name it in 'vault_certificate_name', and empty this field.",
            )
        return found.value, found.version

    def certificate(self) -> tuple[KeyAndChain, str]:
        """The certificate with its key.

        :raises VaultError: Key Vault refused, or does not hold one that Entra ID takes.
        :raises Unreachable: Key Vault could not be asked.
        """
        found = self._vault.read(self._connection.vault_certificate_name, CERTIFICATE_FIELD)
        # PEM has line ends, which are no longer there where somebody prints it as Python does.
        self._on_secret(repr(found.value)[1:-1])
        try:
            certificate = read_certificate(found.value, found.content_type)
        except UselessCertificate as error:
            raise useless(CERTIFICATE_FIELD, error.what, error.remedy) from None
        self._vault.note_certificate(
            found, CERTIFICATE_FIELD, begins=certificate.begins_on, ends=certificate.ends_on
        )
        return certificate, found.version

    def assertion(self) -> tuple[str, str]:
        """The other issuer's token.

        :raises ConnectionFieldError: nothing says where it is.
        :raises SignInError: it is not there.
        """
        if self._connection.federated_file is not None:
            path, within, named = *self._configured_file(), f"the field {TOKEN_FILE_FIELD!r}"
        else:
            path, within, named = self._environments_file(), None, TOKEN_FILE_VARIABLE
        try:
            token = read_token_file(path, within=within)
        except UselessTokenFile as error:
            raise SignInError(
                f"The federated token's file, which {named} names, {error}.",
                step="token",
                remedy="Look at what writes and renews the file on this machine.",
            ) from None
        self._on_secret(token)
        return token, hashlib.sha256(token.encode()).hexdigest()

    def _configured_file(self) -> tuple[Path, Path]:
        directory = self._surroundings.federated_dir
        if directory is None:
            raise ConnectionFieldError(
                "names a file, and the Airflow configuration no directory where such files may lie.",
                conn_id=self._connection.conn_id,
                field=TOKEN_FILE_FIELD,
                remedy="Set 'federated_dir' in its section [batchad], or empty this field.",
            )
        return directory / (self._connection.federated_file or ""), directory

    def _environments_file(self) -> Path:
        name = os.environ.get(TOKEN_FILE_VARIABLE, "")
        if not name:
            raise ConnectionFieldError(
                f"is 'workload_identity', and this machine's environment has no {TOKEN_FILE_VARIABLE}.",
                conn_id=self._connection.conn_id,
                field="extra.sign_in",
                remedy='Label the pod azure.workload.identity/use: "true", or name a file in '
                "'federated_file'.",
            )
        return Path(name)
