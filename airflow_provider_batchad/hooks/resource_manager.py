"""Asks Azure Resource Manager what a principal holds at a Batch account: reads alone, as that principal."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from airflow_provider_batchad.access.permissions import Permission
from airflow_provider_batchad.access.preflight import Denial, RoleElement
from airflow_provider_batchad.errors import Unreachable
from airflow_provider_batchad.identity.proxies import strike_proxy_passwords, usable_proxy
from airflow_provider_batchad.identity.transports import bounded_transport

if TYPE_CHECKING:
    from airflow_provider_batchad.connection import BatchConnection
    from airflow_provider_batchad.identity.tokens import TokenCallback

_VERSION: Final = "2022-04-01"
_AUTHORIZATION: Final = "providers/Microsoft.Authorization"
_MOST_PAGES: Final = 100
_LISTS: Final = ("actions", "notActions", "dataActions", "notDataActions")


@dataclass(frozen=True, slots=True)
class NotTold:
    """Resource Manager did not say; the text says why."""

    why: str


class ResourceManager:
    """Reads ``Microsoft.Authorization`` at one Batch account.

    Source: `Permissions - List For Resource
    <https://learn.microsoft.com/rest/api/authorization/permissions/list-for-resource>`__, `Role Assignments -
    List For Scope <https://learn.microsoft.com/rest/api/authorization/role-assignments/list-for-scope>`__ and
    `Deny Assignments - List For Scope
    <https://learn.microsoft.com/rest/api/authorization/deny-assignments/list-for-scope>`__.

    :param callback: for tokens of Resource Manager.
    :param account: the account's resource ID.
    :param retries: how often it is asked again where it does not answer.
    """

    def __init__(
        self, connection: BatchConnection, callback: TokenCallback, account: str, *, retries: int = 2
    ) -> None:
        from azure.core import PipelineClient
        from azure.core.pipeline.policies import RetryPolicy, UserAgentPolicy

        from airflow_provider_batchad.identity.credential import TokenPolicy

        cloud = connection.cloud
        usable_proxy(cloud.management)
        self._callback = callback
        self._account = account.rstrip("/")
        self._management = cloud.management.rstrip("/")
        verify: dict[str, Any] = {"connection_verify": cloud.ca_file} if cloud.ca_file else {}
        self._client: PipelineClient[Any, Any] = PipelineClient(
            cloud.management,
            policies=[
                UserAgentPolicy(sdk_moniker="airflow-provider-batchad"),
                RetryPolicy(retry_total=retries, retry_backoff_factor=0.5),
                TokenPolicy(callback, cloud.management),
            ],
            transport=bounded_transport(connection_timeout=10, read_timeout=30, **verify),
        )

    def elements(self) -> tuple[RoleElement, ...] | NotTold:
        """What the principal holds: its roles by name where it may read them, else what is granted in all."""
        assigned = self._assigned()
        if not isinstance(assigned, NotTold):
            return assigned
        found = self._list("permissions")
        if isinstance(found, NotTold):
            return found
        return tuple(
            RoleElement(permission=_permission(one), conditional=bool(one.get("condition"))) for one in found
        )

    def denials(self) -> tuple[Denial, ...] | NotTold:
        """What deny assignments take away from the principal at the account."""
        mine = self._object_id()
        found = mine if isinstance(mine, NotTold) else self._list("denyAssignments", _assigned_to(mine))
        if isinstance(found, NotTold):
            return found
        properties = [one.get("properties") or {} for one in found]
        return tuple(
            Denial(permission=_permission(one), certain=_is_certain(each))
            for each in properties
            if self._reaches(each) and mine not in _ids(each.get("excludePrincipals"))
            for one in each.get("permissions") or ()
        )

    def _reaches(self, assignment: Mapping[str, Any]) -> bool:
        """Whether an assignment counts at the account; those of the scopes below it are listed as well."""
        scope = str(assignment.get("scope") or "").rstrip("/").casefold()
        account = self._account.casefold()
        if scope.startswith(f"{account}/"):
            return False
        return scope == account or not assignment.get("doNotApplyToChildScopes")

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _assigned(self) -> tuple[RoleElement, ...] | NotTold:
        mine = self._object_id()
        found = mine if isinstance(mine, NotTold) else self._list("roleAssignments", _assigned_to(mine))
        if isinstance(found, NotTold):
            return found
        elements: list[RoleElement] = []
        read: dict[str, dict[str, Any] | NotTold] = {}
        for assignment in found:
            properties = assignment.get("properties") or {}
            if not self._reaches(properties):
                continue
            definition = str(properties.get("roleDefinitionId") or "")
            role = read.get(definition) or read.setdefault(definition, self._get(definition, {}))
            if isinstance(role, NotTold):
                return role
            about = role.get("properties") or {}
            elements += [
                RoleElement(
                    permission=_permission(one),
                    role=str(about.get("roleName")),
                    # A definition may have a condition of its own, beside the assignment's.
                    conditional=bool(properties.get("condition") or one.get("condition")),
                )
                for one in about.get("permissions") or ()
            ]
        return tuple(elements)

    def _object_id(self) -> str | NotTold:
        # Resource Manager's filter wants the object ID, which nobody but the token itself says.
        try:
            payload = self._callback().token.split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            return str(claims["oid"])
        except (IndexError, KeyError, TypeError, ValueError):
            return NotTold("The token for Resource Manager does not say whose it is (no 'oid')")

    def _list(self, kind: str, query: Mapping[str, str] | None = None) -> list[dict[str, Any]] | NotTold:
        items: list[dict[str, Any]] = []
        for page in self._pages(f"{self._account}/{_AUTHORIZATION}/{kind}", query or {}):
            if isinstance(page, NotTold):
                return page
            items += [one for one in page.get("value") or () if isinstance(one, dict)]
        return items

    def _pages(self, path: str, query: Mapping[str, str]) -> Iterator[dict[str, Any] | NotTold]:
        page = self._get(path, query)
        for _ in range(_MOST_PAGES):
            yield page
            following = None if isinstance(page, NotTold) else page.get("nextLink")
            if not following:
                return
            # The token goes to no other host: the policy sees to it.
            page = self._get(str(following), None)
        yield NotTold(f"Resource Manager had more than {_MOST_PAGES} pages")

    def _get(self, path: str, query: Mapping[str, str] | None) -> dict[str, Any] | NotTold:
        from azure.core.exceptions import AzureError
        from azure.core.rest import HttpRequest

        params = None if query is None else {"api-version": _VERSION, **query}
        url = f"{self._management}{path}" if path.startswith("/") else path
        try:
            answer = self._client.send_request(HttpRequest("GET", url, params=params))
            if answer.status_code != 200:
                return NotTold(
                    f"Resource Manager answered with HTTP {answer.status_code} {_code_of(answer)}".rstrip()
                )
            found = answer.json()
        except AzureError as error:
            raise Unreachable(
                f"Resource Manager could not be reached: {type(error).__name__}: "
                f"{strike_proxy_passwords(error.message)}",
                step="management",
            ) from None  # the SDKs' own texts repeat what was sent or read
        except ValueError:
            found = None
        return found if isinstance(found, dict) else NotTold("what answered is not Resource Manager")


def _assigned_to(object_id: str) -> dict[str, str]:
    return {"$filter": f"assignedTo('{object_id}')"}


def _ids(principals: object) -> frozenset[str]:
    found = principals if isinstance(principals, list) else []
    return frozenset(str(one.get("id")) for one in found if isinstance(one, dict))


def _is_certain(denial: Mapping[str, Any]) -> bool:
    spared = denial.get("excludePrincipals") or ()
    # Of a group nobody says here whether the principal is in it.
    return not denial.get("condition") and not any(one.get("type") == "Group" for one in spared)


def _permission(found: Mapping[str, Any]) -> Permission:
    actions, not_actions, data_actions, not_data_actions = (
        tuple(text for text in found.get(name) or () if isinstance(text, str)) for name in _LISTS
    )
    return Permission(
        actions=actions,
        not_actions=not_actions,
        data_actions=data_actions,
        not_data_actions=not_data_actions,
    )


def _code_of(answer: Any) -> str:
    try:
        return str(answer.json()["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return ""
