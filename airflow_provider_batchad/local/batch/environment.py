"""The environment that a task's process gets ("Azure Batch runtime environment variables")."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.directories import TaskDirectories
    from airflow_provider_batchad.local.batch.node import Node

_DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_RESERVED_DISK_BYTES: Final = 1_000_000


def build_environment(
    *,
    account: str,
    account_url: str,
    job_id: str,
    task_id: str,
    node: Node,
    directories: TaskDirectories,
    preparation: TaskDirectories | None,
    common: list[Mapping[str, Any]],
    own: list[Mapping[str, Any]],
) -> dict[str, str]:
    """Nothing of the server's own environment but ``PATH``.

    :param preparation: the directories of the job's preparation task on the node, for all tasks but itself.
    :param common: ``commonEnvironmentSettings`` of the job.
    :param own: ``environmentSettings`` of the task, which win.
    """
    root = str(node.root)
    settings = {item["name"]: item.get("value") or "" for item in (*common, *own)}
    environment = {
        "PATH": os.environ.get("PATH", _DEFAULT_PATH),
        "HOME": str(directories.working),
        **settings,
        "AZ_BATCH_ACCOUNT_NAME": account,
        "AZ_BATCH_ACCOUNT_URL": account_url,
        "AZ_BATCH_POOL_ID": node.pool_id,
        "AZ_BATCH_NODE_ID": node.id,
        "AZ_BATCH_NODE_IS_DEDICATED": "true" if node.is_dedicated else "false",
        "AZ_BATCH_NODE_ROOT_DIR": root,
        "AZ_BATCH_NODE_SHARED_DIR": f"{root}/shared",
        "AZ_BATCH_NODE_STARTUP_DIR": f"{root}/startup",
        "AZ_BATCH_NODE_MOUNTS_DIR": f"{root}/fsmounts",
        "AZ_BATCH_JOB_ID": job_id,
        "AZ_BATCH_TASK_ID": task_id,
        "AZ_BATCH_TASK_DIR": str(directories.root),
        "AZ_BATCH_TASK_WORKING_DIR": str(directories.working),
        "AZ_BATCH_CERTIFICATES_DIR": f"{directories.root}/certs",
        "AZ_BATCH_TASK_RESERVED_EPHEMERAL_DISK_SPACE_BYTES": str(_RESERVED_DISK_BYTES),
    }
    if preparation is not None:
        environment["AZ_BATCH_JOB_PREP_DIR"] = str(preparation.root)
        environment["AZ_BATCH_JOB_PREP_WORKING_DIR"] = str(preparation.working)
    return environment
