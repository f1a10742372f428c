"""The Airflow connection, parsed and validated once.

Every message names the field as it is stored, says what is wrong with it and what a right value looks like.
None repeats what the field holds: somebody may have put a secret there.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar
from urllib.parse import urlsplit

from airflow_provider_batchad.clouds import MICROSOFT_CLOUDS, AzureCloud, find_cloud, is_loopback
from airflow_provider_batchad.connection_form import (
    CONNECTION_TYPE,
    EXTRA_NAMES,
    LeastPrivilege,
    SignIn,
    VaultSignIn,
)
from airflow_provider_batchad.connection_rules import NOT_ONE_TENANT, check_together
from airflow_provider_batchad.endpoints import EndpointError, check_account_url, check_vault_url
from airflow_provider_batchad.errors import CloudConfigurationError, ConnectionFieldError

if TYPE_CHECKING:
    from airflow_provider_batchad.azure_connection import AzureConnection

__all__ = [
    "CONNECTION_TYPE",
    "BatchConnection",
    "LeastPrivilege",
    "SignIn",
    "VaultSignIn",
    "is_guid",
    "is_tenant_id",
]

_Choice = TypeVar("_Choice", bound=StrEnum)

_GUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN: Final = re.compile(rf"(?=.{{4,253}}\Z)(?:{_LABEL}\.)+(?=[0-9-]*[a-z]){_LABEL}", re.ASCII)

_VAULT_NAME: Final = re.compile(r"[0-9a-zA-Z-]{1,127}(?:/[0-9a-f]{32})?", re.ASCII)
_CONNECTION_ID: Final = re.compile(r"[\w.:/@ -]{1,250}")
_RESOURCE_ID: Final = re.compile(
    r"/subscriptions/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/resourcegroups/[\w.()-]{1,90}"
    r"/providers/microsoft\.batch/batchaccounts/(?P<account>[a-z0-9]{3,24})",
    re.IGNORECASE,
)
_PATH_PART: Final = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
_FEDERATED_FILE: Final = re.compile(rf"(?=.{{1,250}}\Z){_PATH_PART}(?:/{_PATH_PART})*", re.ASCII)
_MASK: Final = "***"


def is_guid(text: str) -> bool:
    """Whether it is a GUID in the form that Entra ID writes: hyphens, no braces."""
    return text.isascii() and _GUID.fullmatch(text.lower()) is not None


def is_tenant_id(text: str) -> bool:
    """Whether it can be one tenant's ID or verified domain; ``common`` and the like are neither."""
    return is_guid(text) or (text.isascii() and _DOMAIN.fullmatch(text.lower()) is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchConnection:
    """A connection of type ``azure_batch_ad``; the fields are those of the form, checked.

    :param account_url: ``https://`` and the account's host, in lower case, nothing after it.
    :param client_secret: only where it stands in the connection itself and not in Key Vault.
    :param vault_credential_name: ``name`` or ``name/version``, as the other names in the vault.
    :param federated_file: a relative path, to be read below the directory that the configuration names.
    :param vault_connection: the one whose ID stands in ``vault_conn_id``, once it is resolved; no field.
    """

    conn_id: str
    account_url: str
    tenant_id: str | None = None
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    sign_in: SignIn = SignIn.SERVICE_PRINCIPAL
    vault_url: str | None = None
    vault_credential_name: str | None = None
    vault_certificate_name: str | None = None
    vault_tenant_id_name: str | None = None
    vault_client_id_name: str | None = None
    vault_sign_in: VaultSignIn = VaultSignIn.DEFAULT
    vault_conn_id: str | None = None
    managed_identity_client_id: str | None = None
    federated_file: str | None = None
    cloud: AzureCloud
    account_resource_id: str | None = None
    least_privilege: LeastPrivilege = LeastPrivilege.ENFORCE
    vault_connection: BatchConnection | AzureConnection | None = None

    def __reduce__(self) -> NoReturn:
        raise TypeError("a BatchConnection may hold a secret and is not pickled: pass the connection's ID")

    @property
    def account_name(self) -> str | None:
        """The Batch account's name; nothing where the account is this machine."""
        if is_loopback(self.cloud.batch_suffix):
            return None
        return (urlsplit(self.account_url).hostname or "").partition(".")[0]

    @classmethod
    def parse(
        cls,
        *,
        conn_id: str,
        host: str | None,
        login: str | None,
        password: str | None,
        extra: Mapping[str, object] | str | None,
        clouds: Mapping[str, AzureCloud],
        port: int | None = None,
        schema: str | None = None,
    ) -> BatchConnection:
        """Read the fields of an Airflow connection.

        :param extra: as a mapping or as JSON text; ``null``, blank text and keys with those are absent.
        :param port: that of the account's URL, where there is one; Airflow's web page sends 0 for none.
        :param schema: of no use, and refused.
        :param clouds: those that the Airflow configuration defines.
        :raises ConnectionFieldError: naming the first field that is wrong, missing or contradicts another.
        """
        given = _Given(conn_id=conn_id, host=host, login=login, password=password, extra=extra)
        given.refuse_schema(schema)
        cloud = given.cloud(clouds)
        connection = cls(
            conn_id=conn_id,
            cloud=cloud,
            account_url=given.account_url(cloud, clouds),
            sign_in=given.choice("extra.sign_in", SignIn.SERVICE_PRINCIPAL),
            tenant_id=given.tenant_id("extra.tenant_id"),
            client_id=given.guid("login", "the application's (client) ID"),
            client_secret=given.client_secret(),
            vault_url=given.vault_url(cloud, clouds),
            vault_credential_name=given.vault_name("extra.vault_credential_name"),
            vault_certificate_name=given.vault_name("extra.vault_certificate_name"),
            vault_tenant_id_name=given.vault_name("extra.vault_tenant_id_name"),
            vault_client_id_name=given.vault_name("extra.vault_client_id_name"),
            vault_sign_in=given.choice("extra.vault_sign_in", VaultSignIn.DEFAULT),
            vault_conn_id=given.connection_id("extra.vault_conn_id"),
            managed_identity_client_id=given.guid(
                "extra.managed_identity_client_id", "the managed identity's client ID"
            ),
            federated_file=given.federated_file("extra.federated_file"),
            account_resource_id=given.resource_id("extra.account_resource_id"),
            least_privilege=given.choice("extra.least_privilege", LeastPrivilege.ENFORCE),
        )
        given.check_port(port, connection.account_url)
        check_together(connection)
        return connection


class _Given:
    """What the connection's fields hold, each read and checked by itself."""

    def __init__(
        self,
        *,
        conn_id: str,
        host: str | None,
        login: str | None,
        password: str | None,
        extra: Mapping[str, object] | str | None,
    ) -> None:
        self._conn_id = conn_id
        self._values: dict[str, str] = {}
        for name, value in self._extra(extra).items():
            if name not in EXTRA_NAMES:
                closest = difflib.get_close_matches(str(name), EXTRA_NAMES, n=1)
                remedy = (
                    f"Did you mean {closest[0]!r}?" if closest else f"There are: {', '.join(EXTRA_NAMES)}."
                )
                raise self.error(f"extra.{str(name)[:64]}", "is not a field of this connection type.", remedy)
            self._keep(f"extra.{name}", value)
        for name, value in {"host": host, "login": login, "password": password}.items():
            self._keep(name, value)

    def error(self, field_name: str, what: str, remedy: str) -> ConnectionFieldError:
        return ConnectionFieldError(what, conn_id=self._conn_id, field=field_name, remedy=remedy)

    def check_port(self, port: int | None, account_url: str) -> None:
        own = urlsplit(account_url).port or 443
        if port and port != own:
            raise self.error(
                "port", "is another than that of the URL in 'host'.", f"Write {own}, or leave it empty."
            )

    def refuse_schema(self, schema: str | None) -> None:
        if schema is not None and schema.strip():
            raise self.error("schema", "is not used by this connection type.", "Empty it.")

    def _extra(self, extra: Mapping[str, object] | str | None) -> Mapping[str, object]:
        if isinstance(extra, str) and extra.strip():
            try:
                extra = json.loads(extra, object_pairs_hook=self._object)
            except (ValueError, RecursionError):
                raise self.error("extra", "is not JSON.", 'Write an object: {"tenant_id": "…", …}.') from None
        if extra is None or extra == "" or (isinstance(extra, str) and not extra.strip()):
            return {}
        if not isinstance(extra, Mapping):
            raise self.error("extra", "is not a JSON object.", 'Write an object: {"tenant_id": "…", …}.')
        return extra

    def _object(self, pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        for name in found if len(found) < len(pairs) else ():
            if sum(name == other for other, _ in pairs) > 1:
                raise self.error(f"extra.{name[:64]}", "is given twice.", "Keep one of them.")
        return found

    def _keep(self, field_name: str, value: object) -> None:
        if value is None:
            return
        if not isinstance(value, str):
            raise self.error(field_name, "is not text.", "Write it in quotes, or leave it out.")
        if value.strip():
            self._values[field_name] = value.strip()

    def cloud(self, custom: Mapping[str, AzureCloud]) -> AzureCloud:
        try:
            return find_cloud(self._values.get("extra.cloud", "public"), custom)
        except CloudConfigurationError as error:
            raise self.error("extra.cloud", error.message, error.remedy or "") from None

    def account_url(self, cloud: AzureCloud, custom: Mapping[str, AzureCloud]) -> str:
        url = self._values.get("host")
        if url is None:
            raise self.error(
                "host",
                "the Batch account's URL is missing.",
                f"Write https://<account>.<region>.{cloud.batch_suffix}."
                if not is_loopback(cloud.batch_suffix)
                else f"Write https://{cloud.batch_suffix}.",
            )
        try:
            return check_account_url(url, cloud, [*MICROSOFT_CLOUDS.values(), *custom.values()])
        except EndpointError as error:
            raise self.error("host", error.what, error.remedy) from None

    def vault_url(self, cloud: AzureCloud, custom: Mapping[str, AzureCloud]) -> str | None:
        url = self._values.get("extra.vault_url")
        if url is None:
            return None
        try:
            return check_vault_url(url, cloud, [*MICROSOFT_CLOUDS.values(), *custom.values()])
        except EndpointError as error:
            raise self.error("extra.vault_url", error.what, error.remedy) from None

    def choice(self, field_name: str, default: _Choice) -> _Choice:
        choices = type(default)
        try:
            return choices(self._values.get(field_name, default))
        except ValueError:
            known = ", ".join(choices)
            raise self.error(field_name, "is none of the choices.", f"Choose one of: {known}.") from None

    def guid(self, field_name: str, what: str) -> str | None:
        value = self._values.get(field_name)
        if value is not None and not is_guid(value):
            raise self.error(
                field_name,
                f"is not {what}.",
                "It is a GUID: 00000000-0000-0000-0000-000000000000, without braces.",
            )
        return value.lower() if value is not None else None

    def tenant_id(self, field_name: str) -> str | None:
        value = self._values.get(field_name)
        if value is None:
            return None
        if value.lower() not in NOT_ONE_TENANT and not is_tenant_id(value):
            raise self.error(
                field_name,
                "is not a tenant's ID.",
                "It is a GUID, 00000000-0000-0000-0000-000000000000, or a verified domain, such as "
                "contoso.onmicrosoft.com.",
            )
        return value.lower()

    def client_secret(self) -> str | None:
        value = self._values.get("password")
        if value == _MASK:
            raise self.error(
                "password",
                "is the mask that Airflow shows in place of a secret.",
                "Enter the client secret again, or leave it empty and name it in 'vault_credential_name'.",
            )
        return value

    def vault_name(self, field_name: str) -> str | None:
        value = self._values.get(field_name)
        if value is not None and not _VAULT_NAME.fullmatch(value):
            raise self.error(
                field_name,
                "is not a name in Key Vault.",
                "It is 'name' or 'name/version': letters, digits and hyphens, a version of 32 hexadecimal "
                "digits; the name, not what it holds and not its URL.",
            )
        return value

    def connection_id(self, field_name: str) -> str | None:
        value = self._values.get(field_name)
        if value is not None and not _CONNECTION_ID.fullmatch(value):
            raise self.error(
                field_name, "is not the ID of an Airflow connection.", "For example azure_default."
            )
        return value

    def federated_file(self, field_name: str) -> str | None:
        value = self._values.get(field_name)
        if value is not None and not _FEDERATED_FILE.fullmatch(value):
            raise self.error(
                field_name,
                "is not the name of a file below the directory of federated tokens.",
                "Write it without a leading slash or dot, such as 'batch/azure'.",
            )
        return value

    def resource_id(self, field_name: str) -> str | None:
        value = self._values.get(field_name)
        if value is not None and not _RESOURCE_ID.fullmatch(value):
            raise self.error(
                field_name,
                "is not a Batch account's resource ID.",
                "It is /subscriptions/<GUID>/resourceGroups/<group>/providers/Microsoft.Batch/"
                "batchAccounts/<account>.",
            )
        return value
