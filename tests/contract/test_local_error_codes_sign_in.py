"""The errors of Entra ID, managed identity, Key Vault and Resource Manager, through Microsoft's clients."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msal
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity import ClientSecretCredential, CredentialUnavailableError, ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient

from airflow_provider_batchad.local.config import AZURE_CLI, LocalAzureConfig, TenantConfig, UserConfig
from airflow_provider_batchad.local.entra import assertion_errors, grant_errors
from airflow_provider_batchad.local.entra import errors as entra_errors
from airflow_provider_batchad.local.entra.errors import SignInErrorKind
from airflow_provider_batchad.local.faults import FaultRule
from airflow_provider_batchad.local.management import errors as management_errors
from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.management_fixtures import Manager, managing
from tests.contract.state_fixtures import vault_of

BATCH_SCOPE: Final = "https://batch.core.windows.net//.default"
FOREIGN: Final = TenantConfig(
    id="0f7a3c52-9f4e-4a55-8a3e-2b8f6d1c9e70", domain="fabrikam.com", display_name="Fabrikam"
)
STRANGER: Final = UserConfig(name="stranger@fabrikam.com", tenant_id=FOREIGN.id)
MANAGEMENT_MODULES: Final = Path(management_errors.__file__).parent
UNKNOWN: Final = "99999999-0000-4000-8000-000000000000"
KINDS: Final = {
    name: kind
    for module in (assertion_errors, entra_errors, grant_errors)
    for name, kind in vars(module).items()
    if isinstance(kind, SignInErrorKind)
}


class Recording(requests.Session):
    """MSAL's HTTP client, which keeps the last answer."""

    last: requests.Response

    def __init__(self, ca_file: Path) -> None:
        super().__init__()
        self.trust_env = False
        self.verify = os.fspath(ca_file)

    def request(self, *arguments: Any, **options: Any) -> requests.Response:
        self.last = super().request(*arguments, **options)
        return self.last


class Asker:
    """MSAL, as the application of the connection."""

    def __init__(self, azure: LocalAzure) -> None:
        self.azure = azure
        self.http = Recording(azure.ca_file)
        self.application = azure.directory.applications()[0]
        self.client_id = self.application.principal.app_id

    def client(self, credential: object = None, **options: Any) -> Any:
        settings = {
            "client_id": self.client_id,
            "authority": f"{self.azure.endpoints.entra}/{options.pop('tenant', self.azure.config.tenant.id)}",
            "instance_discovery": False,
            "http_client": self.http,
        }
        secret = self.application.secrets[0].value if credential is None else credential
        return msal.ConfidentialClientApplication(**settings | options, client_credential=secret)

    def token(self, credential: object = None, *, scope: str = BATCH_SCOPE, **options: Any) -> Any:
        return self.client(credential, **options).acquire_token_for_client([scope])

    def expired(self) -> Any:
        self.azure.directory.expire_secret(self.client_id)
        return self.token()

    def late(self) -> Any:
        issuer = self.azure.workload_issuer
        self.azure.directory.add_federated_credential(self.client_id, issuer=issuer.url, subject="worker")
        assertion = issuer.issue("worker", lifetime_seconds=60)
        self.azure.clock.advance(3600)
        return self.token({"client_assertion": lambda: assertion})

    def federated(self, subject: str) -> Any:
        issuer = self.azure.workload_issuer
        self.azure.directory.add_federated_credential(self.client_id, issuer=issuer.url, subject="worker")
        return self.token({"client_assertion": lambda: issuer.issue(subject)})

    def unknown_tenant(self) -> Any:
        with pytest.raises(ValueError, match="Unable to get authority configuration"):
            self.token(tenant=UNKNOWN)
        return self.http.last.json()

    def public(self, tenant: str | None = None) -> Any:
        return msal.PublicClientApplication(
            AZURE_CLI.client_id,
            authority=f"{self.azure.endpoints.entra}/{tenant or self.azure.config.tenant.id}",
            instance_discovery=False,
            http_client=self.http,
        )

    def device(self, device_code: str) -> Any:
        public = self.public()
        flow = public.initiate_device_flow(["https://vault.azure.net/.default"])
        return public.acquire_token_by_device_flow(flow | {"device_code": device_code, "expires_at": 0})

    def stranger(self) -> Any:
        flow = self.public("organizations").initiate_device_flow(["https://vault.azure.net/.default"])
        self.azure.sign_ins.approve_device(flow["user_code"], STRANGER.name)
        return self.public().acquire_token_by_device_flow(flow | {"expires_at": 0})


