"""What signs in: an application with one of three proofs, the machine, or a person."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from airflow_provider_batchad.identity.certificate import KeyAndChain


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An application; each of its kinds proves otherwise that it is the one.

    :param version: tells one state of the proof from the next: that of the secret in Key Vault, a digest of a
        federated token; nothing where it stands in the connection.
    :param tenant_field: the connection's field that says the tenant, or names it in Key Vault; the other two
        likewise, for messages.
    """

    tenant_id: str
    client_id: str
    version: str | None = None
    tenant_field: str = "extra.tenant_id"
    client_field: str = "login"
    credential_field: str = "password"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a principal with its secret is not pickled: read it where it is needed")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSecret(Application):
    """An application with a client secret."""

    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificate(Application):
    """An application with a certificate."""

    certificate: KeyAndChain


@dataclass(frozen=True, slots=True, kw_only=True)
class FederatedToken(Application):
    """An application that another issuer's token stands for.

    :param assertion: that token.
    """

    assertion: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedIdentity:
    """The identity of the machine.

    :param client_id: of a user-assigned one; nothing for the system-assigned one.
    """

    client_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who has signed in by ``batchad login``.

    :param tenant_id: where the person is at home or a guest; ``organizations`` leaves it to the person.
    :param client_id: of the application that the person uses.
    """

    tenant_id: str
    client_id: str
    tenant_field: str = "extra.tenant_id"
    client_field: str = "login"


Principal = ClientSecret | ClientCertificate | FederatedToken | ManagedIdentity | Person
