from __future__ import annotations

import json

import pytest

from airflow_provider_batchad.clouds import (
    CHINA,
    MICROSOFT_CLOUDS,
    PUBLIC,
    US_GOVERNMENT,
    find_cloud,
    is_loopback,
    parse_custom_clouds,
)
from airflow_provider_batchad.errors import CloudConfigurationError

STACK = {
    "authority": "https://login.stack.example",
    "batch_resource": "https://batch.core.stack.example/",
    "batch_suffix": "batch.stack.example",
    "vault_resource": "https://vault.stack.example",
    "vault_suffix": "vault.stack.example",
    "management": "https://management.stack.example",
    "management_resource": "https://management.core.stack.example/",
    "ca_file": "/etc/stack/ca.pem",
}


def _parse(**changes: object):
    keys = {key: value for key, value in {**STACK, **changes}.items() if value != "left out"}
    return parse_custom_clouds(json.dumps({"stack": keys}))["stack"]


@pytest.mark.parametrize(
    ("cloud", "scope"),
    [
        (PUBLIC, "https://batch.core.windows.net//.default"),
        (US_GOVERNMENT, "https://batch.core.usgovcloudapi.net//.default"),
        (CHINA, "https://batch.chinacloudapi.cn//.default"),
    ],
)
def test_batch_scope_keeps_the_resources_own_slash(cloud, scope):
    assert cloud.batch_scope == scope


def test_other_scopes_of_the_public_cloud():
    assert PUBLIC.vault_scope == "https://vault.azure.net/.default"
    assert PUBLIC.management_scope == "https://management.core.windows.net//.default"


@pytest.mark.parametrize("cloud", MICROSOFT_CLOUDS.values(), ids=list(MICROSOFT_CLOUDS))
def test_microsofts_vaults_lie_below_their_resource(cloud):
    assert cloud.vault_resource == f"https://{cloud.vault_suffix}"
    assert cloud.verify_challenge_resource
    assert not cloud.custom


@pytest.mark.parametrize("text", [None, "", "  \n", "{}"])
def test_no_custom_cloud_where_none_is_written(text):
    assert parse_custom_clouds(text) == {}


def test_custom_cloud_has_all_its_keys():
    cloud = _parse()
    assert {key: getattr(cloud, key) for key in STACK} == STACK
    assert cloud.custom
    assert cloud.portal is None
    assert cloud.verify_challenge_resource


def test_custom_cloud_can_have_ports_and_no_ca_file():
    cloud = _parse(
        authority="https://LOGIN.stack.example:8443/", batch_suffix=".batch.stack.example:444", ca_file=None
    )
    assert cloud.authority == "https://login.stack.example:8443"
    assert cloud.batch_suffix == "batch.stack.example:444"
    assert cloud.ca_file is None


@pytest.mark.parametrize(
    ("suffix", "resource", "verify"),
    [
        ("vault.stack.example", "https://vault.stack.example", True),
        ("vault.stack.example:8443", "https://vault.stack.example:8443", True),
        ("vaults.elsewhere.example", "https://vault.stack.example", False),
        ("notvault.stack.example", "https://vault.stack.example", False),
        ("localhost:10445", "https://vault.azure.net", False),
        ("localhost:10445", "https://localhost:10445", False),
    ],
)
def test_challenge_is_verified_unless_the_vaults_lie_elsewhere(suffix, resource, verify):
    assert _parse(vault_suffix=suffix, vault_resource=resource).verify_challenge_resource is verify


@pytest.mark.parametrize("suffix", ["localhost", "localhost:10446", "127.0.0.1:1", "[::1]:10446"])
def test_this_machine_is_loopback(suffix):
    assert is_loopback(suffix)
    assert _parse(batch_suffix=suffix).batch_suffix == suffix


@pytest.mark.parametrize(
    "suffix", ["batch.azure.com", "localhost.example", "x.localhost:1", "localhost:x", "10.0.0.1:1", "[::1]x"]
)
def test_everything_else_is_not_loopback(suffix):
    assert not is_loopback(suffix)


@pytest.mark.parametrize("name", ["public", "us_government", "china"])
def test_microsofts_clouds_cannot_be_defined_again(name):
    with pytest.raises(CloudConfigurationError, match="cannot be defined again") as caught:
        parse_custom_clouds(json.dumps({name: STACK}))
    assert caught.value.cloud == name


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        *[({key: "left out"}, key) for key in STACK if key != "ca_file"],
        ({"authority": "http://login.stack.example"}, "authority"),
        ({"authority": "login.stack.example"}, "authority"),
        ({"authority": "https://login.stack.example/tenant"}, "authority"),
        ({"authority": "https://user@login.stack.example"}, "authority"),
        ({"authority": "https://login.stack.example?x=1"}, "authority"),
        ({"authority": "https://[::1"}, "authority"),
        ({"authority": 7}, "authority"),
        ({"management": "https://management.stack.example:99999"}, "management"),
        ({"batch_resource": "batch"}, "batch_resource"),
        ({"batch_resource": None}, "batch_resource"),
        ({"vault_resource": "http://vault.stack.example"}, "vault_resource"),
        ({"batch_suffix": "https://batch.stack.example"}, "batch_suffix"),
        ({"batch_suffix": ""}, "batch_suffix"),
        ({"batch_suffix": "batch.stack.example/path"}, "batch_suffix"),
        ({"vault_suffix": "vault stack"}, "vault_suffix"),
        ({"vault_suffix": ["vault.stack.example"]}, "vault_suffix"),
        ({"ca_file": ""}, "ca_file"),
        ({"ca_file": True}, "ca_file"),
        ({"ca_fil": "/etc/ca.pem"}, "ca_fil"),
        ({"verify": False}, "verify"),
    ],
)
def test_wrong_key_is_named_with_its_cloud(changes, key):
    with pytest.raises(CloudConfigurationError) as caught:
        _parse(**changes)
    assert (caught.value.cloud, caught.value.key) == ("stack", key)
    assert repr(key) in str(caught.value)
    assert "'stack'" in str(caught.value)


def test_misspelt_key_gets_the_closest_one():
    with pytest.raises(CloudConfigurationError, match="Did you mean 'ca_file'"):
        _parse(ca_fil="/etc/ca.pem")


@pytest.mark.parametrize(
    "text", ["{", "[]", '"local"', '{"local": []}', '{"local": "https://x"}', '{"A b": {}}']
)
def test_what_is_no_object_of_clouds_is_refused(text):
    with pytest.raises(CloudConfigurationError, match=r"\[batchad\] clouds"):
        parse_custom_clouds(text)


def test_cloud_is_found_by_name():
    custom = {"stack": _parse()}
    assert find_cloud("public", custom) is PUBLIC
    assert find_cloud("stack", custom) is custom["stack"]


def test_unknown_cloud_lists_the_known_ones_and_not_what_was_asked_for():
    with pytest.raises(CloudConfigurationError) as caught:
        find_cloud("pubic", {"stack": _parse()})
    assert "public, us_government, china, stack" in str(caught.value)
    assert "pubic" not in str(caught.value)
