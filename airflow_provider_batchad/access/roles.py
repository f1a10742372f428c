"""``CustomRole``: a role definition, to and from the forms in which Azure's tools write one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from airflow_provider_batchad.access.permissions import Permission
from airflow_provider_batchad.errors import RoleFileError

if TYPE_CHECKING:
    from airflow_provider_batchad.access.actions import Need

_KINDS: Final = (
    ("actions", "Actions", "actions"),
    ("not_actions", "NotActions", "notActions"),
    ("data_actions", "DataActions", "dataActions"),
    ("not_data_actions", "NotDataActions", "notDataActions"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomRole:
    """A role definition.

    :param name: what Azure calls ``roleName``; unique in a directory.
    :param assignable_scopes: resource IDs at and below which it may be assigned.
    :param permissions: one element, in every role that this package writes.
    """

    name: str
    description: str
    assignable_scopes: tuple[str, ...]
    permissions: tuple[Permission, ...]

    @classmethod
    def smallest(cls, need: Need, *, name: str, description: str, assignable_scopes: Iterable[str]) -> Self:
        """The role that grants exactly ``need``."""
        permission = Permission(
            actions=tuple(sorted(action.value for action in need.actions)),
            data_actions=tuple(sorted(action.value for action in need.data_actions)),
        )
        return cls(
            name=name,
            description=description,
            assignable_scopes=tuple(assignable_scopes),
            permissions=(permission,),
        )

    @classmethod
    def parse(cls, found: object) -> Self:
        """From JSON in any of three forms.

        As ``az role definition create`` takes it, as ``az role definition list`` prints it (one role), and as
        Resource Manager has it, with ``properties``.

        :raises RoleFileError: names what is missing or no list of texts.
        """
        role = _object(found[0] if isinstance(found, list) and len(found) == 1 else found, "the role")
        role = _object(role["properties"], "properties") if "properties" in role else role
        folded = {str(name).casefold(): value for name, value in role.items()}
        elements = folded.get("permissions", [role])
        if not isinstance(elements, list) or not elements:
            raise RoleFileError("permissions: expected a list with at least one element")
        name = folded.get("rolename") or folded.get("name")
        if not isinstance(name, str):
            raise RoleFileError("the role has no name: expected 'Name', or 'roleName'")
        return cls(
            name=name,
            description=str(folded.get("description") or ""),
            assignable_scopes=_texts(folded.get("assignablescopes"), "assignableScopes"),
            permissions=tuple(_permission(_object(one, "permissions")) for one in elements),
        )

    def for_azure_cli(self) -> dict[str, Any]:
        """As ``az role definition create --role-definition`` takes it."""
        return {
            "Name": self.name,
            "IsCustom": True,
            "Description": self.description,
            **{cli: self._all(attribute) for attribute, cli, _ in _KINDS},
            "AssignableScopes": list(self.assignable_scopes),
        }

    def for_resource_manager(self) -> dict[str, Any]:
        """The body of ``Role Definitions - Create Or Update``."""
        return {
            "properties": {
                "roleName": self.name,
                "type": "CustomRole",
                "description": self.description,
                "assignableScopes": list(self.assignable_scopes),
                "permissions": [
                    {wire: list(getattr(one, attribute)) for attribute, _, wire in _KINDS}
                    for one in self.permissions
                ],
            }
        }

    def _all(self, attribute: str) -> list[str]:
        return [text for one in self.permissions for text in getattr(one, attribute)]


def _permission(found: Mapping[str, Any]) -> Permission:
    folded = {str(name).casefold(): value for name, value in found.items()}
    lists = {attribute: _texts(folded.get(wire.casefold()), wire) for attribute, _, wire in _KINDS}
    return Permission(**lists)


def _object(found: object, name: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise RoleFileError(f"{name}: expected a JSON object")
    return found


def _texts(found: object, name: str) -> tuple[str, ...]:
    if found is None:
        return ()
    if not isinstance(found, list) or not all(isinstance(text, str) and text for text in found):
        raise RoleFileError(f"{name}: expected a list of texts")
    return tuple(found)
