from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ManagedIdentityCredential
from azure.identity.aio import ManagedIdentityCredential as AsyncManagedIdentityCredential
from azure.keyvault.secrets import SecretClient
from azure.keyvault.secrets.aio import SecretClient as AsyncSecretClient
from cryptography.hazmat.primitives.asymmetric import rsa

from airflow_provider_batchad.local.config import LocalAzureConfig
from airflow_provider_batchad.local.entra import tokens
from airflow_provider_batchad.local.faults import FaultRule
from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.state_fixtures import vault_of

RECORDED: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("recordings").joinpath("keyvault.json").read_text()
)
VAULT_RESOURCE = "https://vault.azure.net"


@pytest.fixture
def secrets(machine: LocalAzure) -> Iterator[SecretClient]:
    """The vault, as the machine's identity: it may read."""
    with vault_of(machine) as client:
        yield client


@pytest.fixture
def officer(machine: LocalAzure, secrets: SecretClient) -> SecretClient:
    """The same, allowed to write as well."""
    machine.roles.assign(
        principal_id=machine.directory.principal("airflow-worker").object_id,
        role="Key Vault Secrets Officer",
        scope=machine.config.vault_scope,
    )
    return secrets


def token_for(azure: LocalAzure, name: str, *, audience: str = VAULT_RESOURCE) -> str:
    principal = azure.directory.principal(name)
    return azure.tokens.issue(principal, audience=audience, lifetime_seconds=3600)[0]


@pytest.mark.usefixtures("bundle_environment")
def test_machine_reads_the_application_secret(secrets: SecretClient, client_secret: str) -> None:
    found = secrets.get_secret("batch-client-secret")
    assert found.value == client_secret
    assert found.properties.enabled
    assert re.fullmatch("[0-9a-f]{32}", found.properties.version or "")


@pytest.mark.usefixtures("bundle_environment")
async def test_machine_reads_the_application_secret_async(machine: LocalAzure, client_secret: str) -> None:
    ca_file = str(machine.ca_file)
    async with (
        AsyncManagedIdentityCredential(connection_verify=ca_file) as credential,
        AsyncSecretClient(
            machine.endpoints.keyvault,
            credential,
            verify_challenge_resource=False,
            connection_verify=ca_file,
        ) as client,
    ):
        assert (await client.get_secret("batch-client-secret")).value == client_secret
        listed = [one.name async for one in client.list_properties_of_secrets()]
    assert listed == ["batch-client-id", "batch-client-secret", "batch-tenant-id"]


def test_new_version_is_current_and_the_old_one_stays_readable(
    officer: SecretClient, client_secret: str
) -> None:
    old = officer.get_secret("batch-client-secret").properties.version
    new = officer.set_secret("batch-client-secret", "another", content_type="text/plain", tags={"a": "b"})
    current = officer.get_secret("batch-client-secret")
    assert (current.value, current.properties.version) == ("another", new.properties.version)
    assert (current.properties.content_type, current.properties.tags) == ("text/plain", {"a": "b"})
    assert officer.get_secret("batch-client-secret", old).value == client_secret
    versions = list(officer.list_properties_of_secret_versions("batch-client-secret"))
    assert {one.version for one in versions} == {old, new.properties.version}


def test_lists_are_paged(machine: LocalAzure, secrets: SecretClient) -> None:
    for number in range(60):
        machine.vault.set_secret(f"secret-{number:02}", "value")
    listed = [str(one.name) for one in secrets.list_properties_of_secrets()]
    assert listed == sorted({*listed})
    assert len(listed) == 63
    assert machine.ledger.counts()["keyvault"]["Get Secrets"] == 3 + 1


def test_disabled_secret_is_refused_until_it_is_enabled(officer: SecretClient) -> None:
    officer.update_secret_properties("batch-client-secret", _current(officer), enabled=False)
    with pytest.raises(HttpResponseError) as refused:
        officer.get_secret("batch-client-secret")
    assert refused.value.status_code == 403
    assert refused.value.error is not None
    assert refused.value.error.innererror["code"] == "SecretDisabled"


