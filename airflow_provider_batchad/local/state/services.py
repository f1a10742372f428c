"""The state of every service but Batch: who there is, what they prove themselves with, what they may do."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.local.shared_key import KeyName
from airflow_provider_batchad.local.state.catalogue import RECORDS
from airflow_provider_batchad.local.state.merge import Seen, merge_list, merge_table

if TYPE_CHECKING:
    from airflow_provider_batchad.local.access import Role, RoleAssignment
    from airflow_provider_batchad.local.server import LocalAzure
    from airflow_provider_batchad.local.state.records import Records

# Made with local Azure, and made when it starts to serve.
_EARLY: Final = (
    "accountKeys",
    "claimsDemands",
    "clock",
    "directory",
    "issuers",
    "refreshTokens",
    "roles",
    "tokens",
    "vault",
    "workloadIssuer",
)
_LATE: Final = ("containers", "identity", "storage")


def capture_services(azure: LocalAzure, records: Records) -> dict[str, Any]:
    """All of them as plain data."""
    found = {name: records.encode(RECORDS[name], _find(azure, name)) for name in (*_EARLY, *_LATE)}
    # Built-in roles are local Azure's own.
    roles = found["roles"]["roles"]
    found["roles"]["roles"] = {role_id: role for role_id, role in roles.items() if role["custom"]}
    return found


def restore_early(azure: LocalAzure, saved: Mapping[str, Any], records: Records, seen: Seen) -> None:
    """Put back what is there before anything is served."""
    for name in _EARLY:
        if name == "clock" and (azure.config.clock is not None or azure.config.frozen):
            # Whoever says where the clock is to start means it.
            continue
        members = records.decode(RECORDS[name], saved[name])
        target = _find(azure, name)
        _merge(target, name, members, seen)
        for member, value in members.items():
            setattr(target, member, value)
    for value in _secret_values(azure):
        azure.secrets_file.add(value)


def restore_late(azure: LocalAzure, saved: Mapping[str, Any], records: Records) -> None:
    """Put back what the services have that are made last."""
    for name in _LATE:
        target = _find(azure, name)
        for member, value in records.decode(RECORDS[name], saved[name]).items():
            setattr(target, member, value)
    azure.identity_header = azure.machine_identity.header
    azure.secrets_file.add(azure.identity_header)


def remember_configured(azure: LocalAzure, seen: Seen) -> None:
    """Note what the configuration asks for where nothing is saved yet."""
    for name in ("directory", "roles", "vault"):
        target = _find(azure, name)
        _merge(target, name, {member: getattr(target, member) for member in _MEMBERS[name]}, seen)


_MEMBERS: Final = {
    "directory": ("_applications", "_identities", "_people", "tenants"),
    "roles": ("_roles", "_assignments"),
    "vault": ("_versions", "_deleted"),
}


_PLACES: Final = {
    "accountKeys": attrgetter("account_keys"),
    "claimsDemands": attrgetter("claims_demands"),
    "clock": attrgetter("clock"),
    "containers": attrgetter("storage.containers"),
    "directory": attrgetter("directory"),
    "identity": attrgetter("machine_identity"),
    "issuers": attrgetter("issuers"),
    "refreshTokens": attrgetter("sign_ins.refresh_tokens"),
    "roles": attrgetter("roles"),
    "storage": attrgetter("storage"),
    "tokens": attrgetter("tokens"),
    "vault": attrgetter("vault"),
    "workloadIssuer": attrgetter("workload_issuer"),
}


def _find(azure: LocalAzure, name: str) -> Any:
    return _PLACES[name](azure)


def _merge(target: Any, name: str, members: dict[str, Any], seen: Seen) -> None:
    fresh = {member: getattr(target, member) for member in _MEMBERS.get(name, ())}
    if name == "directory":
        members["_applications"] = merge_table(
            seen, "applications", fresh["_applications"], members["_applications"]
        )
        members["_identities"] = merge_list(
            seen, "identities", fresh["_identities"], members["_identities"], key_of=_object_id
        )
        members["_people"] = merge_list(
            seen, "people", fresh["_people"], members["_people"], key_of=_object_id
        )
        members["tenants"] = tuple(
            merge_list(seen, "tenants", fresh["tenants"], members["tenants"], key_of=lambda one: one.id)
        )
    elif name == "roles":
        members.update(_merge_roles(fresh, members, seen))
    elif name == "vault":
        kept = merge_table(
            seen,
            "vault",
            fresh["_versions"],
            {**members["_versions"], **dict.fromkeys(members["_deleted"], ())},
        )
        members["_versions"] = {one: versions for one, versions in kept.items() if versions}


def _merge_roles(fresh: dict[str, Any], saved: dict[str, Any], seen: Seen) -> dict[str, Any]:
    """Roles by their name: one from a file without an id has another id at each start."""
    built_in = {key: role for key, role in fresh["_roles"].items() if not role.custom}
    custom: dict[str, Role] = {key: role for key, role in fresh["_roles"].items() if role.custom}
    own = {key: role for key, role in saved["_roles"].items() if role.custom}
    roles = built_in | merge_table(seen, "roles", custom, own, key_of=lambda role: role.name)
    names = {role.id: role.name for role in (*custom.values(), *roles.values())}
    ids = {role.name: role.id for role in roles.values()}

    def key_of(one: RoleAssignment) -> str:
        return f"{one.principal_id} {names.get(one.role_id, one.role_id)} {one.scope}"

    assignments = merge_table(
        seen, "assignments", fresh["_assignments"], saved["_assignments"], key_of=key_of
    )
    kept = {
        key: replace(one, role_id=ids.get(names.get(one.role_id, ""), one.role_id))
        for key, one in assignments.items()
    }
    return {"_roles": roles, "_assignments": kept}


def _object_id(one: Any) -> str:
    object_id: str = one.principal.object_id
    return object_id


def _secret_values(azure: LocalAzure) -> list[str]:
    """What the file of secrets is told; identifiers, which the vault may hold too, are none."""
    applications = azure.directory.applications()
    kept = [secret.value for one in applications for secret in one.secrets]
    for current in (*azure.vault.current(), *(one.current for one in azure.vault.deleted())):
        versions = azure.vault.versions(current.name) or (current,)
        kept += [one.value for one in versions if not _is_guid(one.value)]
    kept += [azure.account_keys[name] for name in KeyName]
    return kept


def _is_guid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
