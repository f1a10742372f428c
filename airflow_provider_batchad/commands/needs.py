"""From what tasks want to what a role must grant, and why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from airflow_provider_batchad.access.actions import Need

if TYPE_CHECKING:
    from airflow_provider_batchad.commands.dag_reader import Use


def need_of_uses(uses: Iterable[Use], *, optional: bool = False) -> Need:
    """The actions that tasks need, or those that they can use besides."""
    given = list(uses)
    needed = {use.wanted.action for use in given if not use.wanted.optional}
    return Need.of(*({use.wanted.action for use in given} - needed)) if optional else Need.of(*needed)


def reasons_of(uses: Iterable[Use], *, optional: bool = False) -> dict[str, list[str]]:
    """Action → one line for each reason, with the first task that has it and how many more there are."""
    by_reason: dict[tuple[str, str], list[str]] = {}
    for use in uses:
        if use.wanted.optional is optional:
            asked = f" ({use.wanted.argument})" if use.wanted.argument else ""
            key = (use.wanted.action.value, f"{use.operator}{asked} {use.wanted.why}")
            by_reason.setdefault(key, []).append(f"{use.dag_id}.{use.task_id}")
    found: dict[str, list[str]] = {}
    for (action, why), tasks in by_reason.items():
        more = f" and {len(set(tasks)) - 1} more" if len(set(tasks)) > 1 else ""
        found.setdefault(action, []).append(f"{why}: {tasks[0]}{more}")
    return found
