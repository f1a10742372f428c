"""The simulated Resource Manager: who asks, in which version, and which operation answers."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

from airflow_provider_batchad.local.call import current_call
from airflow_provider_batchad.local.entra.tokens import RejectionReason, TokenRejected
from airflow_provider_batchad.local.json_answer import answer_json
from airflow_provider_batchad.local.management import errors, versions
from airflow_provider_batchad.local.management.assignments import Assignments
from airflow_provider_batchad.local.management.cloud_metadata import describe_endpoints
from airflow_provider_batchad.local.management.definitions import RoleDefinitions
from airflow_provider_batchad.local.management.errors import ManagementRefused, render_management_error
from airflow_provider_batchad.local.management.exchange import ManagementExchange
from airflow_provider_batchad.local.service import Handler, operation

if TYPE_CHECKING:
    from airflow_provider_batchad.local.access import RoleBook
    from airflow_provider_batchad.local.clock import Clock
    from airflow_provider_batchad.local.config import LocalAzureConfig
    from airflow_provider_batchad.local.endpoints import Endpoints
    from airflow_provider_batchad.local.entra.tokens import Principal, TokenAuthority
    from airflow_provider_batchad.local.management.resources import Resources
    from airflow_provider_batchad.local.management.versions import Versions

_log = logging.getLogger(__name__)

_SCOPE: Final = "{scope:(?:.*/)?}"
_AUTHORIZATION: Final = f"/{_SCOPE}providers/Microsoft.Authorization"
_GROUP: Final = "/{scope:subscriptions/[^/]+/resourcegroups/[^/]+}"
_SUBSCRIPTION: Final = "/{scope:subscriptions/[^/]+}"
_ACCOUNT: Final = (
    "/{scope:subscriptions/[^/]+/resourcegroups/[^/]+/providers/microsoft.batch/batchaccounts/[^/]+}"
)
_SUBSCRIPTION_PATH: Final = re.compile(r"/*subscriptions/[^/]+", re.IGNORECASE)
_NAMESPACE: Final = re.compile(r".*/providers/(?P<namespace>[^/]+)", re.IGNORECASE)

ManagementHandler = Callable[[ManagementExchange], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class _Operation:
    name: str
    method: str
    path: str
    versions: Versions
    handler: ManagementHandler


class ResourceManager:
    """The routes: resources, and of ``Microsoft.Authorization`` what says who may do what.

    :param knows_principal: whether the directory has a principal with this object ID.
    """

    def __init__(
        self,
        *,
        config: LocalAzureConfig,
        endpoints: Endpoints,
        roles: RoleBook,
        tokens: TokenAuthority,
        clock: Clock,
        resources: Resources,
        knows_principal: Callable[[str], bool],
    ) -> None:
        self._config = config
        self._endpoints = endpoints
        self._roles = roles
        self._tokens = tokens
        self._clock = clock
        self._operations = (
            *_resource_operations(resources),
            *_authorization_operations(RoleDefinitions(), Assignments(knows_principal, started=clock.time())),
        )

    def routes(self) -> list[web.AbstractRouteDef]:
        """A route for each operation, and one for everything else; paths are compared without case."""
        routes: list[web.AbstractRouteDef] = [
            web.RouteDef(
                one.method,
                _ignore_case(one.path),
                self._make_handler(one),
                {"allow_head": False} if one.method == "GET" else {},
            )
            for one in self._operations
        ]
        return [
            web.get("/metadata/endpoints", self.show_endpoints),
            *routes,
            web.RouteDef("*", "/{path:.*}", self._refuse_unknown, {}),
        ]

    async def find_principal(self, request: web.Request) -> Principal | None:
        """Who makes a request, as far as the token says it truthfully."""
        try:
            return self._identify(request)
        except TokenRejected:
            return None

    def render_error(self, _request: web.Request, status: int, code: str | None) -> web.Response:
        """An outage in Resource Manager's own shape."""
        return render_management_error(errors.outage(status, code))

    @operation("Show Endpoints")
    async def show_endpoints(self, _request: web.Request) -> web.StreamResponse:
        """``GET /metadata/endpoints``, which needs no token: the cloud, for ``az cloud register``."""
        return answer_json(describe_endpoints(self._endpoints), headers=errors.every_answer())

    def _make_handler(self, one: _Operation) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                current_call().principal = principal = self._authenticate(request)
                one.versions.check(request.query.get("api-version", ""))
                exchange = ManagementExchange(
                    request=request,
                    principal=principal,
                    scope=_read_scope(request),
                    config=self._config,
                    roles=self._roles,
                    now=self._clock.time,
                )
                exchange.check_subscription()
                return await one.handler(exchange)
            except ManagementRefused as refused:
                return render_management_error(refused)
            except Exception:  # noqa: BLE001 - whatever it is, the client gets an answer in the service's shape
                _log.exception("%s failed", one.name)
                return render_management_error(errors.outage(500, None))

        return operation(one.name)(answer)

    async def _refuse_unknown(self, request: web.Request) -> web.StreamResponse:
        try:
            self._authenticate(request)
            version = request.query.get("api-version", "")
            if not version:
                raise errors.missing_api_version()
            found = _NAMESPACE.match(request.path)
            raise errors.invalid_resource_type(found["namespace"] if found else "", version)
        except ManagementRefused as refused:
            return render_management_error(refused)

    def _authenticate(self, request: web.Request) -> Principal:
        try:
            return self._identify(request)
        except TokenRejected as rejected:
            raise errors.unauthorized(rejected, tenant_id=self._config.tenant.id) from None

    def _identify(self, request: web.Request) -> Principal:
        header = request.headers.get("Authorization")
        tenant_id = self._config.tenant.id
        try:
            return self._tokens.verify_header(header, audience=errors.AUDIENCES, tenant_id=tenant_id)
        except TokenRejected as rejected:
            # Only a subscription belongs to a tenant: of itself, Resource Manager takes tokens of all.
            is_foreign = rejected.reason is RejectionReason.TENANT and rejected.found is not None
            if not is_foreign or _SUBSCRIPTION_PATH.match(request.path):
                raise
            return self._tokens.verify_header(
                header, audience=errors.AUDIENCES, tenant_id=rejected.found or tenant_id
            )


