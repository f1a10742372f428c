"""Operations on the files of tasks and nodes."""

from __future__ import annotations

import asyncio
import json
import shutil
from typing import TYPE_CHECKING, BinaryIO, Final
from urllib.parse import quote, unquote

from aiohttp import web

from airflow_provider_batchad.local.batch.conditions import check_conditions
from airflow_provider_batchad.local.batch.directories import task_directories
from airflow_provider_batchad.local.batch.durations import INFINITE_TICKS, parse_duration
from airflow_provider_batchad.local.batch.errors import BatchError
from airflow_provider_batchad.local.batch.files import FileArea, FileFacts, parse_range
from airflow_provider_batchad.local.batch.listing import FILE_FILTER
from airflow_provider_batchad.local.batch.paging import take_page
from airflow_provider_batchad.local.batch.ticks import to_http_date
from airflow_provider_batchad.local.framing import chunk

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.exchange import Exchange

_BLOCK_BYTES: Final = 256 * 1024


async def list_task_files(exchange: Exchange) -> web.StreamResponse:
    """``GET /jobs/{jobId}/tasks/{taskId}/files``."""
    return _list(exchange, await _task_area(exchange))


async def get_task_file(exchange: Exchange) -> web.StreamResponse:
    """``GET`` of a task's file."""
    return await _get(exchange, await _task_area(exchange))


async def get_task_file_properties(exchange: Exchange) -> web.StreamResponse:
    """``HEAD`` of a task's file."""
    return _head(exchange, await _task_area(exchange))


async def delete_task_file(exchange: Exchange) -> web.StreamResponse:
    """``DELETE`` of a task's file."""
    return _delete(exchange, await _task_area(exchange))


async def list_node_files(exchange: Exchange) -> web.StreamResponse:
    """``GET /pools/{poolId}/nodes/{nodeId}/files``."""
    return _list(exchange, _node_area(exchange))


async def get_node_file(exchange: Exchange) -> web.StreamResponse:
    """``GET`` of a node's file."""
    return await _get(exchange, _node_area(exchange))


async def get_node_file_properties(exchange: Exchange) -> web.StreamResponse:
    """``HEAD`` of a node's file."""
    return _head(exchange, _node_area(exchange))


async def delete_node_file(exchange: Exchange) -> web.StreamResponse:
    """``DELETE`` of a node's file."""
    return _delete(exchange, _node_area(exchange))


async def _task_area(exchange: Exchange) -> FileArea:
    job, task = exchange.job_and_task()
    execution = task.execution
    if execution is None or execution.node is None:
        raise BatchError("TaskFilesUnavailable")
    if execution.node.is_gone:
        # They have left with it.
        raise BatchError("NodeNotFound")
    root = task_directories(execution.node, job.id, task.id).root
    retention = parse_duration(task.read_definition()["constraints"]["retentionTime"])
    if (
        execution.end
        and retention < INFINITE_TICKS
        and execution.end + retention < exchange.account.ticks.now()
    ):
        for node in execution.nodes:
            path = task_directories(node, job.id, task.id).root
            await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
        raise BatchError("TaskFilesCleanedup")
    return FileArea(root, f"{exchange.base_url}/jobs/{job.id}/tasks/{task.id}/files")


def _node_area(exchange: Exchange) -> FileArea:
    node = exchange.node()
    return FileArea(node.root, f"{exchange.base_url}/pools/{node.pool_id}/nodes/{node.id}/files")


def _list(exchange: Exchange, area: FileArea) -> web.StreamResponse:
    query = exchange.query
    recursive = query.is_true("recursive")
    matches = query.compile_filter(FILE_FILTER)
    page = take_page(
        lambda after: area.walk(recursive=recursive, after=after),
        query,
        None if matches is None else lambda facts: matches(facts.name),
    )
    return exchange.listing("files", ",".join(json.dumps(area.show(facts)) for facts in page.entities), page)


def _head(exchange: Exchange, area: FileArea) -> web.StreamResponse:
    _, facts = area.find(_name_of(exchange))
    check_conditions(exchange.request.headers, facts.modified, is_read=True)
    headers = _describe(exchange, area, facts)
    headers["Content-Length"] = "0" if facts.is_directory else str(facts.size)
    return web.Response(headers=headers)


async def _get(exchange: Exchange, area: FileArea) -> web.StreamResponse:
    path, facts = area.find(_name_of(exchange))
    # A named pipe would be waited for.
    if not path.is_file():
        raise BatchError("IOError")
    check_conditions(exchange.request.headers, facts.modified, is_read=True)
    given = exchange.request.headers
    # The SDK asks with ocp-range and takes nothing but 200; a standard Range is answered by the standard.
    is_standard = "ocp-range" not in given and "Range" in given
    part = parse_range(given.get("ocp-range", given.get("Range")), facts.size)
    start, end = (0, facts.size - 1) if part is None else (part.start, part.end)
    headers = _describe(exchange, area, facts)
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{end}/{facts.size}"
    try:
        file = path.open("rb")
    except OSError:
        raise BatchError("IOError") from None
    status = 206 if is_standard else 200
    with file:
        file.seek(start)
        if end - start < _BLOCK_BYTES:
            small = web.Response(status=status, headers=headers, body=file.read(end - start + 1))
            return chunk(exchange.request, small)
        response = chunk(exchange.request, web.StreamResponse(status=status, headers=headers))
        await response.prepare(exchange.request)
        await _send(response, file, end - start + 1)
    await response.write_eof()
    return response


async def _send(response: web.StreamResponse, file: BinaryIO, left: int) -> None:
    while left > 0:
        block = await asyncio.to_thread(file.read, min(left, _BLOCK_BYTES))
        if not block:
            return
        left -= len(block)
        await response.write(block)


def _delete(exchange: Exchange, area: FileArea) -> web.StreamResponse:
    area.delete(_name_of(exchange), recursive=exchange.query.is_true("recursive"))
    return exchange.empty(200)


def _name_of(exchange: Exchange) -> str:
    # From the raw path: an encoded slash and a plain one mean the same here, and all is decoded once.
    return unquote(exchange.request.rel_url.raw_path.split("/files/", 1)[1])


def _describe(exchange: Exchange, area: FileArea, facts: FileFacts) -> dict[str, str]:
    headers = exchange.headers()
    headers["Content-Type"] = facts.content_type
    headers["Last-Modified"] = to_http_date(facts.modified)
    headers["ocp-creation-time"] = to_http_date(facts.modified)
    headers["ocp-batch-file-isdirectory"] = str(facts.is_directory)
    headers["ocp-batch-file-url"] = quote(area.url_of(facts.name), safe="")
    headers["ocp-batch-file-mode"] = facts.mode
    return headers
