"""What the tasks of DAGs want of a Batch account, by the connection that they name; no task is run."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.access.wanted import UNKNOWN, RoleElsewhere, Wanted
from airflow_provider_batchad.commands.code_reader import HookUse, hooks_in
from airflow_provider_batchad.commands.report import unread_files
from airflow_provider_batchad.operators.declaring import DeclaresActions

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag

CONNECTION_ARGUMENT: Final = "batchad_conn_id"
AT_RUN_TIME: Final = "(known only at run time)"

# The code that Airflow runs before, after and around a task; argument → attribute.
_CALLBACKS: Final = {
    **{
        f"on_{when}_callback": f"on_{when}_callback"
        for when in ("execute", "failure", "success", "retry", "skipped")
    },
    "pre_execute": "_pre_execute_hook",
    "post_execute": "_post_execute_hook",
}
_CALLBACKS_OF_DAG: Final = ("on_failure_callback", "on_success_callback")


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One action that one task wants.

    :param operator: its class.
    """

    dag_id: str
    task_id: str
    operator: str
    wanted: Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class UseElsewhere:
    """One role that one task wants of another service."""

    dag_id: str
    task_id: str
    operator: str
    wanted: RoleElsewhere


@dataclass(slots=True, kw_only=True)
class DagNeeds:
    """What a DAG folder holds.

    :param uses: connection id, or the text of its template → what is wanted of it.
    :param elsewhere: the same of what is wanted of other services.
    :param unread: what could not be read, and why, one sentence for each file or task.
    :param unclear: what cannot be told from the code of a task, one sentence each.
    :param dags: how many DAGs were read.
    :param tasks: how many of their tasks use Batch.
    """

    uses: dict[str, list[Use]] = field(default_factory=dict)
    elsewhere: dict[str, list[UseElsewhere]] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)
    dags: int = 0
    tasks: int = 0


def read_needs(bag: DagBag) -> DagNeeds:
    """What the tasks of all DAGs of a bag want, mapped ones and those in task groups included."""
    found = DagNeeds(unread=unread_files(bag.import_errors), dags=len(bag.dags))
    for dag_id, dag in sorted(bag.dags.items()):
        for task in sorted(dag.tasks, key=lambda one: one.task_id):
            try:
                wants, elsewhere = list(_wanted_by(task, dag_id, found.unclear)), list(_elsewhere_by(task))
            except Exception as error:  # noqa: BLE001 - an argument may be an object of anybody's making
                why = f"{type(error).__name__}: {error}"
                found.unread.append(f"{dag_id}.{task.task_id} cannot be read, and is left out: {why}")
                continue
            about = {"dag_id": dag_id, "task_id": task.task_id, "operator": task.task_type}
            for conn_id, wanted in wants:
                found.uses.setdefault(conn_id, []).append(Use(**about, wanted=wanted))
            for conn_id, role in elsewhere:
                found.elsewhere.setdefault(conn_id, []).append(UseElsewhere(**about, wanted=role))
            found.tasks += bool(wants)
        for callback in _CALLBACKS_OF_DAG:
            code = getattr(dag, callback)
            for conn_id, wanted in _wanted_by_code(code, callback, dag_id, found.unclear):
                use = Use(dag_id=dag_id, task_id=callback, operator="DAG", wanted=wanted)
                found.uses.setdefault(conn_id, []).append(use)
    return found


def _wanted_by(task: Any, dag_id: str, unclear: list[str]) -> Iterator[tuple[str, Wanted]]:
    kind: Any = task.operator_class if task.is_mapped else type(task)
    name, given = f"{dag_id}.{task.task_id}", task.partial_kwargs if task.is_mapped else vars(task)
    if issubclass(kind, DeclaresActions):
        for arguments in _arguments_of(task):
            conn_id = _connection_of(arguments.get(CONNECTION_ARGUMENT))
            for wanted in kind.wanted_actions(arguments):
                yield conn_id, wanted
    else:
        # An operator of one's own, which makes hooks in its methods; Airflow's have nothing to read.
        yield from _wanted_by_code(kind, "code", name, unclear)
        yield from _wanted_by_code(given.get("python_callable"), "code", name, unclear)
    for callback, attribute in _CALLBACKS.items():
        yield from _wanted_by_code(given.get(attribute, given.get(callback)), callback, name, unclear)