def _current(client: SecretClient) -> str:
    (version,) = [one.version for one in client.list_properties_of_secret_versions("batch-client-secret")]
    return str(version)


def test_expired_and_not_yet_valid_secrets_are_handed_out_all_the_same(
    officer: SecretClient,
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    officer.set_secret("old", "v", not_before=now - timedelta(days=2), expires_on=now - timedelta(days=1))
    officer.set_secret("early", "v", not_before=now + timedelta(days=1))
    old, early = officer.get_secret("old"), officer.get_secret("early")
    assert (old.value, early.value) == ("v", "v")
    assert old.properties.expires_on == now - timedelta(days=1)
    assert early.properties.not_before == now + timedelta(days=1)


def test_unknown_name_and_version_are_not_found(secrets: SecretClient) -> None:
    for name, version in (("nothing", None), ("batch-client-secret", "0" * 32)):
        with pytest.raises(ResourceNotFoundError) as refused:
            secrets.get_secret(name, version)
        assert refused.value.error is not None
        assert refused.value.error.code == "SecretNotFound"


def test_without_a_role_the_vault_names_the_action_and_the_caller(
    machine: LocalAzure, secrets: SecretClient
) -> None:
    worker = machine.directory.principal("airflow-worker")
    for assignment in machine.roles.assignments(principal_id=worker.object_id):
        machine.roles.unassign(assignment.id)
    with pytest.raises(HttpResponseError) as refused:
        secrets.get_secret("batch-client-secret")
    assert refused.value.status_code == 403
    assert refused.value.error is not None
    assert refused.value.error.innererror["code"] == "ForbiddenByRbac"
    message = str(refused.value.error.message)
    assert "Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'" in message
    assert f"Caller: appid={worker.app_id};oid={worker.object_id}" in message


def test_reader_may_not_write(secrets: SecretClient) -> None:
    with pytest.raises(HttpResponseError, match="setSecret/action"):
        secrets.set_secret("batch-client-secret", "another")


def test_role_at_one_secret_opens_that_secret_only(machine: LocalAzure, session: requests.Session) -> None:
    principal = machine.directory.principal("airflow-batch")
    machine.roles.assign(
        principal_id=principal.object_id,
        role="Key Vault Secrets User",
        scope=f"{machine.config.vault_scope}/secrets/batch-tenant-id",
    )
    headers = {"Authorization": f"Bearer {token_for(machine, 'airflow-batch')}"}
    url = f"{machine.endpoints.keyvault}/secrets"
    assert session.get(f"{url}/batch-tenant-id/?api-version=7.4", headers=headers).status_code == 200
    assert session.get(f"{url}/batch-client-secret/?api-version=7.4", headers=headers).status_code == 403


def test_client_is_challenged_once_and_then_knows_tenant_and_resource(
    machine: LocalAzure, secrets: SecretClient
) -> None:
    secrets.get_secret("batch-tenant-id")
    secrets.get_secret("batch-client-id")
    statuses = [entry.status for entry in machine.ledger.entries(service="keyvault")]
    assert statuses == [401, 200, 200]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("audience", "AKV10022: Invalid audience."),
        ("signature", "AKV10046"),
        ("expired", "[TokenExpired]"),
        ("malformed", "AKV10000"),
    ],
)
def test_bad_token_is_challenged_with_the_reason(
    machine: LocalAzure,
    session: requests.Session,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
    text: str,
) -> None:
    audience = "https://vault.azure.net/" if change == "audience" else VAULT_RESOURCE
    token = token_for(machine, "airflow-worker", audience=audience)
    if change == "signature":
        other_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        monkeypatch.setattr(tokens, "make_key", lambda: other_key)
        with LocalAzure(LocalAzureConfig(port=0)) as other:
            token = token_for(other, "airflow-worker")
    if change == "expired":
        machine.clock.advance(3601)
    if change == "malformed":
        token = "neither.a.token"
    answer = session.get(
        f"{machine.endpoints.keyvault}/secrets/batch-client-secret/?api-version=7.4",
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 401
    assert answer.json()["error"]["message"].startswith(text)
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_throttled_client_retries_after_what_it_is_told(machine: LocalAzure, client_secret: str) -> None:
    rule = machine.faults.add(
        FaultRule(
            service="keyvault",
            operation="Get Secret",
            status=429,
            headers={"Retry-After": "0"},
            skip=1,
            times=2,
        )
    )
    ca_file = str(machine.ca_file)
    with (
        ManagedIdentityCredential(connection_verify=ca_file) as credential,
        SecretClient(
            machine.endpoints.keyvault, credential, verify_challenge_resource=False, connection_verify=ca_file
        ) as client,
    ):
        assert client.get_secret("batch-client-secret").value == client_secret
    assert machine.faults.hits(rule.id) == 2
    throttled = machine.ledger.entries(service="keyvault", status=429)
    assert [(one.code, one.fault) for one in throttled] == [("Throttled", rule.id)] * 2


@pytest.mark.parametrize("query", ["", "?api-version=1.0"])
def test_api_version_must_be_given_and_known(
    machine: LocalAzure, session: requests.Session, query: str
) -> None:
    answer = session.get(
        f"{machine.endpoints.keyvault}/secrets/batch-client-secret{query}",
        headers={"Authorization": f"Bearer {token_for(machine, 'airflow-worker')}"},
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadParameter")


def _replay(entry: dict[str, Any], azure: LocalAzure, session: requests.Session) -> requests.Response:
    """The recorded request, in a vault that is in the state that the recording shows."""
    name = "nothing" if entry["status"] == 404 else "batch-client-secret"
    path = entry["path"].replace("{name}", name)
    if "{disabled version}" in path:
        disabled = azure.vault.set_secret(name, "value", enabled=False)
        path = path.replace("{disabled version}", disabled.version)
    headers = {}
    if entry["status"] != 401:
        headers["Authorization"] = f"Bearer {token_for(azure, 'airflow-worker')}"
    return session.request(entry["method"], azure.endpoints.keyvault + path, headers=headers)


@pytest.mark.parametrize("others", [0, 7], ids=["alone", "among others"])
@pytest.mark.parametrize("index", range(len(RECORDED)))
def test_answer_is_as_recorded(
    machine: LocalAzure, session: requests.Session, index: int, others: int
) -> None:
    for number in range(others):
        machine.vault.set_secret(f"other-{number}", "value")
        machine.vault.set_secret("batch-client-secret", f"value-{number}")
    entry = RECORDED[index]
    answer = _replay(entry, machine, session)
    body = answer.json()
    assert answer.status_code == entry["status"]
    recorded_headers = entry.get("headers", {})
    assert {name.lower() for name in recorded_headers} <= {name.lower() for name in answer.headers}
    # Since API version 7.1 the attributes also say for how many days a deleted secret can be recovered.
    keys = {key for key in _keys(body) if not key.endswith("attributes.recoverableDays")}
    assert keys == _keys(entry["body"])
    if answer.status_code >= 400:
        expected = json.dumps(entry["body"]).replace("{name}", "nothing")
        assert body == json.loads(expected)
    if answer.status_code == 401:
        pattern = re.escape(recorded_headers["WWW-Authenticate"])
        pattern = re.sub(
            r"https://login\\\.windows\\\.net/[0-9\\-]+", "https://localhost:[0-9]+/[0-9a-f-]{36}", pattern
        )
        assert re.fullmatch(pattern, answer.headers["WWW-Authenticate"])
        assert answer.headers["Content-Length"] == recorded_headers["Content-Length"]


def _keys(body: dict[str, Any], prefix: str = "") -> set[str]:
    found: set[str] = set()
    for name, value in body.items():
        found.add(prefix + name)
        nested = value[0] if isinstance(value, list) and value else value
        if isinstance(nested, dict):
            found |= _keys(nested, f"{prefix}{name}.")
    return found
