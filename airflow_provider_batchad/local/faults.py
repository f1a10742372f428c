"""Faults on demand: rules that match requests and break the answer, before or after it took effect."""

from __future__ import annotations

import asyncio
import math
import random
import re
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from airflow_provider_batchad.local.config import SERVICES, ServiceName

if TYPE_CHECKING:
    from airflow_provider_batchad.local.entra.tokens import Principal


# Else nothing could take a rule away again.
_NEVER_BROKEN: Final = frozenset({"List Faults", "Remove Fault", "Clear Faults"})

# RFC 9110, 5.1 and 5.6.2: a token.
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL_CHARACTER: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_FRAMING: Final = ("content-length", "transfer-encoding")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRule:
    """Which requests go wrong, and how.

    :param service: of which service; all of them by default, but the control port: what takes rules away is
        not broken unless it is named, and its operations on faults not even then.
    :param operation: Azure's name of the operation; ``*`` and ``?`` as in a shell, without case; any by
        default.
    :param principal: name, client ID or object ID of who asks; anybody by default.
    :param when: ``before`` the operation takes effect, or ``after`` it did, its answer being lost.
    :param status: answer with this status in place of the service's answer.
    :param headers: added to that answer, such as ``{"Retry-After": "2"}``; not those of the body's length.
    :param code: the service's error code in that answer; the usual one of the status by default.
    :param body: the whole body of that answer, in place of the service's error.
    :param broken: ``reset`` the connection without an answer; ``truncate`` the body half-way; ``garble`` it
        (same length, not what it was); ``drip`` it, ten bytes a second, until the rule is removed. The
        contents of files are streamed: only ``reset`` breaks them.
    :param delay_seconds: wait so long first, in real time. Alone: a slow but good answer.
    :param hold: wait until the rule is removed.
    :param skip: let this many matching requests pass first.
    :param times: how many requests to break; without end by default.
    :param probability: of breaking each matching request, by a generator of its own seeded with ``seed``.
    """

    service: ServiceName | None = None
    operation: str | None = None
    principal: str | None = None
    when: Literal["before", "after"] = "before"
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    code: str | None = None
    body: str | None = None
    broken: Literal["reset", "truncate", "garble", "drip"] | None = None
    delay_seconds: float = 0.0
    hold: bool = False
    skip: int = 0
    times: int | None = None
    probability: float = 1.0
    seed: int = 0
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        if self.service is not None and self.service not in SERVICES:
            raise ValueError(f"service must be one of {', '.join(SERVICES)}, not {self.service!r}")
        if self.when not in ("before", "after"):
            raise ValueError(f"when must be 'before' or 'after', not {self.when!r}")
        if self.broken not in (None, "reset", "truncate", "garble", "drip"):
            raise ValueError(f"broken must be 'reset', 'truncate', 'garble' or 'drip', not {self.broken!r}")
        if self.status is not None and not 200 <= self.status <= 599:
            raise ValueError(f"status must be 200 to 599, not {self.status}")
        if self.status is not None and self.broken == "reset":
            raise ValueError("a reset connection has no status: give status or broken='reset'")
        if not 0.0 <= self.delay_seconds < math.inf:
            raise ValueError(f"delay_seconds must be 0 or more, not {self.delay_seconds}")
        for name, value in self.headers.items():
            _check_header(name, value)
        if not (self.status or self.broken or self.delay_seconds or self.hold):
            raise ValueError("a fault rule needs one of status, broken, delay_seconds, hold")

    def matches(self, service: str, operation: str, principal: Principal | None) -> bool:
        """Whether it is about such a request."""
        if self.service != service and (self.service is not None or service == "control"):
            return False
        if service == "control" and operation in _NEVER_BROKEN:
            return False
        if self.operation is not None and not fnmatchcase(operation.casefold(), self.operation.casefold()):
            return False
        if self.principal is None:
            return True
        return principal is not None and self.principal in (
            principal.name,
            principal.app_id,
            principal.object_id,
        )

    @property
    def replaces_answer(self) -> bool:
        """Whether the service's own answer is not wanted, so that the operation need not take effect."""
        return self.when == "before" and (self.status is not None or self.broken == "reset")

    def as_json(self) -> dict[str, Any]:
        """As the control port gives it."""
        shown = {one.name: getattr(self, one.name) for one in fields(self)}
        return {**shown, "headers": dict(self.headers)}


