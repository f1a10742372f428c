from __future__ import annotations

import copy
import json
import pickle

import pytest

from airflow_provider_batchad.clouds import CHINA, PUBLIC, US_GOVERNMENT, AzureCloud, parse_custom_clouds
from airflow_provider_batchad.connection import BatchConnection, LeastPrivilege, SignIn, VaultSignIn

TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
HOST = "https://acct.westeurope.batch.azure.com"
VAULT = "https://my-vault.vault.azure.net"
RESOURCE_ID = f"/subscriptions/{TENANT}/resourceGroups/my-group/providers/Microsoft.Batch/batchAccounts/acct"
IN_VAULT = {"tenant_id": TENANT, "vault_url": VAULT, "vault_credential_name": "batch-secret"}


def custom_clouds(**changes: str) -> dict[str, AzureCloud]:
    keys = {
        "authority": "https://localhost:10443",
        "batch_resource": "https://batch.core.windows.net/",
        "batch_suffix": "localhost:10446",
        "vault_resource": "https://vault.azure.net",
        "vault_suffix": "localhost:10445",
        "management": "https://localhost:10448",
        "management_resource": "https://management.core.windows.net/",
        **changes,
    }
    return parse_custom_clouds(json.dumps({"local": keys}))


def parse(
    extra: object = None, *, host=HOST, login=CLIENT, password=None, clouds=None, conn_id="batchad_default"
) -> BatchConnection:
    return BatchConnection.parse(
        conn_id=conn_id,
        host=host,
        login=login,
        password=password,
        extra=IN_VAULT if extra is None else extra,
        clouds=clouds if clouds is not None else custom_clouds(),
    )


def test_recommended_connection_is_read_with_its_defaults():
    connection = parse()
    assert connection == BatchConnection(
        conn_id="batchad_default",
        account_url=HOST,
        tenant_id=TENANT,
        client_id=CLIENT,
        sign_in=SignIn.SERVICE_PRINCIPAL,
        vault_url=VAULT,
        vault_credential_name="batch-secret",
        vault_sign_in=VaultSignIn.DEFAULT,
        cloud=PUBLIC,
        least_privilege=LeastPrivilege.ENFORCE,
    )
    assert connection.account_name == "acct"


def test_everything_from_the_vault_leaves_only_the_account_in_the_form():
    connection = parse(
        {
            "vault_url": VAULT,
            "vault_credential_name": f"batch-secret/{'0123456789abcdef' * 2}",
            "vault_tenant_id_name": "batch-tenant",
            "vault_client_id_name": "batch-client",
            "vault_sign_in": "managed_identity",
            "managed_identity_client_id": CLIENT.upper(),
        },
        login=None,
    )
    assert connection.tenant_id is None
    assert connection.client_id is None
    assert connection.managed_identity_client_id == CLIENT
    assert connection.vault_credential_name == f"batch-secret/{'0123456789abcdef' * 2}"


@pytest.mark.parametrize(
    "extra",
    [
        {**IN_VAULT, "cloud": None, "vault_sign_in": None, "account_resource_id": None},
        {**IN_VAULT, "cloud": "", "vault_conn_id": "  ", "sign_in": "\t", "least_privilege": None},
        json.dumps({**IN_VAULT, "vault_certificate_name": None}),
        {**IN_VAULT, "sign_in": "service_principal", "cloud": "public", "least_privilege": "enforce"},
    ],
)
def test_null_and_blank_extras_are_as_if_absent(extra):
    assert parse(extra) == parse()


@pytest.mark.parametrize("extra", [None, "", "  ", "null", "{}", {}])
def test_managed_identity_needs_no_more_than_its_choice(extra):
    connection = BatchConnection.parse(
        conn_id="c",
        host=HOST,
        login="",
        password=" ",
        extra={"sign_in": "managed_identity", **(extra if isinstance(extra, dict) else {})},
        clouds={},
    )
    assert connection.sign_in is SignIn.MANAGED_IDENTITY


@pytest.mark.parametrize("host", [HOST, f"{HOST}/", "https://ACCT.WestEurope.Batch.Azure.com", f" {HOST} "])
def test_account_url_is_lower_case_without_a_trailing_slash(host):
    assert parse(host=host).account_url == HOST


@pytest.mark.parametrize(
    ("cloud", "host", "vault"),
    [
        (
            US_GOVERNMENT,
            "https://acct.usgovvirginia.batch.usgovcloudapi.net",
            "https://v1x.vault.usgovcloudapi.net",
        ),
        (CHINA, "https://acct.chinanorth3.batch.chinacloudapi.cn", "https://v1x.vault.azure.cn"),
    ],
)
def test_other_clouds_have_their_own_hosts(cloud, host, vault):
    connection = parse({**IN_VAULT, "cloud": cloud.name, "vault_url": vault}, host=host)
    assert connection.cloud is cloud
    assert (connection.account_url, connection.vault_url) == (host, vault)


def test_cloud_on_this_machine_takes_the_hosts_themselves():
    connection = parse(
        {**IN_VAULT, "cloud": "local", "vault_url": "https://localhost:10445/"},
        host="https://localhost:10446",
    )
    assert connection.account_url == "https://localhost:10446"
    assert connection.vault_url == "https://localhost:10445"
    assert connection.account_name is None


def test_custom_cloud_elsewhere_keeps_labels_and_port():
    clouds = custom_clouds(batch_suffix="batch.stack.example:444", vault_suffix="vault.stack.example:444")
    connection = parse(
        {**IN_VAULT, "cloud": "local", "vault_url": "https://v1x.vault.stack.example:444"},
        host="https://acct.site1.batch.stack.example:444",
        clouds=clouds,
    )
    assert connection.account_url == "https://acct.site1.batch.stack.example:444"
    assert connection.account_name == "acct"


@pytest.mark.parametrize("tenant", [TENANT.upper(), "contoso.onmicrosoft.com", "Contoso.COM"])
def test_tenant_is_an_id_or_a_verified_domain(tenant):
    assert parse({**IN_VAULT, "tenant_id": tenant}).tenant_id == tenant.lower()


@pytest.mark.parametrize("tenant", ["organizations", "common", TENANT, None])
def test_a_person_may_use_any_tenants_endpoint(tenant):
    extra = {"sign_in": "integrated", "tenant_id": tenant}
    assert parse(extra, login=None).tenant_id == tenant


def test_workload_identity_takes_tenant_and_client_from_its_pod_or_the_form():
    assert parse({"sign_in": "workload_identity"}, login=None).client_id is None
    assert parse({"sign_in": "workload_identity", "tenant_id": TENANT}).tenant_id == TENANT


def test_resource_id_is_compared_without_case():
    extra = {
        **IN_VAULT,
        "account_resource_id": RESOURCE_ID.replace("acct", "Acct").replace("Microsoft", "microsoft"),
    }
    assert parse(extra).account_resource_id == extra["account_resource_id"]


def test_secret_is_in_no_representation_and_no_pickle():
    connection = parse({"tenant_id": TENANT}, password="canary-secret")
    assert connection.client_secret == "canary-secret"
    assert "canary-secret" not in f"{connection!r} {connection}"
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled"):
            attempt(connection)


def test_line_end_pasted_with_the_secret_is_no_part_of_it():
    assert parse({"tenant_id": TENANT}, password="secret\n").client_secret == "secret"
