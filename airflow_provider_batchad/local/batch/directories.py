"""Where a task's files lie on its node ("Files and directories in Batch")."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.node import Node


@dataclass(frozen=True, slots=True)
class TaskDirectories:
    """The directories of one task on one node."""

    root: Path

    @property
    def working(self) -> Path:
        """``AZ_BATCH_TASK_WORKING_DIR``."""
        return self.root / "wd"

    @property
    def stdout(self) -> Path:
        """The file that the task's standard output goes to."""
        return self.root / "stdout.txt"

    @property
    def stderr(self) -> Path:
        """The file that the task's standard error goes to."""
        return self.root / "stderr.txt"


def job_path(job_id: str) -> str:
    """A job's directory below the node's root; the id of a schedule's job names the schedule and the run."""
    work_item, _, run = job_id.partition(":")
    return f"workitems/{work_item}/{run or 'job-1'}"


def task_path(job_id: str, task_id: str) -> str:
    """``taskRootDirectory`` of a task."""
    return f"{job_path(job_id)}/{task_id}"


def task_directories(node: Node, job_id: str, task_id: str) -> TaskDirectories:
    """A task's directories on a node."""
    return TaskDirectories(node.root / task_path(job_id, task_id))
