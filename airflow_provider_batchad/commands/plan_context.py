"""Renders an operator's fields without a run: what only a run can know stays unknown."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice, product
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.operators.rendering import TasksOfFunction

if TYPE_CHECKING:
    from collections.abc import Iterator

# A DAG without a start date has runs of any date; a fixed one keeps what is printed the same from day to day.
_SOME_DATE: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MOST_INSTANCES: Final = 1000


class KnownAtRunTime(Exception):
    """Something of an operator can be said only when it runs; the text says what."""


def instances_of(task: Any) -> Iterator[Any]:
    """The operator; of a mapped one each instance, up to a thousand.

    :raises KnownAtRunTime: it is mapped over what another task returns.
    """
    if not task.is_mapped:
        yield task.prepare_for_execution()
        return
    given = task.expand_input.value
    if isinstance(given, dict) and all(isinstance(values, list | tuple) for values in given.values()):
        every: Iterator[Any] = (dict(zip(given, one, strict=True)) for one in product(*given.values()))
    elif isinstance(given, list | tuple) and all(isinstance(one, dict) for one in given):
        every = iter(given)
    else:
        raise KnownAtRunTime("it is mapped over what another task returns")
    for arguments in islice(every, _MOST_INSTANCES):
        yield task.unmap(arguments)


def render(task: Any, logical_date: datetime | None) -> None:
    """Render the templated fields in place, as a run of that date and of the DAG's own params would.

    :param logical_date: the DAG's start date by default.
    :raises KnownAtRunTime: a template asks for what only a run has, such as an XCom or a variable.
    """
    from jinja2 import TemplateError

    dag = task.dag
    date = logical_date or dag.start_date or _SOME_DATE
    stamp = date.strftime("%Y-%m-%dT%H:%M:%S+00:00")
    context: Any = {
        "dag": dag,
        "task": task,
        "params": {name: dag.params[name] for name in dag.params},
        "logical_date": date,
        "data_interval_start": date,
        "data_interval_end": date,
        "ds": stamp[:10],
        "ds_nodash": stamp[:10].replace("-", ""),
        "ts": stamp,
        "ts_nodash": date.strftime("%Y%m%dT%H%M%S"),
        "ts_nodash_with_tz": date.strftime("%Y%m%dT%H%M%S+0000"),
        "run_id": f"plan__{stamp}",
    }
    environment = task.get_template_env()
    try:
        # Not by Airflow's own loop over the fields, which logs each one that cannot be rendered.
        for name in task.template_fields:
            given = getattr(task, name, None)
            if hasattr(given, "resolve"):
                raise KnownAtRunTime(f"{name!r} is what another task returns")
            if name == "tasks" and callable(given):
                task.tasks = TasksOfFunction(given, context, environment)
            else:
                setattr(task, name, task.render_template(given, context, environment))
    except (TemplateError, TypeError, AttributeError, KeyError) as error:
        raise KnownAtRunTime(f"a template asks for what only a run has ({error})") from None
