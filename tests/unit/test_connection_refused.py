from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_batchad.connection import BatchConnection
from airflow_provider_batchad.errors import ConnectionFieldError
from tests.unit.test_connection import CLIENT, HOST, IN_VAULT, RESOURCE_ID, TENANT, custom_clouds

CANARY = "canary-value"
OTHER = "99999999-2222-3333-4444-555555555555"


def with_extra(**changes: Any) -> dict[str, Any]:
    return {"extra": {**IN_VAULT, **changes}}


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    # the account's URL
    "no host": ({"host": None}, "host", "is missing"),
    "blank host": ({"host": " "}, "host", "is missing"),
    "http": ({"host": HOST.replace("https", "http")}, "host", "TLS only"),
    "no scheme": ({"host": HOST.removeprefix("https://")}, "host", "does not begin with https://"),
    "another scheme": (
        {"host": "ftp://acct.westeurope.batch.azure.com"},
        "host",
        "does not begin with https://",
    ),
    "user info": ({"host": f"https://{CANARY}:x@acct.westeurope.batch.azure.com"}, "host", "user name"),
    "user info that looks like the host": (
        {"host": "https://acct.westeurope.batch.azure.com@evil.example"},
        "host",
        "user name",
    ),
    "port": ({"host": f"{HOST}:443"}, "host", "has a port"),
    "path": ({"host": f"{HOST}/jobs"}, "host", "has a path"),
    "query": ({"host": f"{HOST}?api-version=1"}, "host", "query or fragment"),
    "empty query": ({"host": f"{HOST}/?"}, "host", "query or fragment"),
    "fragment": ({"host": f"{HOST}#x"}, "host", "query or fragment"),
    "backslash": ({"host": "https://evil.example\\.westeurope.batch.azure.com"}, "host", "characters"),
    "control character": ({"host": "https://acct.west\teurope.batch.azure.com"}, "host", "characters"),
    "letter of another alphabet": (
        {"host": "https://acct.westeurope.b\u0430tch.azure.com"},
        "host",
        "characters",
    ),
    "open bracket": ({"host": "https://[::1"}, "host", "is not a URL"),
    "suffix inside": (
        {"host": "https://acct.westeurope.batch.azure.com.evil.example"},
        "host",
        "is not a host",
    ),
    "suffix glued on": ({"host": "https://acct.westeurope.evilbatch.azure.com"}, "host", "is not a host"),
    "hyphen for a dot": ({"host": "https://acct.westeurope-batch.azure.com"}, "host", "is not a host"),
    "trailing dot": ({"host": f"{HOST}."}, "host", "is not a host"),
    "one label": ({"host": "https://acct.batch.azure.com"}, "host", "1 labels"),
    "no label": ({"host": "https://batch.azure.com"}, "host", "is not a host"),
    "four labels": ({"host": "https://a.b.acct.westeurope.batch.azure.com"}, "host", "4 labels"),
    "empty label": ({"host": "https://.westeurope.batch.azure.com"}, "host", "name of a Batch account"),
    "node endpoint": ({"host": "https://acct.westeurope.service.batch.azure.com"}, "host", "for its nodes"),
    "private link": (
        {"host": "https://acct.westeurope.privatelink.batch.azure.com"},
        "host",
        "use the public name, your DNS resolves it",
    ),
    "account name too long": ({"host": f"https://{'a' * 25}.westeurope.batch.azure.com"}, "host", "3 to 24"),
    "region with a hyphen": ({"host": "https://acct.west-europe.batch.azure.com"}, "host", "region"),
    "account of another cloud": (
        {"host": "https://acct.chinanorth.batch.chinacloudapi.cn"},
        "host",
        "in the cloud 'china', and this connection's cloud is 'public'",
    ),
    "account on this machine in the public cloud": ({"host": "https://localhost:10446"}, "host", "'local'"),
    "another port of this machine": (
        {"host": "https://localhost:10447", **with_extra(cloud="local", vault_url="https://localhost:10445")},
        "host",
        "Write it as https://localhost:10446",
    ),
    # IDs
    "no client": ({"login": None}, "login", "is missing"),
    "client is no GUID": ({"login": CANARY}, "login", "GUID"),
    "client in braces": ({"login": f"{{{CLIENT}}}"}, "login", "GUID"),
    "no tenant": (with_extra(tenant_id=None), "extra.tenant_id", "is missing"),
    "tenant is nothing known": (with_extra(tenant_id=CANARY), "extra.tenant_id", "verified domain"),
    "tenant is a URL": (with_extra(tenant_id=f"https://login/{TENANT}"), "extra.tenant_id", "GUID"),
    "tenant common": (with_extra(tenant_id="common"), "extra.tenant_id", "a tenant of its own"),
    "tenant organizations": (with_extra(tenant_id="Organizations"), "extra.tenant_id", "a tenant of its own"),
    "tenant consumers": (with_extra(tenant_id="consumers"), "extra.tenant_id", "a tenant of its own"),
    "workload identity of any tenant": (
        {"extra": {"sign_in": "workload_identity", "tenant_id": "common"}},
        "extra.tenant_id",
        "a tenant of its own",
    ),
    "tenant twice": (with_extra(vault_tenant_id_name="tenant"), "extra.tenant_id", "and so does"),
    "client twice": (with_extra(vault_client_id_name="client"), "login", "'extra.vault_client_id_name'"),
    "managed identity's ID is no GUID": (
        with_extra(managed_identity_client_id=CANARY),
        "extra.managed_identity_client_id",
        "GUID",
    ),
    # the credential
    "no credential": ({"extra": {"tenant_id": TENANT}}, "extra.vault_credential_name", "is missing"),
    "secret and its name": ({"password": CANARY}, "password", "'extra.vault_credential_name'"),
    "secret and certificate": (
        with_extra(vault_certificate_name="certificate"),
        "extra.vault_credential_name",
        "'extra.vault_certificate_name'",
    ),
    "Airflow's mask as secret": (
        {"password": "***", "extra": {"tenant_id": TENANT}},
        "password",
        "the mask that Airflow shows",
    ),
    # choices
    "unknown sign-in": (with_extra(sign_in=CANARY), "extra.sign_in", "service_principal, managed_identity"),
    "sign-in in capitals": (with_extra(sign_in="SERVICE_PRINCIPAL"), "extra.sign_in", "Choose one of"),
    "unknown vault sign-in": (with_extra(vault_sign_in=CANARY), "extra.vault_sign_in", "azure_cli"),
    "unknown least privilege": (with_extra(least_privilege=CANARY), "extra.least_privilege", "warn"),
    "unknown cloud": (with_extra(cloud=CANARY), "extra.cloud", "public, us_government, china, local"),
    # the vault
    "name without a vault": (with_extra(vault_url=None), "extra.vault_url", "is missing"),
    "vault without a name": (
        {"password": "x", "extra": {"tenant_id": TENANT, "vault_url": IN_VAULT["vault_url"]}},
        "extra.vault_url",
        "no field says what to read",
    ),
    "vault by http": (with_extra(vault_url="http://my-vault.vault.azure.net"), "extra.vault_url", "TLS only"),
    "vault with the secret's path": (
        with_extra(vault_url="https://my-vault.vault.azure.net/secrets/x"),
        "extra.vault_url",
        "has a path",
    ),
    "vault with two labels": (
        with_extra(vault_url="https://a1b.c2d.vault.azure.net"),
        "extra.vault_url",
        "2 labels",
    ),
    "vault with a wrong name": (
        with_extra(vault_url="https://1vault.vault.azure.net"),
        "extra.vault_url",
        "3 to 24",
    ),
    "vault that looks alike": (
        with_extra(vault_url="https://my-vault.vault.azure.net.evil.example"),
        "extra.vault_url",
        "is not a host",
    ),
    "vault of another cloud": (
        with_extra(vault_url="https://my-vault.vault.usgovcloudapi.net"),
        "extra.vault_url",
        "in the cloud 'us_government'",
    ),
    "vault of the account's cloud alone": (
        {"host": "https://localhost:10446", **with_extra(cloud="local")},
        "extra.vault_url",
        "in the cloud 'public', and this connection's cloud is 'local'",
    ),
    "managed HSM": (
        with_extra(vault_url="https://my-hsm.managedhsm.azure.net"),
        "extra.vault_url",
        "holds keys, not secrets",
    ),
    "vault's private link": (
        with_extra(vault_url="https://my-vault.privatelink.vaultcore.azure.net"),
        "extra.vault_url",
        "use the public name",
    ),
    "vault's private zone": (
        with_extra(vault_url="https://my-vault.vaultcore.azure.net"),
        "extra.vault_url",
        "use the public name",
    ),
    "secret's URL for its name": (
        with_extra(vault_credential_name="https://my-vault.vault.azure.net/secrets/x"),
        "extra.vault_credential_name",
        "not its URL",
    ),
    "secret's value for its name": (
        with_extra(vault_credential_name=f"{CANARY}~.x"),
        "extra.vault_credential_name",
        "not what it holds",
    ),
    "version that is none": (
        with_extra(vault_credential_name="batch-secret/1"),
        "extra.vault_credential_name",
        "32 hexadecimal",
    ),
    "vault sign-in without a vault": (
        {"password": "x", "extra": {"tenant_id": TENANT, "vault_sign_in": "azure_cli"}},
        "extra.vault_sign_in",
        "'vault_url' is empty",
    ),
    "connection without its ID": (
        with_extra(vault_sign_in="connection"),
        "extra.vault_conn_id",
        "is missing",
    ),
    "connection's ID without the choice": (
        with_extra(vault_conn_id="azure_default"),
        "extra.vault_conn_id",
        "does not say to use one",
    ),
    "connection itself": (
        with_extra(vault_sign_in="connection", vault_conn_id="batchad_default"),
        "extra.vault_conn_id",
        "this connection itself",
    ),
    "connection's ID that is none": (
        with_extra(vault_sign_in="connection", vault_conn_id="a\nb"),
        "extra.vault_conn_id",
        "is not the ID",
    ),
    # what would be ignored
    "managed identity with a client ID in login": (
        {"extra": {"sign_in": "managed_identity"}},
        "login",
        "managed_identity_client_id",
    ),
    "managed identity with a tenant": (
        {"login": None, "extra": {"sign_in": "managed_identity", "tenant_id": TENANT}},
        "extra.tenant_id",
        "is not used",
    ),
    "managed identity with a secret in the vault": (
        {"login": None, "extra": {**IN_VAULT, "tenant_id": None, "sign_in": "managed_identity"}},
        "extra.vault_credential_name",
        "is not used",
    ),
    "workload identity with a secret": (
        {"password": CANARY, "extra": {"sign_in": "workload_identity"}},
        "password",
        "is not used",
    ),
    "person with a certificate": (
        {
            "extra": {
                "sign_in": "integrated",
                "vault_url": IN_VAULT["vault_url"],
                "vault_certificate_name": "x",
            }
        },
        "extra.vault_certificate_name",
        "is not used",
    ),
    "identity that nothing uses": (
        with_extra(vault_sign_in="environment", managed_identity_client_id=OTHER),
        "extra.managed_identity_client_id",
        "neither 'sign_in' nor 'vault_sign_in'",
    ),
    # the resource ID
    "resource ID that is none": (
        with_extra(account_resource_id="/subscriptions/x/resourceGroups/g"),
        "extra.account_resource_id",
        "batchAccounts/<account>",
    ),
    "resource ID of something else": (
        with_extra(account_resource_id=RESOURCE_ID.replace("batchAccounts", "accounts")),
        "extra.account_resource_id",
        "is not a Batch account's",
    ),
    "resource ID of another account": (
        with_extra(account_resource_id=RESOURCE_ID.replace("/acct", "/other")),
        "extra.account_resource_id",
        "of another Batch account",
    ),
    # the extra as a whole
    "unknown extra": (with_extra(zz_unknown=CANARY), "extra.zz_unknown", "There are"),
    "misspelt extra": (with_extra(tenant_ID=CANARY), "extra.tenant_ID", "Did you mean 'tenant_id'?"),
    "extra of another provider": (with_extra(tenantId=CANARY), "extra.tenantId", "Did you mean 'tenant_id'?"),
    "account key": (with_extra(account_key=CANARY), "extra.account_key", "is not a field"),
    "number": (with_extra(tenant_id=12), "extra.tenant_id", "is not text"),
    "list": (with_extra(vault_url=["x"]), "extra.vault_url", "is not text"),
    "true": (with_extra(least_privilege=True), "extra.least_privilege", "is not text"),
    "JSON that is none": ({"extra": f'{{"tenant_id": {CANARY}'}, "extra", "is not JSON"),
    "JSON that is no object": ({"extra": f'["{CANARY}"]'}, "extra", "is not a JSON object"),
}


def assert_names_its_field(error: ConnectionFieldError, field: str, words: str) -> None:
    assert error.field == field
    text = str(error)
    assert words in text
    assert f"Connection 'batchad_default', field {field!r}: " in text
    assert error.remedy
    assert CANARY not in text
    assert text.isprintable()
    assert len(text) < 600
    assert error.__cause__ is None


@pytest.mark.parametrize(("changes", "field", "words"), WRONG.values(), ids=WRONG.keys())
def test_wrong_connection_is_refused_with_its_field(changes, field, words):
    given = {"host": HOST, "login": CLIENT, "password": None, "extra": IN_VAULT, **changes}
    with pytest.raises(ConnectionFieldError) as caught:
        BatchConnection.parse(conn_id="batchad_default", clouds=custom_clouds(), **given)
    assert_names_its_field(caught.value, field, words)
