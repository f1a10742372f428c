from __future__ import annotations

import dataclasses

import jsonschema
import pytest
from airflow._shared.secrets_masker import DEFAULT_SENSITIVE_FIELDS
from airflow.sdk._shared.secrets_masker import redact, should_hide_value_for_key

from airflow_provider_batchad.connection import BatchConnection
from airflow_provider_batchad.connection_form import (
    EXTRA_FIELDS,
    EXTRA_NAMES,
    STANDARD_FIELDS,
    conn_fields,
    ui_field_behaviour,
)

STORED_AS = {"account_url": "host", "client_id": "login", "client_secret": "password"}
WITH_DEFAULT = {"sign_in": "service_principal", "cloud": "public", "least_privilege": "enforce"}


def test_form_and_parsed_connection_have_the_same_fields():
    parsed = {field.name for field in dataclasses.fields(BatchConnection)} - {"conn_id", "vault_connection"}
    form = {field.name for field in (*STANDARD_FIELDS, *EXTRA_FIELDS)}
    assert {STORED_AS.get(name, name) for name in parsed} == form - {"port"}


@pytest.mark.parametrize("field", [*STANDARD_FIELDS, *EXTRA_FIELDS], ids=lambda field: field.name)
def test_every_field_has_a_label_and_a_help_text(field):
    assert field.label
    assert field.help_text.endswith(".")
    assert len(field.help_text) > 30


@pytest.mark.parametrize("name", EXTRA_NAMES)
def test_only_choices_with_a_default_are_demanded(name):
    schema = conn_fields()[name]["schema"]
    if name in WITH_DEFAULT:
        assert schema["type"] == "string"
        assert schema["default"] == WITH_DEFAULT[name]
    else:
        assert schema["type"] == ["string", "null"]
        assert "default" not in schema


@pytest.mark.parametrize("name", EXTRA_NAMES)
def test_default_is_valid_for_its_own_schema(name):
    schema = conn_fields()[name]["schema"]
    jsonschema.Draft202012Validator.check_schema(schema)
    if "default" in schema:
        jsonschema.validate(schema["default"], schema)


def test_cloud_takes_a_custom_name_and_suggests_microsofts():
    schema = conn_fields()["cloud"]["schema"]
    jsonschema.validate("my-own-cloud", schema)
    assert schema["examples"] == ["public", "us_government", "china"]
    assert "enum" not in schema


def test_closed_choices_take_nothing_else():
    schema = conn_fields()["sign_in"]["schema"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate("anyone", schema)


def test_airflows_masker_leaves_every_extra_readable():
    extra = {name: f"value of {name}" for name in EXTRA_NAMES}
    assert redact(extra) == extra
    assert not [name for name in EXTRA_NAMES if should_hide_value_for_key(name)]


def test_no_extra_has_a_name_that_some_airflow_masks():
    assert not [(name, word) for name in EXTRA_NAMES for word in DEFAULT_SENSITIVE_FIELDS if word in name]


def test_the_same_masker_hides_what_is_named_as_a_secret():
    assert redact({"vault_client_secret_name": "x" * 9}) == {"vault_client_secret_name": "***"}


def test_standard_fields_are_relabelled_and_the_unused_ones_hidden():
    behaviour = ui_field_behaviour()
    assert behaviour["hidden-fields"] == ["schema"]
    assert behaviour["relabeling"] == {
        "host": "Batch account URL",
        "login": "Client (application) ID",
        "password": "Client secret",
        "port": "Port",
    }
    assert set(behaviour["placeholders"]) == {"host", "login", "password", "port"}


def test_fields_of_one_section_stand_together():
    sections = [field.section for field in EXTRA_FIELDS]
    assert sections == sorted(sections, key=list(dict.fromkeys(sections)).index)
