"""The connection's fields as Airflow's web form shows them: one table, which the parser reads as well."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

CONNECTION_TYPE: Final = "azure_batch_ad"
CONNECTION_TYPE_NAME: Final = "Azure Batch (Microsoft Entra ID)"
DEFAULT_CONNECTION_ID: Final = "batchad_default"

_GUID: Final = "00000000-0000-0000-0000-000000000000"
_SIGN_IN: Final = "Sign-in"
_KEY_VAULT: Final = "Key Vault"
_ACCOUNT: Final = "Cloud and rights"


class SignIn(StrEnum):
    """As whom Batch is called."""

    SERVICE_PRINCIPAL = "service_principal"
    MANAGED_IDENTITY = "managed_identity"
    WORKLOAD_IDENTITY = "workload_identity"
    INTEGRATED = "integrated"


class VaultSignIn(StrEnum):
    """As whom Key Vault is read."""

    MANAGED_IDENTITY = "managed_identity"
    WORKLOAD_IDENTITY = "workload_identity"
    ENVIRONMENT = "environment"
    AZURE_CLI = "azure_cli"
    DEFAULT = "default"
    CONNECTION = "connection"


class LeastPrivilege(StrEnum):
    """What happens to a request outside of the declared actions."""

    ENFORCE = "enforce"
    WARN = "warn"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """One field of the connection.

    :param name: ``host``, ``login``, ``password``, or the key of an extra. Airflow masks an extra whose key
        contains ``secret``, ``token``, ``password`` and the like, so only one that holds a secret may.
    :param default: what an untouched field means; it also makes the form demand the field.
    :param examples: suggestions beside which anything else can be typed; ``choices`` allow nothing else.
    :param placeholder: shown in an empty field; Airflow has that for the standard fields alone.
    """

    name: str
    label: str
    help_text: str
    section: str | None = None
    choices: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    default: str | None = None
    placeholder: str | None = None

    def conn_field(self) -> dict[str, Any]:
        """The field as an item of a provider's ``conn-fields``."""
        schema: dict[str, Any] = {"type": "string" if self.default else ["string", "null"]}
        if self.choices:
            schema["enum"] = list(self.choices)
        if self.examples:
            schema["examples"] = list(self.examples)
        if self.default:
            schema["default"] = self.default
        if self.section:
            schema["section"] = self.section
        return {"label": self.label, "description": self.help_text, "schema": schema}


STANDARD_FIELDS: Final = (
    FormField(
        name="host",
        label="Batch account URL",
        help_text="The account's own address, account and region before the cloud's name for Batch.",
        placeholder="https://<account>.<region>.batch.azure.com",
    ),
    FormField(
        name="login",
        label="Client (application) ID",
        help_text="Of the application that is registered in Entra ID; or name it in Key Vault below.",
        placeholder=f"{_GUID}, or named below",
    ),
    FormField(
        name="password",
        label="Client secret",
        help_text="Leave it empty and name the secret in Key Vault below: Airflow then holds nothing secret.",
        placeholder="Leave empty to read it from Key Vault (recommended)",
    ),
    FormField(
        name="port",
        label="Port",
        help_text="That of the URL, 443: where a connection has none, Airflow 3.3 answers 'Bad Request' to "
        "the web page's Test.",
        placeholder="443 (Airflow's Test wants a port)",
    ),
)

