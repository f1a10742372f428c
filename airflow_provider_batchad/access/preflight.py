"""What a principal holds at an account against what the DAGs need, as far as it can be told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from airflow_provider_batchad.access.actions import (
    ACTIONS,
    OPENS_ANY_READ,
    OPENS_EVERYTHING,
    AnyAction,
    DataAction,
    Need,
)
from airflow_provider_batchad.access.operations import BY_NAME
from airflow_provider_batchad.access.permissions import Permission, granted, matches


class Held(StrEnum):
    """Whether an action is held."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "cannot tell"


class Verdict(StrEnum):
    """What the principal holds, against what is needed."""

    MISSING = "missing"
    TOO_MUCH = "too much"
    EXACT = "exact"
    UNKNOWN = "cannot tell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found out about one action.

    :param how: how that is known, in a sentence.
    """

    action: AnyAction
    held: Held
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """What was found out about all of them.

    :param need: what the DAGs need.
    :param optional: what they can use besides.
    :param findings: one for each action of the Batch service.
    :param elsewhere: patterns of its roles that cover nothing of the Batch service's actions.
    :param notes: what could not be looked at, and why.
    """

    need: Need
    optional: Need
    findings: tuple[Finding, ...]
    elsewhere: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def held(self, action: AnyAction) -> Held:
        """Whether this one is held."""
        return next(one.held for one in self.findings if one.action == action)

    @property
    def missing(self) -> tuple[AnyAction, ...]:
        """What is needed and not held."""
        return tuple(action for action in self.need.all() if self.held(action) is Held.NO)

    @property
    def unneeded(self) -> tuple[AnyAction, ...]:
        """What is held and not needed; what opens more than itself comes first."""
        wanted = {*self.need.all(), *self.optional.all()}
        found = [one.action for one in self.findings if one.held is Held.YES and one.action not in wanted]
        return tuple(sorted(found, key=lambda one: (one is not OPENS_EVERYTHING, one is not OPENS_ANY_READ)))

    @property
    def untold(self) -> tuple[AnyAction, ...]:
        """What cannot be told, and is needed or would be too much."""
        wanted = set(self.optional.all())
        return tuple(
            one.action for one in self.findings if one.held is Held.UNKNOWN and one.action not in wanted
        )

    @property
    def verdict(self) -> Verdict:
        """The worst of it: what is missing goes before what cannot be told, and that before too much."""
        if self.missing:
            return Verdict.MISSING
        if set(self.untold) & set(self.need.all()):
            return Verdict.UNKNOWN
        if self.unneeded or self.elsewhere:
            return Verdict.TOO_MUCH
        return Verdict.UNKNOWN if self.untold else Verdict.EXACT


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleElement:
    """A permission of a principal.

    :param role: whose it is, where that is known.
    :param conditional: whether a condition (attribute-based access control) narrows it.
    """

    permission: Permission
    role: str | None = None
    conditional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """What a deny assignment takes away at the account.

    :param certain: ``False`` where a condition narrows it, or where it leaves out a group in which the
        principal may be.
    """

    permission: Permission
    certain: bool = True


def judge_elements(
    elements: Iterable[RoleElement], denials: Iterable[Denial]
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """What elements of roles grant, and their patterns that have nothing to do with Batch."""
    held, denied = tuple(elements), tuple(denials)
    findings = tuple(_judge(action, held, denied) for action in ACTIONS)
    patterns = dict.fromkeys(
        pattern
        for one in held
        for pattern, data in (
            *((text, False) for text in one.permission.actions),
            *((text, True) for text in one.permission.data_actions),
        )
        if not any(
            matches(pattern, action.value) for action in ACTIONS if isinstance(action, DataAction) is data
        )
    )
    return findings, tuple(patterns)


def _judge(action: AnyAction, held: tuple[RoleElement, ...], denied: tuple[Denial, ...]) -> Finding:
    against = [one for one in denied if one.permission.grants(action)]
    if any(one.certain for one in against):
        return Finding(action=action, held=Held.NO, how="a deny assignment takes it away")
    found = _judge_grants(action, held, denied)
    if against and found.held is Held.YES:
        how = f"{found.how}, and a deny assignment that may not concern the principal takes it away"
        return Finding(action=action, held=Held.UNKNOWN, how=how)
    return found


def _judge_grants(action: AnyAction, held: tuple[RoleElement, ...], denied: tuple[Denial, ...]) -> Finding:
    by = [one for one in held if one.permission.grants(action)]
    certain = next((one for one in by if not one.conditional), None)
    if certain is not None:
        named = f"the role {certain.role!r} grants it" if certain.role else "a role grants it"
        return Finding(action=action, held=Held.YES, how=named)
    opener = _opener(action, [one.permission for one in held if not one.conditional], denied)
    if opener is not None:
        return Finding(action=action, held=Held.YES, how=f"{opener.value} opens it, though no role grants it")
    if by:
        return Finding(action=action, held=Held.UNKNOWN, how="a role grants it under a condition")
    opener = _opener(action, [one.permission for one in held], denied)
    if opener is not None:
        how = f"{opener.value} would open it, which a role grants under a condition"
        return Finding(action=action, held=Held.UNKNOWN, how=how)
    return Finding(action=action, held=Held.NO, how="no role grants it")


def _opener(action: AnyAction, held: list[Permission], denied: tuple[Denial, ...]) -> AnyAction | None:
    if action is OPENS_EVERYTHING:
        return None
    # What is not certain to be open, since somebody may deny it, opens nothing.
    against = [one.permission for one in denied]
    for opener in (OPENS_EVERYTHING, OPENS_ANY_READ):
        reaches = opener is OPENS_EVERYTHING or action.value.endswith("/read")
        if reaches and granted(held, opener) and not granted(against, opener):
            return opener
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A request that changes nothing, whose answer tells whether an action is held.

    :param path: ``{}`` for the name of something that is not there.
    :param held: statuses that say it is held, such as 404 for something that is not there.
    """

    action: AnyAction
    operation: str
    method: str
    path: str
    body: Mapping[str, Any] | None = None
    query: Mapping[str, str] | None = None
    held: frozenset[int] = frozenset({200, 404})


