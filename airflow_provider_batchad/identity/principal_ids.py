"""Tenant and application: from the connection, from Key Vault, or from the environment of a pod."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NoReturn, TypedDict

from airflow_provider_batchad.connection import SignIn, is_guid, is_tenant_id
from airflow_provider_batchad.errors import ConnectionFieldError
from airflow_provider_batchad.identity.named_secrets import useless

if TYPE_CHECKING:
    from airflow_provider_batchad.connection import BatchConnection
    from airflow_provider_batchad.identity.named_secrets import NamedSecrets

# The Azure CLI's application, known in every tenant; azure-identity's credentials for people take it as well
# where they are told no client ID.
AZURE_CLI_CLIENT_ID: Final = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
ANY_ORGANIZATION: Final = "organizations"

_TENANT_VARIABLE: Final = "AZURE_TENANT_ID"
_CLIENT_VARIABLE: Final = "AZURE_CLIENT_ID"


class PrincipalIds(TypedDict):
    """The two IDs, and for messages the fields that say them or name them in Key Vault."""

    tenant_id: str
    tenant_field: str
    client_id: str
    client_field: str


def read_ids(connection: BatchConnection, vault: NamedSecrets) -> PrincipalIds:
    """The IDs; where the connection says none, the pod's, or for a person any organization and the Azure CLI.

    :raises ConnectionFieldError: the environment does not say it, or says no ID.
    :raises VaultError: what Key Vault holds is no ID, or cannot be read.
    :raises Unreachable: Key Vault could not be asked.
    """
    tenant_id, tenant_field = _tenant_id(connection, vault)
    client_id, client_field = _client_id(connection, vault)
    return PrincipalIds(
        tenant_id=tenant_id, tenant_field=tenant_field, client_id=client_id, client_field=client_field
    )


def _tenant_id(connection: BatchConnection, vault: NamedSecrets) -> tuple[str, str]:
    field = "extra.vault_tenant_id_name"
    if connection.vault_tenant_id_name is not None:
        value = vault.read(connection.vault_tenant_id_name, field).value
        if not is_tenant_id(value):
            raise useless(field, "is not a tenant's ID or verified domain.")
        return value, field
    field = "extra.tenant_id"
    if connection.tenant_id is not None:
        return connection.tenant_id, field
    if connection.sign_in is SignIn.INTEGRATED:
        return ANY_ORGANIZATION, field
    value = os.environ.get(_TENANT_VARIABLE, "").strip()
    if not is_tenant_id(value):
        _refuse(connection, field, _TENANT_VARIABLE, "a tenant's ID or verified domain")
    return value.lower(), field


def _client_id(connection: BatchConnection, vault: NamedSecrets) -> tuple[str, str]:
    field = "extra.vault_client_id_name"
    if connection.vault_client_id_name is not None:
        value = vault.read(connection.vault_client_id_name, field).value
        if not is_guid(value):
            raise useless(field, "is not an application's (client) ID, which is a GUID.")
        return value, field
    field = "login"
    if connection.client_id is not None:
        return connection.client_id, field
    if connection.sign_in is SignIn.INTEGRATED:
        return AZURE_CLI_CLIENT_ID, field
    value = os.environ.get(_CLIENT_VARIABLE, "").strip()
    if not is_guid(value):
        _refuse(connection, field, _CLIENT_VARIABLE, "an application's (client) ID")
    return value.lower(), field


def _refuse(connection: BatchConnection, field: str, variable: str, what: str) -> NoReturn:
    raise ConnectionFieldError(
        f"is empty, and {variable} of this machine's environment is not {what}.",
        conn_id=connection.conn_id,
        field=field,
        remedy=f"Fill in this field, or let the pod's service account set {variable}.",
    )
