"""Who may do what: role definitions, their assignment at a scope, and Azure's rules to evaluate them."""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

_BATCH: Final = "microsoft.batch/"
_BATCH_READ: Final = "Microsoft.Batch/batchAccounts/read"
_BATCH_LIST_KEYS: Final = "Microsoft.Batch/batchAccounts/listKeys/action"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What an operation needs; each must be held.

    :param actions: evaluated against ``actions`` and ``notActions``.
    :param data_actions: evaluated against ``dataActions`` and ``notDataActions``.
    """

    actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()


NOTHING: Final = Requirement()


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """One element of a role definition's ``permissions``; patterns may hold ``*`` anywhere."""

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()

    def allows_action(self, action: str) -> bool:
        """Whether this element alone grants the action."""
        return _any_matches(self.actions, action) and not _any_matches(self.not_actions, action)

    def allows_data_action(self, action: str) -> bool:
        """Whether this element alone grants the data action."""
        return _any_matches(self.data_actions, action) and not _any_matches(self.not_data_actions, action)


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role definition.

    :param id: the GUID that Azure calls its name.
    :param name: what Azure calls ``roleName``.
    """

    id: str
    name: str
    permissions: tuple[Permission, ...]
    description: str = ""
    custom: bool = False
    assignable_scopes: tuple[str, ...] = ("/",)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleAssignment:
    """A role given to a principal (by object ID) at a scope and everything below it."""

    principal_id: str
    role_id: str
    scope: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


class RoleBook:
    """All role definitions and assignments; both may change while requests are served.

    A change counts at once: Azure's propagation delay of minutes is not acted out.
    """

    def __init__(self, roles: Iterable[Role] = ()) -> None:
        self._roles: dict[str, Role] = {role.id.casefold(): role for role in roles}
        self._assignments: dict[str, RoleAssignment] = {}
        self._answers: dict[tuple[str, Requirement, str], tuple[str, ...]] = {}
        self._lock = threading.Lock()

    def roles(self) -> tuple[Role, ...]:
        """Every role definition."""
        return tuple(self._roles.values())

    def find_role(self, name_or_id: str) -> Role:
        """The role with this name or id, compared without case.

        :raises KeyError: there is none; the text lists those there are.
        """
        wanted = name_or_id.casefold()
        for role in self._roles.values():
            if wanted in (role.id.casefold(), role.name.casefold()):
                return role
        raise KeyError(
            f"no role {name_or_id!r}; there are: {', '.join(sorted(r.name for r in self.roles()))}"
        )

    def define(self, role: Role) -> None:
        """Add a role definition, or replace the one with its id."""
        with self._lock:
            self._roles[role.id.casefold()] = role
            self._answers.clear()

    def assign(self, *, principal_id: str, role: str, scope: str) -> RoleAssignment:
        """Give a role (name or id) to a principal at a scope."""
        found = self.find_role(role)
        assignment = RoleAssignment(principal_id=principal_id, role_id=found.id, scope=scope)
        with self._lock:
            self._assignments[assignment.id] = assignment
            self._answers.clear()
        return assignment

    def unassign(self, assignment_id: str) -> RoleAssignment | None:
        """Take an assignment away; ``None`` where there was none with this id."""
        with self._lock:
            self._answers.clear()
            return self._assignments.pop(assignment_id, None)

    def assignments(
        self, *, principal_id: str | None = None, scope: str | None = None
    ) -> tuple[RoleAssignment, ...]:
        """The assignments of a principal, and those that count at a scope."""
        with self._lock:
            found = tuple(self._assignments.values())
        return tuple(
            one
            for one in found
            if (principal_id is None or one.principal_id == principal_id)
            and (scope is None or _is_at_or_below(scope, one.scope))
        )

    def at(self, scope: str) -> ResourceAccess:
        """The same, seen from one resource."""
        return ResourceAccess(self, scope)

    def missing(self, principal_id: str, requirement: Requirement, *, scope: str) -> tuple[str, ...]:
        """What the principal lacks at the scope; empty means that it may."""
        key = (principal_id, requirement, scope)
        answer = self._answers.get(key)
        if answer is None:
            answer = self._evaluate(principal_id, requirement, scope)
            with self._lock:
                self._answers[key] = answer
        return answer

    def _evaluate(self, principal_id: str, requirement: Requirement, scope: str) -> tuple[str, ...]:
        held = [
            permission
            for assignment in self.assignments(principal_id=principal_id, scope=scope)
            if (role := self._roles.get(assignment.role_id.casefold())) is not None
            for permission in role.permissions
        ]
        lacking = [
            action
            for action in requirement.actions
            if not any(p.allows_action(action) for p in held) and not _is_overridden(held, action)
        ]
        lacking += [
            action
            for action in requirement.data_actions
            if not any(p.allows_data_action(action) for p in held) and not _is_overridden(held, action)
        ]
        return tuple(lacking)


class ResourceAccess:
    """What principals may do at one resource."""

    def __init__(self, book: RoleBook, scope: str) -> None:
        self._book = book
        self.scope = scope

    def missing(self, principal_id: str, requirement: Requirement) -> tuple[str, ...]:
        """What the principal lacks here; empty means that it may."""
        return self._book.missing(principal_id, requirement, scope=self.scope)


def _is_overridden(held: Iterable[Permission], action: str) -> bool:
    # "Role-based access control for Azure Batch": batchAccounts/read opens any read operation of the
    # service, batchAccounts/listKeys/action any. It is why Contributor, which has no data actions, works.
    lowered = action.casefold()
    if not lowered.startswith(_BATCH):
        return False
    may_read = lowered.endswith("/read") and any(p.allows_action(_BATCH_READ) for p in held)
    return may_read or any(p.allows_action(_BATCH_LIST_KEYS) for p in held)


def _any_matches(patterns: Iterable[str], action: str) -> bool:
    return any(_compile_pattern(pattern).fullmatch(action) is not None for pattern in patterns)


@lru_cache(maxsize=1024)
def _compile_pattern(pattern: str) -> re.Pattern[str]:
    # Only "*" is special, and it crosses "/": Microsoft.Batch/*/read matches .../batchAccounts/jobs/read.
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.IGNORECASE)


def _is_at_or_below(scope: str, ancestor: str) -> bool:
    parent = ancestor.casefold().rstrip("/")
    return (scope.casefold() + "/").startswith(parent + "/")
