"""Where the files are that tasks left: what is asked for one, and what helps where it is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.output_names import file_path

if TYPE_CHECKING:
    from airflow_provider_batchad.jobs.rest import BatchRequest


class OutputSource(Protocol):
    """One place."""

    @property
    def remedy(self) -> str:
        """What to do about a file that is not there, in a sentence."""

    def request(self, job_id: str, task_id: str, name: str, *, start: int, max_bytes: int) -> BatchRequest:
        """The request for a part of a file.

        :param name: below the task's working directory, or one of the logs.
        :param start: the first byte wanted, counted from 0.
        """


class NodeFiles:
    """The nodes that the tasks ran on."""

    remedy = "Let the task write it to its working directory, and keep the node until it is read."

    def request(self, job_id: str, task_id: str, name: str, *, start: int, max_bytes: int) -> BatchRequest:
        """Get Task File."""
        return requests.get_task_file(job_id, task_id, file_path(name), start=start, max_bytes=max_bytes)
