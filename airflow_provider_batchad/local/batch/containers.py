"""Container tasks: the command line of the container runtime of this machine that stands for a task's own.

"Run container workloads on Azure Batch" says what a container gets: the node's directories at the same paths,
the task's variables, and the task's working directory unless the image's own is asked for.
"""

from __future__ import annotations

import os
import shlex
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.local.batch.failures import PreparationFailed

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.directories import TaskDirectories

# Where the runtime's client finds its engine and its own settings; a container sees none of it.
_OF_CLIENTS: Final = (
    "CONTAINER_HOST",
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "DOCKER_TLS_VERIFY",
    "HOME",
    "XDG_RUNTIME_DIR",
)
# Of this machine, not of the image.
_OF_MACHINES: Final = frozenset({"PATH", "HOME"})
_SOURCES: Final = {
    "Shared": "AZ_BATCH_NODE_SHARED_DIR",
    "Startup": "AZ_BATCH_NODE_STARTUP_DIR",
    "VfsMounts": "AZ_BATCH_NODE_MOUNTS_DIR",
    "Task": "AZ_BATCH_TASK_DIR",
    "JobPrep": "AZ_BATCH_JOB_PREP_DIR",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerCommand:
    """What runs a container, and what takes it away whatever became of that."""

    argv: list[str]
    environment: dict[str, str]
    removal: list[str]


class Containers:
    """The container runtime of this machine.

    :param runtime: the name or path of its program, of the command line that docker and podman share;
        ``None``: there is none, and container tasks fail.
    """

    def __init__(self, runtime: str | None) -> None:
        self._runtime = runtime

    def build(
        self,
        settings: Mapping[str, Any],
        argv: Sequence[str],
        *,
        environment: Mapping[str, str],
        directories: TaskDirectories,
    ) -> ContainerCommand:
        """The command for a task's.

        :param settings: ``containerSettings``.
        :raises PreparationFailed: no runtime is to be used, or it is not there.
        """
        program = shutil.which(self._runtime) if self._runtime is not None else None
        if program is None:
            message = "Local Azure's nodes have no container engine"
            raise PreparationFailed("CommandLaunchFailed", ("Message", message))
        name = f"batch-{uuid.uuid4()}"
        command = [program, "run", "--rm", "--name", name, *_user(program)]
        for source, is_read_only in _mounts(settings, environment):
            command += ["--volume", f"{source}:{source}{':ro' if is_read_only else ''}"]
        # By name alone: values, among them secrets, are on no command line and may have several lines.
        for variable in environment:
            command += ["--env", variable] if variable not in _OF_MACHINES else []
        if settings.get("workingDirectory") != "containerImageDefault":
            command += ["--workdir", str(directories.working)]
        options = shlex.split(settings.get("containerRunOptions") or "")
        of_client = {one: os.environ[one] for one in _OF_CLIENTS if one in os.environ}
        return ContainerCommand(
            argv=[*command, *options, settings["imageName"], *argv],
            environment={**environment, **of_client},
            removal=[program, "rm", "--force", name],
        )


def _user(program: str) -> list[str]:
    # What the container writes belongs to who runs local Azure, as a task's files belong to the task's user.
    if PurePath(program).name == "podman":
        return ["--userns", "keep-id"]
    return ["--user", f"{os.getuid()}:{os.getgid()}"]


def _mounts(settings: Mapping[str, Any], environment: Mapping[str, str]) -> Iterator[tuple[str, bool]]:
    mounts = settings.get("containerHostBatchBindMounts")
    root = environment["AZ_BATCH_NODE_ROOT_DIR"]
    if mounts is None:
        yield root, False
    for mount in mounts or ():
        if mount.get("source") is None:
            continue
        variable = _SOURCES.get(mount["source"])
        path = f"{root}/applications" if variable is None else environment.get(variable)
        # A job without a preparation has no directory of one.
        if path is not None:
            yield path, bool(mount.get("isReadOnly"))
