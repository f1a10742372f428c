"""The connection type in Airflow's own API: the form, saving, masking."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import requests

from airflow_provider_batchad.connection_form import EXTRA_FIELDS, STANDARD_FIELDS
from airflow_provider_batchad.local.client_settings import describe_connection

if TYPE_CHECKING:
    from tests.airflow.conftest import Deployment

WITH_DEFAULT = {"sign_in", "cloud", "least_privilege"}


def _form(deployment: Deployment) -> dict:
    answer = deployment.airflow.api.request("GET", "/ui/connections/hook_meta").json()
    return next(hook for hook in answer if hook["connection_type"] == "azure_batch_ad")


def test_the_web_form_has_every_field_with_label_and_help(deployment: Deployment) -> None:
    form = _form(deployment)
    assert form["hook_name"] == "Azure Batch (Microsoft Entra ID)"
    for field in STANDARD_FIELDS:
        slot = form["standard_fields"]["url_schema" if field.name == "schema" else field.name]
        assert slot["title"] == field.label
        assert slot["placeholder"] == field.placeholder
    assert [*form["extra_fields"]] == [field.name for field in EXTRA_FIELDS]
    for field in EXTRA_FIELDS:
        shown = form["extra_fields"][field.name]
        assert shown["schema"]["title"] == field.label
        assert shown["description"] == field.help_text
        nullable = "null" in shown["schema"]["type"]
        assert nullable == (field.name not in WITH_DEFAULT)
        assert shown["value"] == field.default


def test_the_schema_is_hidden_and_the_port_is_not(deployment: Deployment) -> None:
    fields = _form(deployment)["standard_fields"]
    assert not fields["port"]["hidden"]
    assert fields["url_schema"]["hidden"]


@pytest.mark.parametrize(
    "port",
    [
        443,
        pytest.param(None, marks=pytest.mark.skipif(version("apache-airflow") < "3.3", reason="Airflow 3.3")),
    ],
)
def test_the_web_pages_test_of_a_saved_connection_needs_a_port(
    deployment: Deployment, port: int | None
) -> None:
    """Airflow 3.3's page sends 0 for none, and compares that with what is stored."""
    own = urlsplit(deployment.azure.endpoints.batch).port
    described = describe_connection(deployment.azure)
    body = {**described, "connection_id": "ported", "extra": json.dumps(described["extra"])}
    deployment.airflow.api.post("connections", {**body, "port": own if port else None})
    sent = {**body, "port": own if port else 0, "password": "", "schema": "", "description": ""}
    try:
        if port:
            assert deployment.airflow.api.post("connections/test", sent)["status"]
        else:
            with pytest.raises(requests.HTTPError, match="400"):
                deployment.airflow.api.post("connections/test", sent)
    finally:
        deployment.airflow.api.delete("connections/ported")


def test_a_saved_connection_read_back_masks_the_secret_and_nothing_else(deployment: Deployment) -> None:
    extra = {field.name: f"value of {field.name}" for field in EXTRA_FIELDS}
    body = {
        "connection_id": "masking",
        "conn_type": "azure_batch_ad",
        "host": "https://acct.westeurope.batch.azure.com",
        "login": "11111111-2222-3333-4444-555555555555",
        "password": "canary-of-the-form",
        "extra": json.dumps(extra),
    }
    deployment.airflow.api.post("connections", body)
    saved = deployment.airflow.api.get("connections/masking")
    assert saved["password"] == "***"
    assert json.loads(saved["extra"]) == extra
    assert (saved["host"], saved["login"]) == (body["host"], body["login"])


@pytest.mark.parametrize("extra", [None, "", "{}", json.dumps({f.name: None for f in EXTRA_FIELDS})])
def test_null_and_empty_extras_are_as_if_absent(deployment: Deployment, extra: str | None) -> None:
    body = {
        "connection_id": "anything",
        "conn_type": "azure_batch_ad",
        "host": "https://acct.westeurope.batch.azure.com",
        "login": "11111111-2222-3333-4444-555555555555",
        "extra": extra,
    }
    answer = deployment.airflow.api.post("connections/test", body)
    assert not answer["status"]
    assert "field 'extra.tenant_id'" in answer["message"]
    assert "missing" in answer["message"] or "is required" in answer["message"]
