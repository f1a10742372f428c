"""The connection made, changed and tested in Airflow's own web page, as a platform engineer does it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from airflow_provider_batchad.connection_form import CONNECTION_TYPE_NAME, EXTRA_FIELDS, STANDARD_FIELDS
from airflow_provider_batchad.local.client_settings import describe_connection
from tests.airflow.conftest import Deployment
from tests.web.connections_page import ConnectionsPage, Form, chromium

pytestmark = [pytest.mark.web, pytest.mark.timeout(600)]

SECTIONS = list(dict.fromkeys(field.section for field in EXTRA_FIELDS))
CONN_ID = "batch_by_hand"


@pytest.fixture(scope="module")
def signed_in(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConnectionsPage]:
    chosen = os.environ.get("SCREENSHOTS")
    pictures = Path(chosen) if chosen else tmp_path_factory.mktemp("screenshots")
    with chromium() as driver:
        page = ConnectionsPage(driver, deployment.airflow.settings, pictures)
        page.sign_in()
        yield page


@pytest.fixture
def page(signed_in: ConnectionsPage) -> ConnectionsPage:
    signed_in.open()
    return signed_in


@pytest.fixture
def made(deployment: Deployment) -> Iterator[dict[str, Any]]:
    """What the recommended connection has, and what is stored as a connection of that name afterwards."""
    yield describe_connection(deployment.azure)
    with contextlib.suppress(requests.HTTPError):
        deployment.airflow.api.delete(f"connections/{CONN_ID}")


def stored(deployment: Deployment) -> tuple[dict[str, Any], dict[str, str]]:
    """The connection, and those of its extras that hold something."""
    saved = deployment.airflow.api.get(f"connections/{CONN_ID}")
    extra = json.loads(saved["extra"])
    return saved, {name: value for name, value in extra.items() if value}


def fill_in(form: Form, wanted: dict[str, Any], page: ConnectionsPage | None = None) -> None:
    form.fill("connection_id", CONN_ID)
    form.open_section("Standard Fields")
    form.fill("host", wanted["host"])
    form.fill("port", str(urlsplit(wanted["host"]).port))
    form.fill("login", wanted["login"])
    for section in SECTIONS:
        assert section is not None
        form.open_section(section)
        for field in EXTRA_FIELDS:
            value = wanted["extra"].get(field.name)
            if field.section == section and value and form.value(field.name) != value:
                form.fill(field.name, value)
        if page is not None:
            page.picture(f"connection-{section.lower().replace(' ', '-')}")


def test_every_field_has_its_label_help_placeholder_and_kind(page: ConnectionsPage) -> None:
    form = page.add(CONNECTION_TYPE_NAME)
    page.picture("connection-new")
    for field in STANDARD_FIELDS:
        shown = form.field(field.name)
        assert (shown.label, shown.placeholder) == (field.label, field.placeholder or "")
        assert shown.kind == {"password": "password", "port": "number"}.get(field.name, "text")
        assert shown.shows_all_of_its_placeholder(), field.name
    for field in EXTRA_FIELDS:
        shown = form.field(field.name)
        assert (shown.label, shown.help_text) == (field.label, field.help_text)
        kind = "choice" if field.choices else "suggestions" if field.examples else "text"
        assert (shown.kind, shown.is_required) == (kind, field.default is not None)
        assert shown.suggestions == list(field.examples)
        assert form.value(field.name) == (field.default or "")


def test_a_schema_is_not_asked_for(page: ConnectionsPage) -> None:
    assert page.add(CONNECTION_TYPE_NAME).shown("schema") == []


def test_related_fields_are_together(page: ConnectionsPage) -> None:
    form = page.add(CONNECTION_TYPE_NAME)
    assert form.sections() == ["Standard Fields", *SECTIONS, "Extra Fields JSON"]
    assert form.fields_of("Standard Fields") == ["Description", *(field.label for field in STANDARD_FIELDS)]
    for section in SECTIONS:
        expected = [field.label for field in EXTRA_FIELDS if field.section == section]
        assert form.fields_of(str(section)) == expected


def test_choices_are_those_that_there_are(page: ConnectionsPage) -> None:
    form = page.add(CONNECTION_TYPE_NAME)
    for field in EXTRA_FIELDS:
        if field.choices:
            form.open_section(str(field.section))
            assert form.options(field.name) == list(field.choices)


def test_made_edited_and_tested_green_then_red(
    page: ConnectionsPage, deployment: Deployment, made: dict[str, Any]
) -> None:
    form = page.add(CONNECTION_TYPE_NAME)
    fill_in(form, made, page)
    form.save()
    saved, extra = stored(deployment)
    assert (saved["host"], saved["login"], saved["password"]) == (made["host"], made["login"], None)
    assert (saved["port"], saved["schema"]) == (urlsplit(made["host"]).port, None)
    assert extra == {**made["extra"], "least_privilege": "enforce"}

    form = page.edit(CONN_ID)
    assert {name: form.value(name) for name in extra} == extra
    form.open_section("Cloud and rights")
    form.fill("least_privilege", "warn")
    form.save()
    assert stored(deployment)[1] == {**extra, "least_privilege": "warn"}

    answer = page.test(CONN_ID)
    page.picture("connection-tested-green", height=900)
    assert answer.startswith("Test Connection Successful")
    assert made["login"] in answer
    assert "may read and write jobs" in answer

    page.open()
    form = page.edit(CONN_ID)
    form.open_section("Key Vault")
    form.fill("vault_credential_name", "no-such-secret")
    form.save()
    answer = page.test(CONN_ID)
    page.picture("connection-tested-red", height=900)
    assert answer.startswith("Test Connection Failed")
    for words in ("Key Vault", "SecretNotFound", "vault_credential_name"):
        assert words in answer
    assert len(answer) < 1000


def test_a_wrong_combination_says_so(
    page: ConnectionsPage, deployment: Deployment, made: dict[str, Any]
) -> None:
    form = page.add(CONNECTION_TYPE_NAME)
    made["extra"]["sign_in"] = "managed_identity"
    fill_in(form, made)
    form.save()
    before = deployment.azure.ledger.last_sequence
    answer = page.test(CONN_ID)
    page.picture("connection-wrong-combination", height=900)
    assert answer.startswith("Test Connection Failed")
    assert "field 'login'" in answer
    assert "managed_identity_client_id" in answer
    assert deployment.azure.ledger.last_sequence == before
