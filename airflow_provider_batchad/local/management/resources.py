"""What Resource Manager knows of resources: the subscription, its resource group, the Batch account."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.local.access import is_at_or_below
from airflow_provider_batchad.local.batch.account import DEFAULT_POOL_QUOTA
from airflow_provider_batchad.local.batch.ticks import TICKS_PER_SECOND, to_etag, to_http_date
from airflow_provider_batchad.local.management import errors
from airflow_provider_batchad.local.shared_key import AccountKeys, KeyName

if TYPE_CHECKING:
    from aiohttp import web

    from airflow_provider_batchad.local.config import LocalAzureConfig
    from airflow_provider_batchad.local.endpoints import Endpoints
    from airflow_provider_batchad.local.management.exchange import ManagementExchange

# As a new account has them (recorded); nothing counts cores here.
_CORE_QUOTAS: Final = {
    "dedicatedCoreQuota": 500,
    "dedicatedCoreQuotaPerVMFamily": [
        {"name": "standardDv2Family", "coreQuota": 250},
        {"name": "standardDSv3Family", "coreQuota": 500},
    ],
    "dedicatedCoreQuotaPerVMFamilyEnforced": True,
    "lowPriorityCoreQuota": 500,
}
_READ_SUBSCRIPTION: Final = "Microsoft.Resources/subscriptions/read"
_READ_GROUP: Final = "Microsoft.Resources/subscriptions/resourceGroups/read"
_READ_ACCOUNT: Final = "Microsoft.Batch/batchAccounts/read"
_LIST_KEYS: Final = "Microsoft.Batch/batchAccounts/listKeys/action"
_REGENERATE_KEYS: Final = "Microsoft.Batch/batchAccounts/regenerateKeys/action"


class Resources:
    """Reads of resources, and the account's keys.

    :param read_job_quota: the account's present one, as its properties say it.
    """

    def __init__(
        self,
        *,
        config: LocalAzureConfig,
        endpoints: Endpoints,
        keys: AccountKeys,
        read_job_quota: Callable[[], int],
    ) -> None:
        self._config = config
        self._endpoints = endpoints
        self._keys = keys
        self._read_job_quota = read_job_quota
        self._modified = int(time.time() * TICKS_PER_SECOND)

    async def list_subscriptions(self, exchange: ManagementExchange) -> web.StreamResponse:
        """``GET /subscriptions``: those in which the caller has any role."""
        mine = exchange.roles.assignments(principal_id=exchange.principal.object_id)
        here = self._config.subscription_scope
        is_seen = any(is_at_or_below(one.scope, here) or is_at_or_below(here, one.scope) for one in mine)
        value = [self._describe_subscription()] if is_seen else []
        return exchange.answer({"value": value, "count": {"type": "Total", "value": len(value)}})

    async def get_subscription(self, exchange: ManagementExchange) -> web.StreamResponse:
        """``GET /subscriptions/{id}``."""
        exchange.require(_READ_SUBSCRIPTION)
        return exchange.answer(self._describe_subscription())

    async def list_groups(self, exchange: ManagementExchange) -> web.StreamResponse:
        """``GET …/resourcegroups``: those that the caller may read."""
        is_seen = exchange.may(_READ_GROUP, self._config.resource_group_scope)
        return exchange.answer({"value": [self._describe_group()] if is_seen else []})

    async def get_group(self, exchange: ManagementExchange) -> web.StreamResponse:
        """``GET …/resourcegroups/{name}``."""
        exchange.require(_READ_GROUP)
        exchange.check_scope()
        return exchange.answer(self._describe_group())

    async def list_accounts(self, exchange: ManagementExchange) -> web.StreamResponse:
        """``GET …/batchAccounts`` of the subscription: those that the caller may read."""
        is_seen = exchange.may(_READ_ACCOUNT, self._config.account_scope)
        return exchange.answer({"value": [self._describe_account()] if is_seen else []})

    async def list_group_accounts(self, exchange: ManagementExchange) -> web.StreamResponse:
        """``GET …/batchAccounts`` of a resource group."""
        exchange.require(_READ_ACCOUNT)
        exchange.check_scope()
        return exchange.answer({"value": [self._describe_account()]})

    async def get_account(self, exchange: ManagementExchange) -> web.StreamResponse:
        """``GET …/batchAccounts/{name}``."""
        exchange.require(_READ_ACCOUNT)
        exchange.check_scope()
        answer = exchange.answer(self._describe_account())
        answer.headers["ETag"] = f'"{to_etag(self._modified)}"'
        answer.headers["Last-Modified"] = to_http_date(self._modified)
        return answer

    async def list_keys(self, exchange: ManagementExchange) -> web.StreamResponse:
        """``POST …/listKeys``: both keys, where the account takes any."""
        exchange.require(_LIST_KEYS)
        exchange.check_scope()
        return self._answer_keys(exchange)

    async def regenerate_key(self, exchange: ManagementExchange) -> web.StreamResponse:
        """``POST …/regenerateKeys``."""
        exchange.require(_REGENERATE_KEYS)
        exchange.check_scope()
        name = (await exchange.body()).get("keyName")
        if name not in list(KeyName):
            raise errors.bad_request("InvalidRequestBody", f"keyName must be one of {', '.join(KeyName)}.")
        self._check_keys_are_allowed()
        self._keys.regenerate(KeyName(name))
        return self._answer_keys(exchange)

    def _check_keys_are_allowed(self) -> None:
        # Documented: "In this case, getting the keys will fail." With what, is not.
        if not self._config.shared_key:
            raise errors.ManagementRefused(
                403, "SharedKeyNotAllowed", "The Batch account does not allow authentication by shared key."
            )

    def _answer_keys(self, exchange: ManagementExchange) -> web.Response:
        self._check_keys_are_allowed()
        shown = {"primary": self._keys[KeyName.PRIMARY], "secondary": self._keys[KeyName.SECONDARY]}
        return exchange.answer({"accountName": self._config.account, **shown})

    def _describe_subscription(self) -> dict[str, Any]:
        return {
            "id": self._config.subscription_scope,
            "authorizationSource": "RoleBased",
            "managedByTenants": [],
            "subscriptionId": self._config.subscription_id,
            "tenantId": self._config.tenant.id,
            "displayName": "Local Azure",
            "state": "Enabled",
            "subscriptionPolicies": {
                "locationPlacementId": "Public_2014-09-01",
                "quotaId": "PayAsYouGo_2014-09-01",
                "spendingLimit": "Off",
            },
        }

    def _describe_group(self) -> dict[str, Any]:
        return {
            "id": self._config.resource_group_scope,
            "name": self._config.resource_group,
            "type": "Microsoft.Resources/resourceGroups",
            "location": self._config.region,
            "properties": {"provisioningState": "Succeeded"},
        }

    def _describe_account(self) -> dict[str, Any]:
        properties = {
            "accountEndpoint": self._endpoints.batch.removeprefix("https://"),
            "provisioningState": "Succeeded",
            "poolAllocationMode": "BatchService",
            "publicNetworkAccess": "Enabled",
            "privateEndpointConnections": [],
            "encryption": {"keySource": "Microsoft.Batch"},
            **_CORE_QUOTAS,
            "poolQuota": DEFAULT_POOL_QUOTA,
            "activeJobAndJobScheduleQuota": self._read_job_quota(),
            "allowedAuthenticationModes": self._config.authentication_modes,
        }
        return {
            "id": self._config.account_scope,
            "name": self._config.account,
            "type": "Microsoft.Batch/batchAccounts",
            "location": self._config.region,
            "properties": properties,
            "identity": {"type": "None"},
        }