PROVOKED: Final[dict[str, Callable[[Asker], Any]]] = {
    "WRONG_SECRET": lambda ask: ask.token("wrong"),
    "EXPIRED_SECRET": lambda ask: ask.expired(),
    "APPLICATION_NOT_FOUND": lambda ask: ask.token(client_id=UNKNOWN),
    "TENANT_NOT_FOUND": lambda ask: ask.unknown_tenant(),
    "RESOURCE_NOT_FOUND": lambda ask: ask.token(scope="https://elsewhere.example/.default"),
    "SCOPE_NOT_DEFAULT": lambda ask: ask.token(scope="https://batch.core.windows.net/user_impersonation"),
    "ASSERTION_EXPIRED": lambda ask: ask.late(),
    "NO_FEDERATED_IDENTITY": lambda ask: ask.federated("somebody"),
    "FEDERATED_SUBJECT_CASE": lambda ask: ask.federated("Worker"),
    "DEVICE_CODE_UNKNOWN": lambda ask: ask.device("nothing"),
    "USER_NOT_FOUND": lambda ask: ask.stranger(),
}
# The others need a browser, a certificate, an outside issuer or a request that no client sends: the tests of
# sign-ins name their numbers.
NAMED_OTHERWISE: Final = {"NOT_SIGNED_IN": "login_required", "DEVICE_TOO_FAST": "slow_down"}


@pytest.fixture
def local_azure_config() -> LocalAzureConfig:
    return LocalAzureConfig(port=0, other_tenants=(FOREIGN,), users=(STRANGER,))


def test_every_kind_of_refusal_of_entra_is_provoked() -> None:
    assert PROVOKED.keys() <= KINDS.keys()
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_local_entra*.py"))
    wanted = {name: NAMED_OTHERWISE.get(name, str(KINDS[name].number)) for name in KINDS.keys() - PROVOKED}
    assert [name for name, text in wanted.items() if not re.search(rf"(?<!\d){text}(?!\d)", tests)] == []


@pytest.mark.parametrize("name", sorted(PROVOKED))
def test_refusal_of_entra_has_its_number_status_and_text(local_azure: LocalAzure, name: str) -> None:
    kind, asker = KINDS[name], Asker(local_azure)
    found = PROVOKED[name](asker)
    assert (asker.http.last.status_code, found["error"]) == (kind.status, kind.error)
    assert found["error_codes"] == [kind.number]
    text = re.sub(r"\\\{\w+\\\}", ".+?", re.escape(f"AADSTS{kind.number}: {kind.text} "))
    ids = rf"Trace ID: {found['trace_id']} Correlation ID: {found['correlation_id']} Timestamp: .*Z"
    assert re.fullmatch(text + ids, found["error_description"])
    headers = asker.http.last.headers
    assert headers["x-ms-request-id"] == found["trace_id"]
    assert headers["x-ms-clitelem"] == f"1,{kind.number},0,,"
    asker.http.close()


def test_azure_identity_says_the_number(local_azure: LocalAzure) -> None:
    application = local_azure.directory.applications()[0]
    with (
        ClientSecretCredential(
            local_azure.config.tenant.id,
            application.principal.app_id,
            "wrong",
            authority=local_azure.endpoints.entra,
            disable_instance_discovery=True,
            connection_verify=os.fspath(local_azure.ca_file),
        ) as credential,
        pytest.raises(ClientAuthenticationError, match="AADSTS7000215: Invalid client secret provided"),
    ):
        credential.get_token(BATCH_SCOPE)


VAULT: Final[dict[tuple[int, str, str | None], Callable[[LocalAzure, SecretClient], object]]] = {
    (404, "SecretNotFound", None): lambda _, vault: vault.get_secret("nowhere"),
    (403, "Forbidden", "SecretDisabled"): lambda azure, vault: (
        azure.vault.set_secret("off", "x", enabled=False),
        vault.get_secret("off"),
    ),
    (403, "Forbidden", "ForbiddenByRbac"): lambda _, vault: vault.set_secret("new", "x"),
    (400, "BadParameter", None): lambda _, vault: vault.get_secret("not_a_name"),
    (429, "Throttled", None): lambda azure, vault: (
        azure.vault.throttle.change(count=0, seconds=10),
        vault.get_secret("batch-client-id"),
    ),
    (503, "ServiceUnavailable", None): lambda azure, vault: (
        azure.faults.add(FaultRule(service="keyvault", status=503)),
        vault.get_secret("batch-client-id"),
    ),
}
# Named in documents; the vault has neither access policies nor a firewall.
NOT_IN_THE_VAULT: Final = ("AccessDenied", "ForbiddenByFirewall")


