"""Which hooks are found in a task's code, however it is written."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from airflow_provider_batchad import hooks
from airflow_provider_batchad.access.actions import short_name
from airflow_provider_batchad.commands.code_reader import hooks_in
from airflow_provider_batchad.hooks import AzureBatchAdAsyncHook, AzureBatchAdHook
from airflow_provider_batchad.hooks import AzureBatchAdHook as Batch

CONN, ACTIONS = "named", ["jobs/read", "jobs/delete"]
READY = AzureBatchAdHook("ready", actions=["jobs/read"])


class OwnHook(AzureBatchAdHook):
    """Of one's own."""


class Caller:
    """An object that can be called."""

    def __call__(self) -> None:
        self.helper()

    def helper(self) -> None:
        AzureBatchAdHook("object", actions=["jobs/read"])


class Operator:
    """Makes its hook in a method."""

    @property
    def hook(self) -> AzureBatchAdHook:
        return AzureBatchAdHook("operator", actions=["jobs/write"])

    def execute(self, context: Any) -> None:
        self.hook.get_conn()


def plain() -> None:
    AzureBatchAdHook("plain", actions=["jobs/read"])


def aliased() -> None:
    Batch("alias", actions=["jobs/read"])


def by_module() -> None:
    hooks.AzureBatchAdHook("module", actions=["jobs/read"])


def imports_inside() -> None:
    from airflow_provider_batchad.hooks import AzureBatchAdHook as Inside

    Inside("inside", actions=["jobs/read"])


def own_class() -> None:
    OwnHook("own", actions=["jobs/read"])


def constants() -> None:
    AzureBatchAdHook(CONN, actions=ACTIONS)


def calls_a_helper() -> None:
    plain()


def recursive() -> None:
    plain()
    recursive()


def ready() -> None:
    READY.get_conn()


async def asynchronous() -> None:
    async with AzureBatchAdAsyncHook("async", actions=["jobs/read"]):
        pass


def unknown_actions(actions: list[str]) -> None:
    AzureBatchAdHook("u", actions=actions)


def shadows(CONN: str) -> None:  # noqa: N803 - the name of a constant, which it is not
    AzureBatchAdHook(CONN, actions=["jobs/read"])


def by_mapping(**given: Any) -> None:
    AzureBatchAdHook(**given)


def declares_the_keys() -> None:
    AzureBatchAdHook("k", actions=["listKeys/action"])


def enclosing(conn_id: str) -> Any:
    def inner() -> None:
        AzureBatchAdHook(conn_id, actions=["jobs/read"])

    return inner


@functools.lru_cache
def wrapped() -> None:
    AzureBatchAdHook("wrapped", actions=["jobs/read"])


in_a_call = [functools.partial(lambda: AzureBatchAdHook("lambda", actions=["jobs/read"]))]
READ = {"jobs/read"}


@pytest.mark.parametrize(
    ("code", "conn_id", "actions"),
    [
        (plain, "plain", READ),
        (aliased, "alias", READ),
        (by_module, "module", READ),
        (imports_inside, "inside", READ),
        (own_class, "own", READ),
        (constants, "named", {"jobs/read", "jobs/delete"}),
        (calls_a_helper, "plain", READ),
        (recursive, "plain", READ),
        (ready, "ready", READ),
        (asynchronous, "async", READ),
        (functools.partial(functools.partial(plain)), "plain", READ),
        (Caller(), "object", READ),
        (Caller().helper, "object", READ),
        (Operator, "operator", {"jobs/write"}),
        (in_a_call[0], "lambda", READ),
        (enclosing("closure"), "closure", READ),
        (wrapped, "wrapped", READ),
        (unknown_actions, "u", None),
        (shadows, None, READ),
        (by_mapping, None, None),
        (declares_the_keys, "k", None),
    ],
)
def test_a_hook_is_found(code: Any, conn_id: str | None, actions: set[str] | None) -> None:
    (found,) = hooks_in(code)
    assert found.conn_id == conn_id
    assert (None if found.actions is None else set(map(short_name, found.actions))) == actions


def test_code_without_a_source_is_not_passed_over() -> None:
    names: dict[str, Any] = {"AzureBatchAdHook": AzureBatchAdHook}
    exec("def made(): AzureBatchAdHook('x', actions=['jobs/read'])", names)  # noqa: S102 - no file has its source
    (found,) = hooks_in(names["made"])
    assert (found.conn_id, found.actions) == (None, None)


@pytest.mark.parametrize("code", [print, len, str, int, functools.partial(print), object()])
def test_code_that_has_no_python_makes_no_hook(code: Any) -> None:
    assert list(hooks_in(code)) == []
