"""What the state of a task instance says about its Batch job: whether anybody still wants it."""

from __future__ import annotations

from typing import Any, Final

# A task instance in one of these was ended by a person, by a timeout of its DAG run, or cleared while it ran.
# In any other state a further try attaches to the job.
_UNWANTED: Final = frozenset({"failed", "success", "skipped", "removed", "restarting", "upstream_failed"})


def state_in(states: Any, run_id: str, task_id: str, map_index: int) -> str | None:
    """The state of one task instance in Airflow's answer; ``None`` for one without a state."""
    of_run = (states or {}).get(run_id) or {}
    state = of_run.get(task_id if map_index < 0 else f"{task_id}_{map_index}")
    return None if state is None else str(getattr(state, "value", state))


def why_unwanted_in(state: str | None) -> str | None:
    """The reason for ending the job of a task instance in that state, if it is one."""
    return f"Airflow: the task was set to {state}." if state in _UNWANTED else None