EXTRA_FIELDS: Final = (
    FormField(
        name="sign_in",
        label="Sign in as",
        help_text="As whom Airflow calls Batch: an application with a secret or certificate, the identity of "
        "the machine, the identity of the pod, or (integrated, for development) whoever has signed in with "
        "'airflow batchad login'.",
        section=_SIGN_IN,
        choices=tuple(SignIn),
        default=SignIn.SERVICE_PRINCIPAL,
    ),
    FormField(
        name="tenant_id",
        label="Tenant (directory) ID",
        help_text=f"The tenant's ID, as {_GUID}, or one of its verified domain names. "
        "A service principal needs its own tenant: 'common' and 'organizations' are for people. "
        "Empty for a workload identity: that of the pod.",
        section=_SIGN_IN,
    ),
    FormField(
        name="managed_identity_client_id",
        label="Managed identity client ID",
        help_text="Of a user-assigned managed identity, to call Batch or to read Key Vault as. "
        "Empty: the machine's system-assigned one.",
        section=_SIGN_IN,
    ),
    FormField(
        name="federated_file",
        label="File of the workload identity",
        help_text="For a workload identity outside of Kubernetes: the file, below [batchad] federated_dir of "
        "the Airflow configuration, where another issuer's token is kept up to date. Empty: the pod's own.",
        section=_SIGN_IN,
    ),
    FormField(
        name="vault_url",
        label="Key Vault URL",
        help_text="The vault that holds what is named below: https://<vault>.vault.azure.net.",
        section=_KEY_VAULT,
    ),
    FormField(
        name="vault_credential_name",
        label="Credential's name in Key Vault",
        help_text="The name of the vault's secret that holds the client secret: 'name' for the current "
        "version, which a rotation changes without a word to Airflow, or 'name/version'.",
        section=_KEY_VAULT,
    ),
    FormField(
        name="vault_certificate_name",
        label="Certificate's name in Key Vault",
        help_text="In place of a client secret: the name of the vault's certificate (PEM or PKCS#12, an RSA "
        "key that may be exported), as 'name' or 'name/version'. It is read as a secret.",
        section=_KEY_VAULT,
    ),
    FormField(
        name="vault_tenant_id_name",
        label="Tenant ID's name in Key Vault",
        help_text="The name of the vault's secret that holds the tenant ID, where that is kept there.",
        section=_KEY_VAULT,
    ),
    FormField(
        name="vault_client_id_name",
        label="Client ID's name in Key Vault",
        help_text="The name of the vault's secret that holds the client ID, where that is kept there.",
        section=_KEY_VAULT,
    ),
    FormField(
        name="vault_sign_in",
        label="Reach Key Vault as",
        help_text="As whom the vault is read. Empty or 'default': the first that works of environment, "
        "workload identity, managed identity and a developer's command line; never a browser.",
        section=_KEY_VAULT,
        choices=tuple(VaultSignIn),
    ),
    FormField(
        name="vault_conn_id",
        label="Connection for Key Vault",
        help_text="Where 'connection' is chosen above: the Airflow connection to reach the vault as, of this "
        "type or of the type 'azure'.",
        section=_KEY_VAULT,
    ),
    FormField(
        name="cloud",
        label="Cloud",
        help_text="public, us_government, china, or the name of a cloud that the Airflow configuration "
        "defines in [batchad] clouds.",
        section=_ACCOUNT,
        examples=("public", "us_government", "china"),
        default="public",
    ),
    FormField(
        name="account_resource_id",
        label="Batch account resource ID",
        help_text="For checking the principal's rights and for links to the portal: /subscriptions/…/"
        "batchAccounts/<account>, as the account's properties show it.",
        section=_ACCOUNT,
    ),
    FormField(
        name="least_privilege",
        label="Least privilege",
        help_text="What becomes of a request that the operator or hook which makes it has not declared: "
        "refused before it is sent (enforce), logged as a warning (warn), or sent (off).",
        section=_ACCOUNT,
        choices=tuple(LeastPrivilege),
        default=LeastPrivilege.ENFORCE,
    ),
)

EXTRA_NAMES: Final = tuple(field.name for field in EXTRA_FIELDS)


def conn_fields() -> dict[str, Any]:
    """``conn-fields`` of the connection type: the extras, in the form's order."""
    return {field.name: field.conn_field() for field in EXTRA_FIELDS}


def ui_field_behaviour() -> dict[str, Any]:
    """``ui-field-behaviour`` of the connection type: labels and placeholders of the standard fields."""
    return {
        "hidden-fields": ["schema"],
        "relabeling": {field.name: field.label for field in STANDARD_FIELDS},
        "placeholders": {field.name: field.placeholder for field in STANDARD_FIELDS if field.placeholder},
    }
