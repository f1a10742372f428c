"""Airflow's own type ``azure``, where a vault is reached as such a connection."""

from __future__ import annotations

import pickle

import pytest
from azure.identity import WorkloadIdentityCredential

from airflow_provider_batchad.azure_connection import AzureConnection
from airflow_provider_batchad.clouds import PUBLIC, US_GOVERNMENT
from airflow_provider_batchad.errors import ConnectionFieldError
from airflow_provider_batchad.identity.unreachable import AnswerWatch
from airflow_provider_batchad.identity.vault_credential import make_default_credential

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
CLIENT = "11111111-2222-3333-4444-555555555555"


def parse(**changes):
    given = {"login": CLIENT, "password": "S3cret~value", "extra": {"tenantId": TENANT}, "cloud": PUBLIC}
    return AzureConnection.parse(conn_id="azure_default", **{**given, **changes})


def test_login_password_and_tenant_are_an_application():
    found = parse()
    assert (found.tenant_id, found.client_id, found.client_secret) == (TENANT, CLIENT, "S3cret~value")
    assert "S3cret" not in repr(found)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(found)


def test_extra_is_read_as_text_and_with_the_old_prefix():
    assert parse(extra=f'{{"extra__azure__tenantId": "{TENANT}"}}').tenant_id == TENANT


@pytest.mark.parametrize("changes", [{"login": None}, {"password": ""}, {"extra": None}, {"extra": "  "}])
def test_where_one_of_the_three_is_missing_the_default_chain_is_meant(changes):
    found = parse(**changes)
    assert (found.tenant_id, found.client_id, found.client_secret) == (None, None, None)


def test_managed_identity_of_the_default_chain():
    assert (
        parse(login=None, extra={"managed_identity_client_id": CLIENT}).managed_identity_client_id == CLIENT
    )


def test_tenant_of_a_workload_identity_is_the_default_chains(monkeypatch):
    extra = {"managed_identity_client_id": CLIENT, "workload_identity_tenant_id": TENANT}
    found = parse(login=None, extra=extra)
    assert found.workload_identity_tenant_id == TENANT
    monkeypatch.setenv("AZURE_CLIENT_ID", CLIENT)
    monkeypatch.setenv("AZURE_TENANT_ID", "99999999-2222-3333-4444-555555555555")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", "/absent")
    with make_default_credential(
        found.cloud,
        managed_identity_client_id=found.managed_identity_client_id,
        workload_identity_tenant_id=found.workload_identity_tenant_id,
        retries=0,
        watch=AnswerWatch(),
    ) as chain:
        (own,) = [one for one in chain.credentials if isinstance(one, WorkloadIdentityCredential)]
        assert own._client._tenant_id == TENANT


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"extra": {"tenantId": TENANT, "key_path": "/etc/key.json"}}, "extra.key_path"),
        ({"extra": {"tenantId": TENANT, "key_json": {"clientSecret": "x"}}}, "extra.key_json"),
        ({"extra": {"tenantId": TENANT, "cloud_environment": "AzureChinaCloud"}}, "extra.cloud_environment"),
        ({"extra": {"tenantId": "common"}}, "extra.tenantId"),
        ({"extra": {"tenantId": f"{TENANT}/../{TENANT}"}}, "extra.tenantId"),
        ({"login": "my-app"}, "login"),
        ({"extra": {"managed_identity_client_id": "my-app"}}, "extra.managed_identity_client_id"),
        ({"extra": {"workload_identity_tenant_id": "common"}}, "extra.workload_identity_tenant_id"),
        ({"extra": "[1]"}, "extra"),
        ({"extra": "{"}, "extra"),
    ],
)
def test_what_is_wrong_is_said_with_its_field_and_not_its_value(changes, field):
    with pytest.raises(ConnectionFieldError) as caught:
        parse(**changes)
    assert caught.value.field == field
    for secret in ("/etc/key.json", "my-app", "S3cret"):
        assert secret not in str(caught.value)


def test_cloud_that_is_named_must_be_the_vaults():
    assert parse(
        extra={"tenantId": TENANT, "cloud_environment": "AzureUSGovernment"}, cloud=US_GOVERNMENT
    ).tenant_id