_FIRST: Final = {"maxresults": "1"}


def _probe(operation: str, body: Mapping[str, Any] | None = None) -> Probe:
    """A list of one thing, or something done to what is not there; what it takes, the catalogue says."""
    asked = BY_NAME[operation]
    (action,) = asked.need.all()
    query = None if "{}" in asked.path else _FIRST
    return Probe(
        action=action, operation=operation, method=asked.method, path=asked.path, body=body, query=query
    )


PROBES: Final[tuple[Probe, ...]] = (
    _probe("List Jobs"),
    _probe("Terminate Job", {"terminateReason": "Airflow checks a connection"}),
    _probe("Delete Job"),
    _probe("List Job Schedules"),
    _probe("Terminate Job Schedule"),
    _probe("Delete Job Schedule"),
    _probe("List Pools"),
    _probe("Resize Pool", {"targetDedicatedNodes": 0}),
    _probe("Delete Pool"),
    _probe("Stop Pool Resize"),
    _probe("Disable Pool Auto Scale"),
    _probe("List Applications"),
    _probe("List Supported Images"),
)


def judge_probes(statuses: Mapping[AnyAction, int | None]) -> tuple[Finding, ...]:
    """What the answers to :data:`PROBES` say; ``None`` for a probe that nobody answered."""
    by_action = {probe.action: probe for probe in PROBES}
    findings = {action: _judge_status(probe, statuses.get(action)) for action, probe in by_action.items()}
    refused = [action for action, one in findings.items() if one.held is Held.NO]
    if refused:
        # It opens any operation: one that is refused shows that it is not held.
        keys = Finding(
            action=OPENS_EVERYTHING, held=Held.NO, how=f"{refused[0].value} is refused, which it would open"
        )
    else:
        why = "nothing on Batch tells, and listing the keys would show them"
        keys = Finding(action=OPENS_EVERYTHING, held=Held.UNKNOWN, how=why)
    findings[OPENS_EVERYTHING] = keys
    return tuple(findings[action] for action in ACTIONS)


def _judge_status(probe: Probe, status: int | None) -> Finding:
    asked = f"'{probe.operation}'" + (" of something that is not there" if "{}" in probe.path else "")
    if status is None:
        return Finding(action=probe.action, held=Held.UNKNOWN, how=f"{asked} was not answered")
    if status in probe.held:
        # Nobody has recorded that Batch asks for the role before it looks for the resource.
        inferred = "" if status == 200 else ", from which that is inferred"
        how = f"{asked} was answered with HTTP {status}{inferred}"
        return Finding(action=probe.action, held=Held.YES, how=how)
    if status == 403:
        return Finding(action=probe.action, held=Held.NO, how=f"{asked} was refused with HTTP 403")
    return Finding(
        action=probe.action,
        held=Held.UNKNOWN,
        how=f"{asked} was answered with HTTP {status}, which tells nothing",
    )
