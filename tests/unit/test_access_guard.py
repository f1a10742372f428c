"""The guard alone: what it lets pass, and what it says."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterable
from contextvars import copy_context
from itertools import chain, combinations
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.rest import HttpRequest

from airflow_provider_batchad.access.actions import ACTIONS, Action, AnyAction, DataAction
from airflow_provider_batchad.access.declaration import (
    Declaration,
    current_declaration,
    declaration_of,
    declared,
)
from airflow_provider_batchad.access.guard import Guard
from airflow_provider_batchad.access.operations import OPERATIONS, Operation
from airflow_provider_batchad.errors import UndeclaredRequest

READ, WRITE = DataAction.JOBS_READ, DataAction.JOBS_WRITE


def request_of(operation: Operation, content: Any = None) -> Any:
    url = f"https://a.r.batch.azure.com{operation.path.replace('{}', 'x')}?api-version=2025-06-01"
    return in_pipeline(HttpRequest(operation.method, url, content=content))


def in_pipeline(http: HttpRequest, **options: Any) -> Any:
    return SimpleNamespace(http_request=http, context=SimpleNamespace(options=options))


def ask(method: str, path: str, *, enforce: bool = True, own: Declaration | None = None) -> None:
    http = HttpRequest(method, f"https://a.r.batch.azure.com{path}")
    Guard(enforce=enforce, own=own).on_request(in_pipeline(http))


def sets_of(actions: Iterable[AnyAction]) -> list[frozenset[AnyAction]]:
    every = list(actions)
    few = chain.from_iterable(combinations(every, size) for size in (0, 1, 2))
    return [*map(frozenset, few), *(frozenset(every) - {one} for one in every), frozenset(every)]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_a_request_passes_exactly_where_all_that_it_needs_is_declared(operation: Operation) -> None:
    guard, request = Guard(enforce=True), request_of(operation)
    for actions in sets_of(ACTIONS):
        with declared(Declaration("something", actions)):
            if set(operation.need.all()) <= actions:
                guard.on_request(request)
                continue
            with pytest.raises(UndeclaredRequest) as refused:
                guard.on_request(request)
            assert set(refused.value.actions) == set(operation.need.all()) - actions
            assert operation.name in str(refused.value)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_undeclared_code_may_read_jobs_and_nothing_else(
    operation: Operation, caplog: pytest.LogCaptureFixture
) -> None:
    guard, request = Guard(enforce=True), request_of(operation)
    if operation.need.all() == (READ,):
        guard.on_request(request)
        guard.on_request(request)
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        return
    with pytest.raises(UndeclaredRequest, match="declares no actions"):
        guard.on_request(request)


def test_a_refusal_says_how_to_allow_it() -> None:
    with (
        declared(Declaration("AzureBatchSubmitJobOperator", frozenset({READ}))),
        pytest.raises(UndeclaredRequest) as refused,
    ):
        ask("POST", "/pools")
    assert str(refused.value) == (
        "'Create Pool' was not sent: it needs pools/write, which AzureBatchSubmitJobOperator does not "
        "declare. Make it with a hook that declares it, AzureBatchAdHook(conn_id, actions=['pools/write']), "
        "on a connection whose principal's role has it."
    )


def test_an_operation_that_nobody_knows_is_refused_whatever_is_declared() -> None:
    with (
        declared(Declaration("x", frozenset(ACTIONS))),
        pytest.raises(UndeclaredRequest, match="no operation"),
    ):
        ask("POST", "/jobs/j/purge")


@pytest.mark.parametrize("name", ["X-HTTP-Method", "x-http-method-override", "X-Method-Override"])
def test_a_header_that_makes_it_another_operation_is_refused(name: str) -> None:
    url, header = "https://a.r.batch.azure.com/jobs/j/terminate", {name: "DELETE"}
    guard = Guard(enforce=True)
    with declared(Declaration("x", frozenset(ACTIONS))):
        guard.on_request(in_pipeline(HttpRequest("POST", url, headers={"X-Other": "DELETE"}), headers=None))
        for request in (
            in_pipeline(HttpRequest("POST", url, headers=header)),
            in_pipeline(HttpRequest("POST", url), headers=header),
        ):
            with pytest.raises(UndeclaredRequest, match="a header makes it one"):
                guard.on_request(request)


def test_a_warning_is_given_once_for_each_operation(caplog: pytest.LogCaptureFixture) -> None:
    guard = Guard(enforce=False)
    create, delete = (one for one in OPERATIONS if one.name in ("Create Job", "Delete Job"))
    with declared(Declaration("x", frozenset())):
        for operation in (create, create, delete):
            guard.on_request(request_of(operation))
    assert [record.args[0] for record in caplog.records] == ["Create Job", "Delete Job"]  # type: ignore[index]


def test_an_auto_pool_is_seen_in_the_body() -> None:
    create = next(one for one in OPERATIONS if one.name == "Create Job")
    body = b'{"id":"j","poolInfo":{"autoPoolSpecification":{"poolLifetimeOption":"job"}}}'
    guard, request = Guard(enforce=True), request_of(create, body)
    with (
        declared(Declaration("x", frozenset({WRITE}))),
        pytest.raises(UndeclaredRequest, match="pools/write"),
    ):
        guard.on_request(request)
    with declared(Declaration("x", frozenset({WRITE, Action.POOLS_WRITE}))):
        guard.on_request(request)


def test_what_the_context_declares_goes_before_what_the_client_has() -> None:
    own = Declaration("hook", frozenset({WRITE}))
    ask("POST", "/jobs", own=own)
    with (
        declared(Declaration("operator", frozenset({READ}))),
        pytest.raises(UndeclaredRequest, match="operator"),
    ):
        ask("POST", "/jobs", own=own)


def test_one_coroutine_declares_nothing_for_another() -> None:
    met = asyncio.Event()

    async def writes() -> None:
        with declared(Declaration("writer", frozenset({WRITE}))):
            await asyncio.wait_for(met.wait(), 5)
            ask("POST", "/jobs")

    async def reads() -> None:
        with declared(Declaration("reader", frozenset({READ}))):
            met.set()
            await asyncio.sleep(0)
            with pytest.raises(UndeclaredRequest, match="reader"):
                ask("POST", "/jobs")

    async def both() -> None:
        await asyncio.gather(writes(), reads())
        assert current_declaration() is None

    asyncio.run(both())


def test_a_thread_has_what_its_context_has() -> None:
    seen: list[Declaration | None] = []
    with declared(Declaration("x", frozenset())):
        context = copy_context()
        for target in (
            lambda: seen.append(current_declaration()),
            lambda: context.run(lambda: seen.append(current_declaration())),
        ):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    assert [one.who if one else None for one in seen] == [None, "x"]


@pytest.mark.parametrize("name", ["jobs/read", "Microsoft.Batch/batchAccounts/jobs/read", "JOBS/READ"])
def test_actions_are_named_in_short_or_in_full(name: str) -> None:
    assert Declaration.of("x", [name]).actions == {READ}


def test_a_name_that_is_no_action_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"'jobs/submit' is no action .* jobs/write"):
        Declaration.of("x", ["jobs/submit"])


def test_listing_the_keys_is_not_to_be_declared() -> None:
    for name in ("listKeys/action", "batchAccounts/listKeys/action"):
        with pytest.raises(ValueError, match="no request to Batch needs it"):
            declaration_of("x", [name])
    assert declaration_of("x", None) is None
