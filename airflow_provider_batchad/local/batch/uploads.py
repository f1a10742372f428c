"""Output files: what a node sends to blob containers once a task's program has ended."""

from __future__ import annotations

import asyncio
import glob
import os
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

import aiohttp

from airflow_provider_batchad.local.batch.failures import render_failure
from airflow_provider_batchad.local.batch.node_http import NodeHttp, exact_url
from airflow_provider_batchad.local.batch.node_identities import IdentityRefused, NodeIdentities

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.directories import TaskDirectories
    from airflow_provider_batchad.local.batch.node import Node

_CONDITIONS: Final = {"taskSuccess": (True,), "taskFailure": (False,), "taskCompletion": (True, False)}
# The node writes what it has done and what went wrong beside the task's own output ("OutputFile").
_LOG: Final = "fileuploadout.txt"
_ERRORS: Final = "fileuploaderr.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Upload:
    path: Path
    blob: str
    destination: Mapping[str, Any]


class _UploadFailed(Exception):
    def __init__(self, code: str, *details: tuple[str, str]) -> None:
        self.failure = render_failure(code, *details)
        super().__init__(f"{code}: {details}")


class Uploader:
    """What sends the files of all nodes."""

    def __init__(self, http: NodeHttp, identities: NodeIdentities) -> None:
        self._http = http
        self._identities = identities

    async def send_all(
        self,
        files: Sequence[Mapping[str, Any]],
        node: Node,
        directories: TaskDirectories,
        *,
        environment: Mapping[str, str],
        is_success: bool,
    ) -> str | None:
        """Send what the ended program's success or failure calls for.

        :param environment: what ``$NAME`` in patterns stands for.
        :return: ``failureInfo`` of the first file that could not be sent.
        """
        wanted = [
            file for file in files if is_success in _CONDITIONS[file["uploadOptions"]["uploadCondition"]]
        ]
        if not wanted:
            return None
        uploads = await asyncio.to_thread(_find_all, wanted, directories.working, environment)
        sent, failure, error = [], None, ""
        for upload in uploads:
            try:
                await self._send(upload, node)
            except _UploadFailed as failed:
                failure, error = failed.failure, str(failed)
                break
            sent.append(f"{upload.path} -> {upload.blob}")
        await asyncio.to_thread(_write_logs, directories.root, sent, error)
        return failure

    async def _send(self, upload: _Upload, node: Node) -> None:
        try:
            url = urlsplit(upload.destination["containerUrl"])
        except ValueError as error:
            details = (("FilePath", str(upload.path)), ("Message", str(error)))
            raise _UploadFailed("FileUploadMiscError", *details) from None
        path = f"{url.path.rstrip('/')}/{quote(upload.blob)}"
        # Without its query: that is a signature.
        details = (("FilePath", str(upload.path)), ("BlobUrl", f"{url.scheme}://{url.netloc}{path}"))
        headers = {"x-ms-blob-type": "BlockBlob", "x-ms-version": "2022-11-02"}
        try:
            headers |= self._identities.headers(
                node, upload.destination["containerUrl"], upload.destination.get("identityReference")
            )
        except IdentityRefused as refused:
            raise _UploadFailed("FileUploadMiscError", *details, ("Message", str(refused))) from None
        for header in upload.destination.get("uploadHeaders") or ():
            headers[header["name"]] = header.get("value") or ""
        try:
            with upload.path.open("rb") as file:
                target = exact_url(urlunsplit(url._replace(path=path)))
                async with self._http.session().put(target, data=file, headers=headers) as response:
                    await _check(response, details)
        except TimeoutError:
            raise _UploadFailed("FileUploadMiscError", *details, ("Message", "Timed out")) from None
        except (aiohttp.ClientError, ValueError) as error:
            message = str(error) or type(error).__name__
            raise _UploadFailed("FileUploadMiscError", *details, ("Message", message)) from None
        except OSError as error:
            message = error.strerror or type(error).__name__
            raise _UploadFailed("FileUploadMiscError", *details, ("Message", message)) from None


async def _check(response: aiohttp.ClientResponse, details: tuple[tuple[str, str], ...]) -> None:
    if response.status == 201:
        return
    reason = response.headers.get("x-ms-error-code", "")
    if reason == "ContainerNotFound":
        raise _UploadFailed("FileUploadContainerNotFound", *details)
    message = f"{response.status} {reason or response.reason}"
    raise _UploadFailed("FileUploadMiscError", *details, ("Message", message))


def _find_all(
    files: Sequence[Mapping[str, Any]], working: Path, environment: Mapping[str, str]
) -> list[_Upload]:
    found = []
    for file in files:
        pattern = string.Template(file["filePattern"]).safe_substitute(environment)
        destination = file["destination"]["container"]
        folder = destination.get("path") or ""
        if not glob.has_magic(pattern):
            path = working / pattern
            if path.is_file():
                found.append(_Upload(path=path, blob=folder or path.name, destination=destination))
            continue
        base = working / _fixed_part(pattern)
        for name in _match(pattern, working):
            path = working / name
            if path.is_file():
                inner = Path(os.path.normpath(path)).relative_to(os.path.normpath(base)).as_posix()
                blob = f"{folder.rstrip('/')}/{inner}" if folder else inner
                found.append(_Upload(path=path, blob=blob, destination=destination))
    return found


def _match(pattern: str, working: Path) -> list[str]:
    # Path.glob matches names that begin with a dot, and takes neither absolute patterns nor "..".
    return sorted(glob.glob(pattern, root_dir=working, recursive=True))  # noqa: PTH207 - see above


def _fixed_part(pattern: str) -> PurePosixPath:
    # What a pattern matches keeps its place below the directory where the pattern begins to be one.
    parts = []
    for part in PurePosixPath(pattern).parts:
        if glob.has_magic(part):
            break
        parts.append(part)
    return PurePosixPath(*parts)


def _write_logs(directory: Path, sent: list[str], error: str) -> None:
    try:
        (directory / _LOG).write_text("".join(f"{line}\n" for line in sent), encoding="utf-8")
        (directory / _ERRORS).write_text(f"{error}\n" if error else "", encoding="utf-8")
    except OSError:
        # The task's directory may be gone already, and the logs with it.
        return
