"""Resource Manager: who may ask it, in which version, and what it says of resources."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError

from airflow_provider_batchad.local.config import TenantConfig
from airflow_provider_batchad.local.entra.tokens import Principal
from airflow_provider_batchad.local.faults import FaultRule
from tests.contract.management_fixtures import Manager, managing

GUID = "11111111-2222-3333-4444-555555555555"
FOREIGN = TenantConfig(id=GUID, domain="fabrikam.onmicrosoft.com", display_name="Fabrikam")


@pytest.fixture
def manager() -> Iterator[Manager]:
    with managing(other_tenants=(FOREIGN,)) as one:
        yield one


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({}, "AuthenticationFailed"),
        ({"Authorization": "Basic eDp5"}, "InvalidAuthenticationToken"),
        ({"Authorization": "Bearer x.y.z"}, "InvalidAuthenticationToken"),
    ],
)
def test_request_without_a_good_token_is_challenged(
    manager: Manager, header: dict[str, str], code: str
) -> None:
    answer = manager.send("GET", "/subscriptions?api-version=2022-12-01", headers=header)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)
    challenge = answer.headers["WWW-Authenticate"]
    assert f'authorization_uri="https://login.windows.net/{manager.config.tenant.id}"' in challenge
    assert answer.headers["x-ms-failure-cause"] == "gateway"


@pytest.mark.parametrize(
    ("audience", "status"),
    [
        ("https://management.azure.com", 200),
        ("https://management.azure.com/", 200),
        ("https://management.core.windows.net/", 200),
        ("https://management.core.windows.net", 200),
        ("https://batch.core.windows.net/", 401),
        ("https://vault.azure.net", 401),
    ],
)
def test_only_tokens_for_resource_manager_are_taken(manager: Manager, audience: str, status: int) -> None:
    answer = manager.send("GET", "/subscriptions?api-version=2022-12-01", headers=manager.token(audience))
    assert answer.status_code == status
    if status == 401:
        error = answer.json()["error"]
        assert error["code"] == "InvalidAuthenticationTokenAudience"
        assert audience in error["message"]


def test_token_of_another_tenant_sees_no_subscription_and_is_refused_in_one(manager: Manager) -> None:
    stranger = Principal(tenant_id=FOREIGN.id, object_id=GUID, app_id=GUID, name="stranger")
    token, _ = manager.azure.tokens.issue(
        stranger, audience="https://management.azure.com/", lifetime_seconds=60
    )
    headers = {"Authorization": f"Bearer {token}"}
    listed = manager.send("GET", "/subscriptions?api-version=2022-12-01", headers=headers)
    assert listed.json()["value"] == []
    refused = manager.send(
        "GET", f"{manager.config.subscription_scope}?api-version=2022-12-01", headers=headers
    )
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "InvalidAuthenticationTokenTenant")


def test_expired_token_is_named_so(manager: Manager) -> None:
    headers = manager.token()
    manager.azure.clock.advance(3600)
    answer = manager.send("GET", "/subscriptions?api-version=2022-12-01", headers=headers)
    assert answer.json()["error"]["code"] == "ExpiredAuthenticationToken"


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("", "", 400, "MissingApiVersionParameter"),
        ("", "?api-version=2001-01-01", 400, "InvalidApiVersionParameter"),
        ("/providers/Microsoft.Batch/batchAccounts", "", 400, "MissingApiVersionParameter"),
        ("/providers/Microsoft.Batch/batchAccounts", "?api-version=x", 400, "InvalidApiVersionParameter"),
        (
            "/providers/Microsoft.Batch/batchAccounts",
            "?api-version=2001-01-01",
            404,
            "InvalidResourceType",
        ),
        ("/providers/Microsoft.Batch/widgets", "?api-version=2025-06-01", 404, "InvalidResourceType"),
        ("/providers/Microsoft.Foo/bars", "?api-version=2025-06-01", 404, "InvalidResourceType"),
    ],
)
def test_what_it_does_not_know_is_refused(
    manager: Manager, path: str, query: str, status: int, code: str
) -> None:
    manager.hold("Reader", manager.config.subscription_scope)
    answer = manager.send("GET", f"{manager.config.subscription_scope}{path}{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_principal_without_a_role_sees_nothing_and_is_told_what_it_lacks(manager: Manager) -> None:
    listed = manager.send("GET", "/subscriptions?api-version=2022-12-01").json()
    assert listed == {"value": [], "count": {"type": "Total", "value": 0}}
    assert list(manager.batch.batch_account.list()) == []
    with pytest.raises(HttpResponseError) as refused:
        manager.batch.batch_account.get(manager.config.resource_group, manager.config.account)
    assert refused.value.status_code == 403
    assert refused.value.error is not None
    assert refused.value.error.code == "AuthorizationFailed"
    assert refused.value.error.message == (
        f"The client '{manager.principal.app_id}' with object id '{manager.principal.object_id}' does not "
        "have authorization to perform action 'Microsoft.Batch/batchAccounts/read' over scope "
        f"'{manager.config.account_scope}' or the scope is invalid. If access was recently granted, please "
        "refresh your credentials."
    )
    assert refused.value.response is not None
    assert refused.value.response.headers["x-ms-failure-cause"] == "gateway"
    (entry,) = manager.azure.ledger.entries(service="management", operation="Get Batch Account")
    assert (entry.actions, entry.status, entry.code) == (
        ("Microsoft.Batch/batchAccounts/read",),
        403,
        "AuthorizationFailed",
    )


def test_role_at_the_account_shows_the_subscription_and_the_account_alone(manager: Manager) -> None:
    manager.hold("Azure Batch Account Reader")
    subscription = manager.send("GET", "/subscriptions?api-version=2022-12-01").json()["value"][0]
    assert subscription["subscriptionId"] == manager.config.subscription_id
    assert subscription["tenantId"] == manager.config.tenant.id
    one = manager.send("GET", f"{manager.config.subscription_scope}?api-version=2022-12-01")
    assert one.json()["error"]["code"] == "AuthorizationFailed"
    groups = f"{manager.config.subscription_scope}/resourcegroups?api-version=2021-04-01"
    assert manager.send("GET", groups).json()["value"] == []
    assert [one.name for one in manager.batch.batch_account.list()] == ["demo"]
    with pytest.raises(HttpResponseError, match="AuthorizationFailed"):
        list(manager.batch.batch_account.list_by_resource_group(manager.config.resource_group))


def test_account_says_where_it_is_and_how_to_sign_in(manager: Manager) -> None:
    manager.hold("Reader", manager.config.resource_group_scope)
    # Resource IDs are compared without case.
    account = manager.batch.batch_account.get(manager.config.resource_group.upper(), "DEMO")
    assert account.id == manager.config.account_scope
    assert account.location == manager.config.region
    assert account.properties is not None
    assert f"https://{account.properties.account_endpoint}" == manager.azure.endpoints.batch
    assert account.properties.allowed_authentication_modes == ["AAD", "SharedKey"]
    listed = manager.batch.batch_account.list_by_resource_group(manager.config.resource_group)
    assert [one.id for one in listed] == [account.id]
    group = manager.send("GET", f"{manager.config.resource_group_scope}?api-version=2021-04-01").json()
    assert (group["name"], group["location"]) == (manager.config.resource_group, manager.config.region)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/subscriptions/{guid}", "SubscriptionNotFound"),
        ("{subscription}/resourceGroups/nowhere", "ResourceGroupNotFound"),
        ("{group}/providers/Microsoft.Batch/batchAccounts/nobody", "ResourceNotFound"),
    ],
)
def test_what_there_is_not_is_not_found(manager: Manager, path: str, code: str) -> None:
    manager.hold("Owner", "/")
    where = path.format(
        guid=GUID, subscription=manager.config.subscription_scope, group=manager.config.resource_group_scope
    )
    version = "2025-06-01" if "batchAccounts" in path else "2021-04-01"
    answer = manager.send("GET", f"{where}?api-version={version}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, code)


def test_keys_are_listed_by_who_may_and_made_anew(manager: Manager) -> None:
    manager.hold("Azure Batch Account Reader")
    accounts, group = manager.batch.batch_account, manager.config.resource_group
    with pytest.raises(HttpResponseError, match="listKeys/action"):
        accounts.get_keys(group, "demo")
    manager.hold("Contributor")
    keys = accounts.get_keys(group, "demo")
    assert keys.account_name == "demo"
    assert keys.primary is not None
    assert len(base64.b64decode(keys.primary)) == 64
    assert keys.primary != keys.secondary
    changed = accounts.regenerate_key(group, "demo", {"keyName": "Primary"})
    assert changed.primary != keys.primary
    assert changed.secondary == keys.secondary


def test_keys_of_an_account_that_takes_none_are_not_given() -> None:
    with managing(shared_key=False) as manager:
        manager.hold("Owner")
        account = manager.batch.batch_account.get(manager.config.resource_group, "demo")
        assert account.properties is not None
        assert account.properties.allowed_authentication_modes == ["AAD"]
        with pytest.raises(HttpResponseError):
            manager.batch.batch_account.get_keys(manager.config.resource_group, "demo")


def test_fault_breaks_it_in_its_own_shape(manager: Manager) -> None:
    manager.hold("Reader")
    manager.azure.faults.add(FaultRule(service="management", operation="Get Batch Account", status=503))
    with pytest.raises(HttpResponseError) as broken:
        manager.batch.batch_account.get(manager.config.resource_group, "demo")
    assert broken.value.error is not None
    assert (broken.value.status_code, broken.value.error.code) == (503, "ServiceUnavailable")


def test_clients_tell_its_errors_apart(manager: Manager) -> None:
    manager.hold("Owner", manager.config.subscription_scope)
    with pytest.raises(ResourceNotFoundError):
        manager.batch.batch_account.get(manager.config.resource_group, "nobody")
    manager.azure.faults.add(FaultRule(service="management", status=401))
    with pytest.raises(ClientAuthenticationError):
        manager.batch.batch_account.get(manager.config.resource_group, "demo")
