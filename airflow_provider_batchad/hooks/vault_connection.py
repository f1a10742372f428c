"""The Airflow connection that Key Vault is reached as, and the one that its own vault is reached as."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_batchad.azure_connection import AZURE_CONNECTION_TYPE, AzureConnection
from airflow_provider_batchad.connection import CONNECTION_TYPE, BatchConnection
from airflow_provider_batchad.errors import ConnectionFieldError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    # Yields the ID of a connection, is sent Airflow's connection, returns the first one with all of them.
    Steps = Generator[str, Any, BatchConnection]


def with_vault_connection(
    connection: BatchConnection, look_up: Callable[[str], Any], parse: Callable[[Any], BatchConnection]
) -> BatchConnection:
    """The connection with the one that ``vault_conn_id`` names, if it names one.

    :param look_up: Airflow's connection of an ID.
    :param parse: one of this package's type, checked.
    :raises ConnectionFieldError: there is none, it is of another type or cloud, or it leads back here.
    """
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    steps = _resolve(connection, parse)
    answer: Any = None
    while True:
        try:
            conn_id = steps.send(answer)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        try:
            answer = look_up(conn_id)
        except AirflowNotFoundException:
            answer = None


async def with_vault_connection_async(
    connection: BatchConnection,
    look_up: Callable[[str], Awaitable[Any]],
    parse: Callable[[Any], BatchConnection],
) -> BatchConnection:
    """The same for an event loop."""
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    steps = _resolve(connection, parse)
    answer: Any = None
    while True:
        try:
            conn_id = steps.send(answer)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        try:
            answer = await look_up(conn_id)
        except AirflowNotFoundException:
            answer = None


def _resolve(connection: BatchConnection, parse: Callable[[Any], BatchConnection]) -> Steps:
    chain = [connection]
    last: BatchConnection | AzureConnection | None = None
    while last is None and (conn_id := chain[-1].vault_conn_id) is not None:
        ids = [one.conn_id for one in chain]
        if conn_id in ids:
            raise _refuse(chain[-1], f"leads back to where it began: {' → '.join([*ids, conn_id])}.")
        found = yield conn_id
        if found is None:
            raise _refuse(chain[-1], "names a connection that Airflow does not have.")
        other = _parse(found, chain[-1], parse)
        if isinstance(other, BatchConnection):
            chain.append(other)
        else:
            last = other
    for one in reversed(chain):
        last = one if last is None else replace(one, vault_connection=last)
    return last  # type: ignore[return-value]  # the first of the chain


def _parse(
    found: Any, asking: BatchConnection, parse: Callable[[Any], BatchConnection]
) -> BatchConnection | AzureConnection:
    if found.conn_type == AZURE_CONNECTION_TYPE:
        return AzureConnection.parse(
            conn_id=found.conn_id,
            login=found.login,
            password=found.password,
            extra=found.extra,
            cloud=asking.cloud,
        )
    if found.conn_type != CONNECTION_TYPE:
        raise _refuse(
            asking, f"names a connection of another type than {CONNECTION_TYPE} or {AZURE_CONNECTION_TYPE}."
        )
    other = parse(found)
    if other.cloud != asking.cloud:
        raise _refuse(asking, f"names a connection of another cloud than {asking.cloud.name!r}.")
    return other


def _refuse(connection: BatchConnection, what: str) -> ConnectionFieldError:
    return ConnectionFieldError(
        what,
        conn_id=connection.conn_id,
        field="extra.vault_conn_id",
        remedy="Name a connection that signs in without this one.",
    )