def _resource_operations(resources: Resources) -> tuple[_Operation, ...]:
    base, batch = versions.RESOURCES, versions.BATCH
    accounts = "providers/Microsoft.Batch/batchAccounts"
    return (
        _Operation("List Subscriptions", "GET", "/subscriptions", base, resources.list_subscriptions),
        _Operation("Get Subscription", "GET", _SUBSCRIPTION, base, resources.get_subscription),
        _Operation(
            "List Resource Groups", "GET", f"{_SUBSCRIPTION}/resourcegroups", base, resources.list_groups
        ),
        _Operation("Get Resource Group", "GET", _GROUP, base, resources.get_group),
        _Operation(
            "List Batch Accounts", "GET", f"{_SUBSCRIPTION}/{accounts}", batch, resources.list_accounts
        ),
        _Operation(
            "List Batch Accounts By Resource Group",
            "GET",
            f"{_GROUP}/{accounts}",
            batch,
            resources.list_group_accounts,
        ),
        _Operation("Get Batch Account", "GET", _ACCOUNT, batch, resources.get_account),
        _Operation("List Batch Account Keys", "POST", f"{_ACCOUNT}/listKeys", batch, resources.list_keys),
        _Operation(
            "Regenerate Batch Account Key",
            "POST",
            f"{_ACCOUNT}/regenerateKeys",
            batch,
            resources.regenerate_key,
        ),
    )


def _authorization_operations(
    definitions: RoleDefinitions, assignments: Assignments
) -> tuple[_Operation, ...]:
    kinds = {
        "roleDefinitions": {
            "List Role Definitions": ("GET", "", definitions.list_definitions),
            "Get Role Definition": ("GET", "/{name}", definitions.get_definition),
            "Create Or Update Role Definition": ("PUT", "/{name}", definitions.put_definition),
            "Delete Role Definition": ("DELETE", "/{name}", definitions.delete_definition),
        },
        "roleAssignments": {
            "List Role Assignments": ("GET", "", assignments.list_assignments),
            "Get Role Assignment": ("GET", "/{name}", assignments.get_assignment),
            "Create Role Assignment": ("PUT", "/{name}", assignments.put_assignment),
            "Delete Role Assignment": ("DELETE", "/{name}", assignments.delete_assignment),
        },
        "denyAssignments": {
            "List Deny Assignments": ("GET", "", assignments.list_denials),
            "Get Deny Assignment": ("GET", "/{name}", assignments.get_denial),
        },
        "permissions": {"List Permissions": ("GET", "", assignments.list_permissions)},
    }
    return tuple(
        _Operation(name, method, f"{_AUTHORIZATION}/{kind}{end}", versions.AUTHORIZATION, handler)
        for kind, operations in kinds.items()
        for name, (method, end, handler) in operations.items()
    )


def _read_scope(request: web.Request) -> str:
    # Clients leave a parent path empty and write two slashes; Resource Manager takes any number for one.
    parts = [one for one in request.match_info.get("scope", "").split("/") if one]
    return "".join(f"/{one}" for one in parts)


def _ignore_case(path: str) -> str:
    """The path with every literal as a placeholder of its own, which aiohttp then compares without case."""
    pieces = re.split(r"(\{[^{}]*\})", path)
    made = []
    for number, piece in enumerate(pieces):
        if not piece.startswith("{"):
            made += [
                f"{{literal_{number}_{place}:(?i:{re.escape(one)})}}" if one.strip("/") else one
                for place, one in enumerate(re.split(r"(/+)", piece))
            ]
        elif ":" in piece:
            name, _, pattern = piece[1:-1].partition(":")
            made.append(f"{{{name}:(?i:{pattern})}}")
        else:
            made.append(piece)
    return "".join(made)