def _elsewhere_by(task: Any) -> Iterator[tuple[str, RoleElsewhere]]:
    kind: Any = task.operator_class if task.is_mapped else type(task)
    for arguments in _arguments_of(task) if issubclass(kind, DeclaresActions) else ():
        for role in kind.roles_elsewhere(arguments):
            yield _connection_of(arguments.get(CONNECTION_ARGUMENT)), role


def _wanted_by_code(given: Any, place: str, task: str, unclear: list[str]) -> Iterator[tuple[str, Wanted]]:
    """What the hooks want that a callable makes, or each of several.

    :param place: whose code it is, for people.
    """
    for code in given if isinstance(given, list | tuple) else [given]:
        for use in _hooks_of(code) if callable(code) else ():
            yield from _wanted_by_hook(use, place, task, unclear)


def _hooks_of(code: Any) -> tuple[HookUse, ...]:
    # Thousands of tasks may share a class, or a callback from "default_args".
    return _hooks_of_same(code) if isinstance(code, Hashable) else tuple(hooks_in(code))


@functools.lru_cache(maxsize=256)
def _hooks_of_same(code: Any) -> tuple[HookUse, ...]:
    return tuple(hooks_in(code))


def _wanted_by_hook(use: HookUse, place: str, task: str, unclear: list[str]) -> Iterator[tuple[str, Wanted]]:
    if use.actions is None:
        where = "" if place == "code" else f" of its {place}"
        unclear.append(
            f"{task}: the hook made in line {use.line}{where} declares no actions that can be read from the "
            "code; it may read jobs alone. Give it a list of texts: AzureBatchAdHook(conn_id, "
            "actions=['jobs/read'])."
        )
    for action in use.actions or ():
        why = f"declared for the hook in line {use.line} of its {place}"
        yield use.conn_id or AT_RUN_TIME, Wanted(action=action, why=why, argument="actions")


def _arguments_of(task: Any) -> list[dict[str, Any]]:
    """The arguments of an operator; those of each of its instances, where they are written down."""
    if not task.is_mapped:
        return [task.own_arguments()] if isinstance(task, DeclaresActions) else [{}]
    given = task.expand_input.value
    if isinstance(given, Mapping):
        return [{**task.partial_kwargs, **instance} for instance in _instances(given)]
    if isinstance(given, list | tuple) and all(isinstance(one, Mapping) for one in given):
        return [{**task.partial_kwargs, **one} for one in given]
    # Another task says which arguments there are.
    everything = dict.fromkeys(task.operator_class.argument_names(), UNKNOWN)
    return [{**everything, **task.partial_kwargs}]


def _instances(expanded: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every value of every argument once, beside the first of the others: no two ask for more together."""
    known = {
        name: list(value) if isinstance(value, list | tuple) else [UNKNOWN]
        for name, value in expanded.items()
    }
    first = {name: values[0] for name, values in known.items() if values}
    for conn_id in known.pop(CONNECTION_ARGUMENT, [None]):
        chosen = {**first, CONNECTION_ARGUMENT: conn_id} if conn_id is not None else first
        yield chosen
        for name, values in known.items():
            yield from ({**chosen, name: value} for value in values[1:])


def _connection_of(given: object) -> str:
    from airflow_provider_batchad.connection_form import DEFAULT_CONNECTION_ID

    if given is None:
        return DEFAULT_CONNECTION_ID
    return given if isinstance(given, str) else AT_RUN_TIME
