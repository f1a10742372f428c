"""Airflow's own connection type ``azure``, as far as it says who reaches Key Vault.

Source: apache-airflow-providers-microsoft-azure, ``AzureBaseHook``: login and password are the application's
ID and secret, ``tenantId`` is its tenant; where one of the three is missing, azure-identity's default chain.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NoReturn

from airflow_provider_batchad.connection import is_guid, is_tenant_id
from airflow_provider_batchad.errors import ConnectionFieldError

if TYPE_CHECKING:
    from airflow_provider_batchad.clouds import AzureCloud

AZURE_CONNECTION_TYPE: Final = "azure"

_CLOUD_NAMES: Final = {
    "AzurePublicCloud": "public",
    "AzureUSGovernment": "us_government",
    "AzureChinaCloud": "china",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureConnection:
    """An Airflow connection of type ``azure``.

    :param cloud: of the connection that reaches its vault as this one.
    """

    conn_id: str
    cloud: AzureCloud
    tenant_id: str | None = None
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    managed_identity_client_id: str | None = None
    workload_identity_tenant_id: str | None = None

    def __reduce__(self) -> NoReturn:
        raise TypeError("a connection may hold a secret and is not pickled: pass the connection's ID")

    @classmethod
    def parse(
        cls,
        *,
        conn_id: str,
        login: str | None,
        password: str | None,
        extra: Mapping[str, object] | str | None,
        cloud: AzureCloud,
    ) -> AzureConnection:
        """Read the fields of an Airflow connection of type ``azure``.

        :raises ConnectionFieldError: naming the field that is wrong, or that says what is not supported here.
        """
        found = _extra(conn_id, extra)
        for name in ("key_path", "key_json"):
            if found.get(name):
                raise ConnectionFieldError(
                    "holds a key file, which is not read.",
                    conn_id=conn_id,
                    field=f"extra.{name}",
                    remedy="Write the client ID, the secret and 'tenantId' in their own fields.",
                )
        named = found.get("cloud_environment") or None
        if named is not None and _CLOUD_NAMES.get(str(named)) != cloud.name:
            raise ConnectionFieldError(
                f"is another cloud than {cloud.name!r}, where the vault is.",
                conn_id=conn_id,
                field="extra.cloud_environment",
                remedy="Use a connection of the vault's cloud.",
            )
        tenant_id, client_id = _text(found.get("tenantId")), _text(login)
        if not (tenant_id and client_id and password):
            tenant_id = client_id = password = None
        managed_identity = _text(found.get("managed_identity_client_id"))
        workload_tenant = _text(found.get("workload_identity_tenant_id"))
        for name, value, fits in (
            ("extra.tenantId", tenant_id, is_tenant_id),
            ("login", client_id, is_guid),
            ("extra.managed_identity_client_id", managed_identity, is_guid),
            ("extra.workload_identity_tenant_id", workload_tenant, is_tenant_id),
        ):
            if value is not None and not fits(value):
                raise ConnectionFieldError(
                    "is not an ID of Entra ID.",
                    conn_id=conn_id,
                    field=name,
                    remedy="Write a GUID (for the tenant, a verified domain will do).",
                )
        return cls(
            conn_id=conn_id,
            cloud=cloud,
            tenant_id=tenant_id,
            client_id=client_id,
            client_secret=password,
            managed_identity_client_id=managed_identity,
            workload_identity_tenant_id=workload_tenant,
        )


def _extra(conn_id: str, extra: Mapping[str, object] | str | None) -> Mapping[str, Any]:
    if isinstance(extra, str):
        try:
            extra = json.loads(extra) if extra.strip() else {}
        except ValueError:
            extra = []  # type: ignore[assignment]  # refused as what is no object
    if extra is not None and not isinstance(extra, Mapping):
        raise ConnectionFieldError(
            "is not a JSON object.", conn_id=conn_id, field="extra", remedy="Correct that connection."
        )
    # Older Airflows stored the form's own fields under a prefix.
    prefix = f"extra__{AZURE_CONNECTION_TYPE}__"
    return {str(name).removeprefix(prefix): value for name, value in (extra or {}).items()}


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None
