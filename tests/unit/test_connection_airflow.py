from __future__ import annotations

import json
import os

import pytest
from airflow.sdk import Connection

from airflow_provider_batchad.connection import BatchConnection
from airflow_provider_batchad.connection_form import CONNECTION_TYPE
from tests.unit.test_connection import CLIENT, HOST, IN_VAULT, TENANT, custom_clouds, parse

LOCAL = {**IN_VAULT, "cloud": "local", "vault_url": "https://localhost:10445"}
CASES = {
    "recommended": (HOST, None, IN_VAULT),
    "untouched fields": (HOST, None, {**IN_VAULT, "vault_conn_id": None, "vault_sign_in": None}),
    "secret with signs": (HOST, "a~b/c:d@e?f#g%h&i=j.k_l-m", {"tenant_id": TENANT}),
    "pinned version": (HOST, None, {**IN_VAULT, "vault_credential_name": f"batch-secret/{'0' * 32}"}),
    "this machine": ("https://localhost:10446", None, LOCAL),
}
every_case = pytest.mark.parametrize(("host", "password", "extra"), CASES.values(), ids=CASES.keys())


def stored(host, password, extra) -> Connection:
    return Connection(
        conn_id="batchad_default",
        conn_type=CONNECTION_TYPE,
        host=host,
        login=CLIENT,
        password=password,
        extra=json.dumps(extra),
    )


def read(connection: Connection) -> BatchConnection:
    assert connection.conn_type == CONNECTION_TYPE
    return BatchConnection.parse(
        conn_id="batchad_default",
        host=connection.host,
        login=connection.login,
        password=connection.password,
        extra=connection.extra_dejson,
        clouds=custom_clouds(),
        port=connection.port,
        schema=connection.schema,
    )


@every_case
def test_uri_round_trips(host, password, extra):
    there = Connection.from_uri(stored(host, password, extra).get_uri(), "batchad_default")
    assert read(there) == parse(extra, host=host, password=password)


@every_case
def test_json_round_trips(host, password, extra):
    there = Connection.from_json(stored(host, password, extra).as_json(), "batchad_default")
    assert read(there) == parse(extra, host=host, password=password)


@every_case
@pytest.mark.parametrize("form", ["uri", "json"])
def test_environment_variable_round_trips(host, password, extra, form, monkeypatch):
    connection = stored(host, password, extra)
    value = connection.get_uri() if form == "uri" else connection.as_json()
    monkeypatch.setitem(os.environ, "AIRFLOW_CONN_BATCHAD_DEFAULT", value)
    from airflow.secrets.environment_variables import EnvironmentVariablesBackend

    found = EnvironmentVariablesBackend().get_connection("batchad_default")
    assert read(found) == parse(extra, host=host, password=password)
