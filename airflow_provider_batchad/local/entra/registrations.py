"""The applications of the directory, and the credentials that they are given and lose."""

from __future__ import annotations

import secrets
import string
import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from cryptography import x509

from airflow_provider_batchad.local.config import AZURE_CLI, ApplicationConfig, LocalAzureConfig
from airflow_provider_batchad.local.entra.application import (
    EXCHANGE_AUDIENCE,
    Application,
    ClientCertificate,
    ClientSecret,
    FederatedCredential,
    TrustedSubject,
)

if TYPE_CHECKING:
    from airflow_provider_batchad.local.clock import Clock

_SECRET_ALPHABET: Final = string.ascii_letters + string.digits + "._-~"


def new_secret_value() -> str:
    """A random client secret in the form of Entra ID's: 40 characters, ``8Q~`` from the fourth on."""
    head, tail = ("".join(secrets.choice(_SECRET_ALPHABET) for _ in range(length)) for length in (2, 34))
    # The first character is a letter, so that no command line takes the value for an option.
    return f"{secrets.choice(string.ascii_letters)}{head}8Q~{tail}"


class Registrations:
    """Applications by client ID; each method may be called from any thread.

    :param on_secret: told every secret before it is used.
    """

    def __init__(self, config: LocalAzureConfig, *, clock: Clock, on_secret: Callable[[str], None]) -> None:
        self._config = config
        self._clock = clock
        self._on_secret = on_secret
        self._lock = threading.Lock()
        self._applications: dict[str, Application] = {}
        azure_cli = Application(AZURE_CLI, tenant_id=config.tenant.id, is_first_party=True)
        self._first_party = {AZURE_CLI.client_id: azure_cli}
        for application in config.applications:
            self.add_application(application)

    def add_application(self, config: ApplicationConfig) -> Application:
        """Register an application with one secret, the configured one or a new one; a public one has none."""
        application = Application(config, tenant_id=config.tenant_id or self._config.tenant.id)
        self._applications[config.client_id.casefold()] = application
        if config.secret is not None or not config.public_client:
            self.add_secret(config.client_id, config.secret)
        return application

    def application(self, client_id: str) -> Application | None:
        """The application with this client ID, Microsoft's own among them."""
        wanted = client_id.casefold()
        return self._applications.get(wanted) or self._first_party.get(wanted)

    def applications(self) -> tuple[Application, ...]:
        """All applications that are registered here."""
        return tuple(self._applications.values())

    def add_secret(
        self, client_id: str, value: str | None = None, *, expires_on: datetime | None = None
    ) -> ClientSecret:
        """Give an application one more secret; a random one by default.

        :raises KeyError: there is no such application.
        """
        secret = ClientSecret(
            key_id=str(uuid.uuid4()), value=value or new_secret_value(), expires_on=expires_on
        )
        self._on_secret(secret.value)
        with self._lock:
            application = self._registered(client_id)
            application.secrets = (*application.secrets, secret)
        return secret

    def expire_secret(self, client_id: str, key_id: str | None = None) -> int:
        """Let a secret expire now; all of the application's by default.

        :return: how many.
        :raises KeyError: there is no such application.
        """
        now = self._clock.now()
        with self._lock:
            application = self._registered(client_id)
            touched = [one.key_id for one in application.secrets if key_id in (None, one.key_id)]
            application.secrets = tuple(
                replace(one, expires_on=now) if one.key_id in touched else one for one in application.secrets
            )
        return len(touched)

    def revoke_secret(self, client_id: str, key_id: str | None = None) -> int:
        """Delete a secret; all of the application's by default.

        :return: how many.
        :raises KeyError: there is no such application.
        """
        with self._lock:
            application = self._registered(client_id)
            kept = tuple(one for one in application.secrets if key_id not in (None, one.key_id))
            revoked = len(application.secrets) - len(kept)
            application.secrets = kept
        return revoked

    def add_certificate(self, client_id: str, pem: str | bytes) -> ClientCertificate:
        """Let an application sign with a certificate; what is kept of the PEM text is the certificate alone.

        :raises KeyError: there is no such application.
        :raises ValueError: the text holds no certificate.
        """
        added = ClientCertificate.from_pem(pem)
        with self._lock:
            application = self._registered(client_id)
            application.certificates = (*application.certificates, added)
        return added

    def remove_certificate(self, client_id: str, key_id: str | None = None) -> int:
        """Delete a certificate; all of the application's by default.

        :return: how many.
        :raises KeyError: there is no such application.
        """
        with self._lock:
            application = self._registered(client_id)
            kept = tuple(one for one in application.certificates if key_id not in (None, one.key_id))
            removed = len(application.certificates) - len(kept)
            application.certificates = kept
        return removed

    def trust_subject(self, client_id: str, name: str, authorities_pem: str | bytes) -> TrustedSubject:
        """Let an application sign with any certificate of this name that one of the authorities issued.

        :raises KeyError: there is no such application.
        :raises ValueError: the text holds no certificate.
        """
        content = authorities_pem.encode() if isinstance(authorities_pem, str) else authorities_pem
        trusted = TrustedSubject(name=name, authorities=tuple(x509.load_pem_x509_certificates(content)))
        with self._lock:
            application = self._registered(client_id)
            application.trusted_subjects = (*application.trusted_subjects, trusted)
        return trusted

    def add_federated_credential(
        self, client_id: str, *, issuer: str, subject: str, audience: str = EXCHANGE_AUDIENCE, name: str = ""
    ) -> FederatedCredential:
        """Let an application prove itself by a token of another issuer.

        :raises KeyError: there is no such application.
        """
        with self._lock:
            application = self._registered(client_id)
            name = name or f"federated-{len(application.federated_credentials) + 1}"
            added = FederatedCredential(name=name, issuer=issuer, subject=subject, audience=audience)
            application.federated_credentials = (*application.federated_credentials, added)
        return added

    def remove_federated_credential(self, client_id: str, name: str) -> bool:
        """Take a federated credential away; ``False`` where there was none.

        :raises KeyError: there is no such application.
        """
        with self._lock:
            application = self._registered(client_id)
            kept = tuple(one for one in application.federated_credentials if one.name != name)
            removed = len(kept) < len(application.federated_credentials)
            application.federated_credentials = kept
        return removed

    def _registered(self, client_id: str) -> Application:
        return self._applications[client_id.casefold()]