@pytest.mark.parametrize("expected", VAULT, ids=lambda expected: expected[2] or expected[1])
def test_refusal_of_key_vault(machine: LocalAzure, expected: tuple[int, str, str | None]) -> None:
    with vault_of(machine) as client:
        client.get_secret("batch-client-id")
        with pytest.raises(HttpResponseError) as raised:
            VAULT[expected](machine, client)
    error: Any = raised.value
    inner = (error.error.innererror or {}).get("code")
    assert (error.status_code, error.error.code, inner) == expected
    assert error.error.message
    assert error.response.headers["x-ms-request-id"]
    assert inner not in NOT_IN_THE_VAULT


@pytest.mark.parametrize(
    ("identity", "resource", "text"),
    [
        ({"client_id": UNKNOWN}, "https://vault.azure.net", "Identity not found"),
        ({}, "https://elsewhere.example", "AADSTS500011"),
    ],
)
def test_refusal_of_managed_identity(
    machine: LocalAzure, identity: dict[str, str], resource: str, text: str
) -> None:
    trust: dict[str, Any] = {"connection_verify": os.fspath(machine.ca_file), "retry_total": 0}
    with (
        ManagedIdentityCredential(**identity, **trust) as credential,
        pytest.raises((CredentialUnavailableError, ClientAuthenticationError), match=text),
    ):
        credential.get_token(f"{resource}/.default")


MANAGEMENT: Final[dict[tuple[int, str], Callable[[Manager], object]]] = {
    (403, "AuthorizationFailed"): lambda manager: manager.batch.batch_account.get(
        manager.config.resource_group, manager.config.account
    ),
    (404, "ResourceNotFound"): lambda manager: (
        manager.hold("Reader", manager.config.subscription_scope),
        manager.batch.batch_account.get(manager.config.resource_group, "nowhere"),
    ),
    (404, "ResourceGroupNotFound"): lambda manager: (
        manager.hold("Reader", manager.config.subscription_scope),
        manager.batch.batch_account.get("nowhere", manager.config.account),
    ),
    (404, "RoleDefinitionDoesNotExist"): lambda manager: (
        manager.hold("Reader", manager.config.subscription_scope),
        manager.authorization.role_definitions.get(manager.config.subscription_scope, UNKNOWN),
    ),
    (404, "DenyAssignmentNotFound"): lambda manager: (
        manager.hold("Reader", manager.config.subscription_scope),
        manager.authorization.deny_assignments.get(manager.config.account_scope, UNKNOWN),
    ),
    (403, "SharedKeyNotAllowed"): lambda manager: (
        manager.hold("Contributor"),
        manager.batch.batch_account.get_keys(manager.config.resource_group, manager.config.account),
    ),
}


@pytest.mark.parametrize("expected", MANAGEMENT, ids=lambda expected: expected[1])
def test_refusal_of_resource_manager(expected: tuple[int, str]) -> None:
    with managing(shared_key=False) as manager, pytest.raises(HttpResponseError) as raised:
        MANAGEMENT[expected](manager)
    error: Any = raised.value
    assert (error.status_code, error.error.code) == expected
    assert error.error.message
    assert error.response.headers["x-ms-request-id"]


def test_body_that_is_no_json_is_refused_by_resource_manager() -> None:
    with managing() as manager:
        manager.hold("Owner")
        path = f"{manager.config.account_scope}/providers/Microsoft.Authorization/roleAssignments/{UNKNOWN}"
        answer = manager.send("PUT", f"{path}?api-version=2022-04-01", data=b"{")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidRequestContent")


def test_every_code_of_resource_manager_is_named_by_a_test() -> None:
    source = "".join(path.read_text() for path in MANAGEMENT_MODULES.glob("*.py"))
    codes = set(re.findall(r'(?:ManagementRefused\(\s*\d+,|bad_request\()\s*"(\w+)"', source))
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert len(codes) > 10
    assert [code for code in sorted(codes) if f'"{code}"' not in tests] == []
