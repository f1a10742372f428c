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
_MANAGEMENT_GROUP: Final = "/providers/microsoft.management/managementgroups/"


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
    """A role given to a principal (by object ID) at a scope and everything below it.

    :param id: the GUID that Azure calls its name.
    :param created: in seconds since 1970; ``None`` for those that local Azure started with.
    :param created_by: the object ID of who made it.
    """

    principal_id: str
    role_id: str
    scope: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    principal_type: str = "ServicePrincipal"
    description: str | None = None
    created: float | None = None
    created_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DenyAssignment:
    """What principals may not do at a scope, whichever roles they hold. In Azure only Azure makes them.

    :param principals: object IDs; empty for everybody.
    :param excluded: object IDs that it leaves alone.
    :param below: whether it counts below its scope as well.
    """

    name: str
    scope: str
    permissions: tuple[Permission, ...]
    principals: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    below: bool = True
    description: str = ""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def concerns(self, principal_id: str) -> bool:
        """Whether it counts for this principal."""
        return principal_id not in self.excluded and (not self.principals or principal_id in self.principals)


class RoleBook:
    """All role definitions, role assignments and deny assignments; all may change while requests are served.

    A change counts at once: Azure's propagation delay of minutes is not acted out. Every management group is
    taken to be above every subscription.
    """

    def __init__(self, roles: Iterable[Role] = ()) -> None:
        self._roles: dict[str, Role] = {role.id.casefold(): role for role in roles}
        self._assignments: dict[str, RoleAssignment] = {}
        self._denials: dict[str, DenyAssignment] = {}
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

    def remove_role(self, role_id: str) -> Role | None:
        """Forget a role definition; ``None`` where there was none with this id."""
        with self._lock:
            self._answers.clear()
            return self._roles.pop(role_id.casefold(), None)

    def assign(self, *, principal_id: str, role: str, scope: str) -> RoleAssignment:
        """Give a role (name or id) to a principal at a scope."""
        found = self.find_role(role)
        return self.add_assignment(RoleAssignment(principal_id=principal_id, role_id=found.id, scope=scope))

    def add_assignment(self, assignment: RoleAssignment) -> RoleAssignment:
        """Add a role assignment that was put together elsewhere."""
        with self._lock:
            self._assignments[assignment.id] = assignment
            self._answers.clear()
        return assignment

    def deny(self, denial: DenyAssignment) -> DenyAssignment:
        """Forbid something, whatever roles say."""
        with self._lock:
            self._denials[denial.id] = denial
            self._answers.clear()
        return denial

    def remove_denial(self, denial_id: str) -> DenyAssignment | None:
        """Take a deny assignment away; ``None`` where there was none with this id."""
        with self._lock:
            self._answers.clear()
            return self._denials.pop(denial_id, None)

    def denials(self) -> tuple[DenyAssignment, ...]:
        """Every deny assignment."""
        with self._lock:
            return tuple(self._denials.values())

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
            and (scope is None or is_at_or_below(scope, one.scope))
        )

    def permissions(self, principal_id: str, *, scope: str) -> tuple[Permission, ...]:
        """What the principal's roles give it at the scope, each on its own; deny assignments aside."""
        return tuple(
            permission
            for assignment in self.assignments(principal_id=principal_id, scope=scope)
            if (role := self._roles.get(assignment.role_id.casefold())) is not None
            for permission in role.permissions
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
        held = _Held(
            self.permissions(principal_id, scope=scope),
            tuple(
                permission
                for denial in self.denials()
                if denial.concerns(principal_id) and _counts_at(denial, scope)
                for permission in denial.permissions
            ),
        )
        lacking = [one for one in requirement.actions if not held.allows_action(one)]
        lacking += [one for one in requirement.data_actions if not held.allows_data_action(one)]
        return tuple(lacking)


class ResourceAccess:
    """What principals may do at one resource."""

    def __init__(self, book: RoleBook, scope: str) -> None:
        self._book = book
        self.scope = scope

    def missing(self, principal_id: str, requirement: Requirement) -> tuple[str, ...]:
        """What the principal lacks here; empty means that it may."""
        return self._book.missing(principal_id, requirement, scope=self.scope)


@dataclass(frozen=True, slots=True)
class _Held:
    """What a principal holds at a scope, and what it is denied there."""

    granted: tuple[Permission, ...]
    denied: tuple[Permission, ...]

    def allows_action(self, action: str) -> bool:
        if any(one.allows_action(action) for one in self.denied):
            return False
        return any(one.allows_action(action) for one in self.granted) or self._overrides(action)

    def allows_data_action(self, action: str) -> bool:
        if any(one.allows_data_action(action) for one in self.denied):
            return False
        return any(one.allows_data_action(action) for one in self.granted) or self._overrides(action)

    def _grants(self, action: str) -> bool:
        is_denied = any(one.allows_action(action) for one in self.denied)
        return not is_denied and any(one.allows_action(action) for one in self.granted)

    def _overrides(self, action: str) -> bool:
        # "Role-based access control for Azure Batch": batchAccounts/read opens any read operation of the
        # service, batchAccounts/listKeys/action any. It is why Contributor, which has no data actions, works.
        lowered = action.casefold()
        if not lowered.startswith(_BATCH):
            return False
        may_read = lowered.endswith("/read") and self._grants(_BATCH_READ)
        return may_read or self._grants(_BATCH_LIST_KEYS)


def _counts_at(denial: DenyAssignment, scope: str) -> bool:
    if denial.below:
        return is_at_or_below(scope, denial.scope)
    return scope.casefold().rstrip("/") == denial.scope.casefold().rstrip("/")


def _any_matches(patterns: Iterable[str], action: str) -> bool:
    return any(_compile_pattern(pattern).fullmatch(action) is not None for pattern in patterns)


@lru_cache(maxsize=1024)
def _compile_pattern(pattern: str) -> re.Pattern[str]:
    # Only "*" is special, and it crosses "/": Microsoft.Batch/*/read matches .../batchAccounts/jobs/read.
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.IGNORECASE)


def is_at_or_below(scope: str, ancestor: str) -> bool:
    """Whether what is given at ``ancestor`` counts at ``scope``; both resource IDs, ``/`` being the root."""
    parent, child = ancestor.casefold().rstrip("/"), scope.casefold()
    if is_management_group(parent) and child.startswith("/subscriptions/"):
        return True
    return (child + "/").startswith(parent + "/")


def is_management_group(scope: str) -> bool:
    """Whether a scope is a management group's."""
    return scope.casefold().startswith(_MANAGEMENT_GROUP)
