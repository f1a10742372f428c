"""Outputs that Batch uploads to a blob container, so that they outlive their node."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit

from airflow_provider_batchad.jobs.output_names import LOGS, check_names
from airflow_provider_batchad.jobs.rest import BatchRequest
from airflow_provider_batchad.jobs.schema import mapping_of
from airflow_provider_batchad.jobs.tasks import TaskSpec

_REQUIRED: Final = ("container_url", "files", "identity_resource_id")
_KEYS: Final = (*_REQUIRED, "read_back")
_WILDCARDS: Final = "*?[]"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputContainer:
    """A container, what each task leaves there, and how that is read back.

    Source: `OutputFileBlobContainerDestination
    <https://learn.microsoft.com/rest/api/batchservice/tasks/create-task>`__ and `Get Blob
    <https://learn.microsoft.com/rest/api/storageservices/get-blob>`__.

    :param url: of the container, without a signature: everybody with ``jobs/read`` could read that.
    :param files: below each task's working directory.
    :param identity_resource_id: resource id of an identity of the pool that may write the container.
    :param as_dict: whether a task's result is a dict, by file.
    :param read_back: whether a result is what is in the files, not their URLs.
    :param folder: of this task instance in the container: the same for all of its tries, another after a
        clear.
    """

    url: str
    files: tuple[str, ...]
    identity_resource_id: str
    as_dict: bool
    read_back: bool
    folder: str

    @classmethod
    def of(cls, given: Mapping[str, Any], folder: str) -> Self:
        """What an author says of it.

        :raises ValueError: names the key that is wrong.
        """
        for key in given:
            if key not in _KEYS:
                raise ValueError(f"outputs.{key}: expected {', '.join(_KEYS)} alone")
        for key in _REQUIRED:
            if not given.get(key):
                raise ValueError(f"outputs.{key}: is required")
        files = given["files"]
        check_names(files)
        names = (files,) if isinstance(files, str) else tuple(files)
        for name in names:
            if name in LOGS or any(sign in name for sign in _WILDCARDS):
                raise ValueError(f"outputs.files: expected the names of files, not {name!r}")
        identity = given["identity_resource_id"]
        if not isinstance(identity, str) or not identity.startswith("/subscriptions/"):
            raise ValueError(
                "outputs.identity_resource_id: expected /subscriptions/…, an identity's resource id"
            )
        read_back = given.get("read_back", True)
        if read_back not in (True, False):
            raise ValueError(f"outputs.read_back: expected True or False, not {read_back!r}")
        return cls(
            url=_checked_url(given["container_url"]),
            files=tuple(posixpath.normpath(name) for name in names),
            identity_resource_id=identity,
            as_dict=not isinstance(files, str),
            read_back=bool(read_back),
            folder=folder,
        )

    def with_output_files(self, tasks: Iterable[object]) -> Iterator[object]:
        """The tasks, each told to leave its files when it succeeds; what is no task is left to be refused."""
        for number, given in enumerate(tasks):
            task = given.load() if isinstance(given, TaskSpec) else mapping_of(given)
            if task is None:
                yield given
                continue
            task_id = task.get("id") or f"task-{number}"
            key = "outputFiles" if "outputFiles" in task else "output_files"
            yield {**task, key: [*(task.get(key) or ()), *self._output_files(str(task_id))]}

    @property
    def names(self) -> str | tuple[str, ...]:
        """What is read of each task."""
        return self.files if self.as_dict else self.files[0]

    @property
    def remedy(self) -> str:
        """What to do about a file that is not there."""
        return "Let the task write it to its working directory: Batch uploads it when the task has succeeded."

    def request(self, _job_id: str, task_id: str, name: str, *, start: int, max_bytes: int) -> BatchRequest:
        """Get Blob."""
        return BatchRequest(
            operation="Get Blob",
            method="GET",
            path=self._url_of(task_id, name),
            headers={"x-ms-range": f"bytes={start}-{start + max_bytes - 1}"},
            max_bytes=max_bytes,
        )

    def urls(self, task_ids: Sequence[str], failed: Iterable[str] = ()) -> list[Any]:
        """Where each task left its files, in the order of the tasks; ``None`` for tasks that failed."""
        without = set(failed)
        return [None if task_id in without else self._urls_of(task_id) for task_id in task_ids]

    def _urls_of(self, task_id: str) -> Any:
        urls = {name: self._url_of(task_id, name) for name in self.files}
        return urls if self.as_dict else urls[self.files[0]]

    def _url_of(self, task_id: str, name: str) -> str:
        return f"{self.url}/{quote(self._path(task_id, name))}"

    def _output_files(self, task_id: str) -> list[dict[str, Any]]:
        return [
            {
                "file_pattern": name,
                "destination": {
                    "container": {
                        "container_url": self.url,
                        "path": self._path(task_id, name),
                        "identity_reference": {"resource_id": self.identity_resource_id},
                    }
                },
                "upload_options": {"upload_condition": "tasksuccess"},
            }
            for name in self.files
        ]

    def _path(self, task_id: str, name: str) -> str:
        return f"{self.folder}/{task_id}/{name}"


def _checked_url(given: object) -> str:
    url = str(given).rstrip("/")
    parts = urlsplit(url)
    if parts.query or parts.fragment:
        raise ValueError(
            "outputs.container_url: expected no signature: everybody who may read jobs could read it; the "
            "identity needs none"
        )
    if parts.scheme != "https" or not parts.hostname or parts.username or not parts.path.strip("/"):
        raise ValueError(
            "outputs.container_url: expected https://<account>.blob.core.windows.net/<container>"
        )
    return url