def _check_header(name: str, value: str) -> None:
    """Refuse what is no HTTP, which would hang clients or be an error of local Azure's own."""
    if _HEADER_NAME.fullmatch(name) is None:
        raise ValueError(f"headers: {name!r} is no name of a header")
    if name.lower() in _FRAMING:
        raise ValueError(f"headers: {name} is the body's own: give broken='truncate' for an answer cut short")
    if _CONTROL_CHARACTER.search(value) is not None:
        raise ValueError(f"headers: the value of {name} has a control character")


class _ActiveRule:
    """A rule and how far it has got."""

    def __init__(self, rule: FaultRule) -> None:
        self.rule = rule
        self.matched = 0
        self.hits = 0
        self._random = random.Random(rule.seed)  # noqa: S311 - repeatable, not secret
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    @property
    def held(self) -> int:
        return len(self._waiters)

    async def wait_for_removal(self) -> None:
        waiter = (asyncio.get_running_loop(), asyncio.Event())
        self._waiters.append(waiter)
        await waiter[1].wait()

    def release(self) -> None:
        while self._waiters:
            loop, event = self._waiters.pop()
            loop.call_soon_threadsafe(event.set)

    def take(self) -> bool:
        self.matched += 1
        if self.matched <= self.rule.skip or self._is_used_up():
            return False
        if self.rule.probability < 1.0 and self._random.random() >= self.rule.probability:
            return False
        self.hits += 1
        return True

    def _is_used_up(self) -> bool:
        return self.rule.times is not None and self.hits >= self.rule.times


class FaultRules:
    """The rules in force, tried in the order in which they were added: the first that takes, breaks."""

    def __init__(self) -> None:
        self._active: dict[str, _ActiveRule] = {}
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._active)

    @property
    def need_principal(self) -> bool:
        """Whether a rule asks who makes the request."""
        return any(active.rule.principal is not None for active in tuple(self._active.values()))

    def add(self, rule: FaultRule) -> FaultRule:
        """Put a rule in force."""
        with self._lock:
            self._active[rule.id] = _ActiveRule(rule)
        return rule

    def remove(self, rule_id: str) -> bool:
        """Take a rule away, releasing what it holds; ``False`` where there was none with this id."""
        with self._lock:
            active = self._active.pop(rule_id, None)
        if active is not None:
            active.release()
        return active is not None

    def clear(self) -> None:
        """Take all rules away, releasing what they hold."""
        for rule in self.rules():
            self.remove(rule.id)

    def rules(self) -> tuple[FaultRule, ...]:
        """The rules, those used up included."""
        return tuple(active.rule for active in tuple(self._active.values()))

    def is_in_force(self, rule_id: str) -> bool:
        """Whether this rule has not been removed; one that is used up is still there."""
        return rule_id in self._active

    def hits(self, rule_id: str) -> int:
        """How many requests this rule has broken."""
        active = self._active.get(rule_id)
        return active.hits if active is not None else 0

    def held(self, rule_id: str) -> int:
        """How many requests this rule holds now."""
        active = self._active.get(rule_id)
        return active.held if active is not None else 0

    async def wait_for_removal(self, rule_id: str) -> None:
        """Hold until the rule is removed."""
        active = self._active.get(rule_id)
        if active is not None:
            await active.wait_for_removal()

    def take(
        self,
        *,
        when: Literal["before", "after"],
        service: str,
        operation: str,
        principal: Principal | None,
    ) -> FaultRule | None:
        """The rule that breaks this request now, if one does; counts it as used."""
        with self._lock:
            for active in self._active.values():
                rule = active.rule
                if rule.when == when and rule.matches(service, operation, principal) and active.take():
                    return rule
        return None
