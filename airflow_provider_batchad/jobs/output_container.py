"""Outputs that Batch uploads to a blob container, so that they outlive their node."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit

from airflow_provider_batchad.jobs.output_names import LOGS, check_names
from airflow_provider_batchad.jobs.schema import mapping_of
from airflow_provider_batchad.jobs.tasks import TaskSpec

_KEYS: Final = ("container_url", "files", "identity_resource_id")
_WILDCARDS: Final = "*?[]"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputContainer:
    """A container, and what each task leaves there. Nothing here reads it.

    Source: `OutputFileBlobContainerDestination
    <https://learn.microsoft.com/rest/api/batchservice/tasks/create-task>`__.

    :param url: of the container, without a signature: everybody with ``jobs/read`` could read that.
    :param files: below each task's working directory.
    :param identity_resource_id: resource id of an identity of the pool that may write the container.
    :param as_dict: whether a task's result is a dict, file → URL.
    :param folder: of this task instance in the container: the same for all of its tries, another after a
        clear.
    """

    url: str
    files: tuple[str, ...]
    identity_resource_id: str
    as_dict: bool
    folder: str

    @classmethod
    def of(cls, given: Mapping[str, Any], folder: str) -> Self:
        """What an author says of it.

        :raises ValueError: names the key that is wrong.
        """
        for key in given:
            if key not in _KEYS:
                raise ValueError(f"outputs.{key}: expected {', '.join(_KEYS)} alone")
        for key in _KEYS:
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
        return cls(
            url=_checked_url(given["container_url"]),
            files=tuple(posixpath.normpath(name) for name in names),
            identity_resource_id=identity,
            as_dict=not isinstance(files, str),
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

    def results(self, task_ids: Sequence[str], failed: Iterable[str] = ()) -> list[Any]:
        """Where each task left its files, in the order of the tasks; ``None`` for tasks that failed."""
        without = set(failed)
        return [None if task_id in without else self._result(task_id) for task_id in task_ids]

    def _result(self, task_id: str) -> Any:
        urls = {name: f"{self.url}/{quote(self._path(task_id, name))}" for name in self.files}
        return urls if self.as_dict else urls[self.files[0]]

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
