"""What the connection's fields must be together: nothing missing, nothing twice, nothing that is ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from airflow_provider_batchad.connection_form import SignIn, VaultSignIn
from airflow_provider_batchad.errors import ConnectionFieldError

if TYPE_CHECKING:
    from airflow_provider_batchad.connection import BatchConnection

NOT_ONE_TENANT: Final = frozenset({"common", "organizations", "consumers"})

_STORED_AS: Final = {"client_id": "login", "client_secret": "password", "account_url": "host"}
_VAULT_NAMES: Final = (
    "vault_credential_name",
    "vault_certificate_name",
    "vault_tenant_id_name",
    "vault_client_id_name",
)
_CREDENTIALS: Final = ("client_secret", "vault_credential_name", "vault_certificate_name")
_UNUSED: Final = {
    SignIn.SERVICE_PRINCIPAL: ("federated_file",),
    SignIn.MANAGED_IDENTITY: ("client_id", "tenant_id", "federated_file", *_CREDENTIALS, *_VAULT_NAMES),
    SignIn.WORKLOAD_IDENTITY: _CREDENTIALS,
    SignIn.INTEGRATED: (*_CREDENTIALS, "federated_file"),
}
_UNUSED_WHY: Final = {
    SignIn.SERVICE_PRINCIPAL: "a service principal signs in with a secret or a certificate",
    SignIn.MANAGED_IDENTITY: "a managed identity has no secret, and its client ID stands in "
    "'managed_identity_client_id'",
    SignIn.WORKLOAD_IDENTITY: "a workload identity signs in with the token that its pod is given",
    SignIn.INTEGRATED: "a person signs in by 'airflow batchad login' and nothing else",
}


def check_together(connection: BatchConnection) -> None:
    """Refuse a connection whose fields, each right by itself, do not go together.

    :raises ConnectionFieldError: naming the field to change.
    """
    _check_sign_in(connection)
    _check_vault(connection)
    _check_managed_identity(connection)
    _check_resource_id(connection)


def _stored_as(name: str) -> str:
    return _STORED_AS.get(name, f"extra.{name}")


def _refuse(connection: BatchConnection, name: str, what: str, remedy: str) -> NoReturn:
    raise ConnectionFieldError(what, conn_id=connection.conn_id, field=_stored_as(name), remedy=remedy)


def _check_sign_in(connection: BatchConnection) -> None:
    for name in _UNUSED[connection.sign_in]:
        if getattr(connection, name) is not None:
            _refuse(
                connection,
                name,
                f"is not used where 'sign_in' is {connection.sign_in.value!r}: "
                f"{_UNUSED_WHY[connection.sign_in]}.",
                "Empty this field, or choose another 'sign_in'.",
            )
    service_principal = connection.sign_in is SignIn.SERVICE_PRINCIPAL
    _one_of(connection, ("tenant_id", "vault_tenant_id_name"), "the tenant's ID", required=service_principal)
    _one_of(
        connection,
        ("client_id", "vault_client_id_name"),
        "the application's (client) ID",
        required=service_principal,
    )
    _one_of(connection, _CREDENTIALS, "the application's secret or certificate", required=service_principal)
    if connection.tenant_id in NOT_ONE_TENANT and connection.sign_in is not SignIn.INTEGRATED:
        _refuse(
            connection,
            "tenant_id",
            "is an endpoint for people of any tenant; an application signs in at a tenant of its own.",
            "Write the tenant's ID (a GUID) or one of its verified domains, such as contoso.onmicrosoft.com.",
        )


def _one_of(connection: BatchConnection, names: tuple[str, ...], what: str, *, required: bool) -> None:
    given = [name for name in names if getattr(connection, name) is not None]
    if len(given) > 1:
        others = " and ".join(repr(_stored_as(name)) for name in given[1:])
        _refuse(
            connection,
            given[0],
            f"gives {what}, and so does {others}.",
            "Keep one of them and empty the rest.",
        )
    if required and not given:
        places = " or ".join(repr(_stored_as(name)) for name in names)
        # the vault is the way to keep a credential that is recommended: point to that field
        name = names[0] if names is not _CREDENTIALS else "vault_credential_name"
        _refuse(connection, name, f"{what} is missing.", f"Give it in {places}.")


def _check_vault(connection: BatchConnection) -> None:
    named = [name for name in _VAULT_NAMES if getattr(connection, name) is not None]
    if named and connection.vault_url is None:
        _refuse(
            connection,
            "vault_url",
            f"is missing, and {_stored_as(named[0])!r} names something in Key Vault.",
            f"Write the vault's URL: https://<vault>.{connection.cloud.vault_suffix}.",
        )
    if connection.vault_url is not None and not named:
        _refuse(
            connection,
            "vault_url",
            "names a vault, and no field says what to read from it.",
            "Name the client secret in 'vault_credential_name', or empty this field.",
        )
    by_connection = connection.vault_sign_in is VaultSignIn.CONNECTION
    if connection.vault_sign_in is not VaultSignIn.DEFAULT and connection.vault_url is None:
        _refuse(
            connection,
            "vault_sign_in",
            "says how to reach Key Vault, and 'vault_url' is empty.",
            "Empty this field, or write the vault's URL.",
        )
    if by_connection and connection.vault_conn_id is None:
        _refuse(
            connection,
            "vault_conn_id",
            "is missing, and 'vault_sign_in' is 'connection'.",
            "Write the ID of an Airflow connection, such as azure_default.",
        )
    if not by_connection and connection.vault_conn_id is not None:
        _refuse(
            connection,
            "vault_conn_id",
            "names a connection, and 'vault_sign_in' does not say to use one.",
            "Choose 'connection' in 'vault_sign_in', or empty this field.",
        )
    if connection.vault_conn_id == connection.conn_id:
        _refuse(connection, "vault_conn_id", "is this connection itself.", "Name another connection.")


def _check_managed_identity(connection: BatchConnection) -> None:
    if connection.managed_identity_client_id is None or connection.sign_in is SignIn.MANAGED_IDENTITY:
        return
    if connection.vault_url is None or connection.vault_sign_in not in (
        VaultSignIn.MANAGED_IDENTITY,
        VaultSignIn.DEFAULT,
    ):
        _refuse(
            connection,
            "managed_identity_client_id",
            "is given, and neither 'sign_in' nor 'vault_sign_in' uses a managed identity.",
            "Choose 'managed_identity' in one of them, or empty this field.",
        )


def _check_resource_id(connection: BatchConnection) -> None:
    if connection.account_resource_id is None or connection.account_name is None:
        return
    if connection.account_resource_id.rpartition("/")[2].lower() != connection.account_name:
        _refuse(
            connection,
            "account_resource_id",
            "is of another Batch account than the one whose URL stands in 'host'.",
            "Copy it from the account's properties in the portal, or empty this field.",
        )
