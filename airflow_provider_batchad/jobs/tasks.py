"""The tasks of a job as ready JSON, in little memory: each is serialised once and never parsed again."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from airflow_provider_batchad.jobs.requests import dump

_PACK_TASKS: Final = 100
# The tasks of most jobs are less: they are not worth the time.
_MOST_PLAIN_BYTES: Final = 4 * 1024 * 1024
_FAST: Final = 1


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """One Batch task.

    :param id: unique in the job, compared without case.
    :param body: the whole task as the JSON of ``Create Task``.
    """

    # Airflow asks: what is JSON already is not templated.
    template_fields: ClassVar[tuple[str, ...]] = ()

    id: str
    body: bytes

    @classmethod
    def of(cls, task_id: str, body: Mapping[str, Any]) -> Self:
        """The task whose JSON says ``body``."""
        return cls(id=task_id, body=dump(body))

    def load(self) -> dict[str, Any]:
        """What the JSON says."""
        body: dict[str, Any] = json.loads(self.body)
        return body


class PackedTasks:
    """Tasks in the order in which they were added; can be read again and again.

    All of them are checked before the first is sent, and what they were made from may be gone by then. Beyond
    a few megabytes they are compressed, a hundred together: they mostly say the same.
    """

    def __init__(self) -> None:
        self.ids: list[str] = []
        self._packs: list[tuple[bool, bytes]] = []
        self._open: list[bytes] = []
        self._plain_bytes = 0

    @property
    def packed_bytes(self) -> int:
        """How much memory the tasks take, without their ids."""
        return sum(len(pack) for _, pack in self._packs) + sum(map(len, self._open))

    def append(self, task: TaskSpec) -> None:
        """Add a task after the last one."""
        self.ids.append(task.id)
        self._open.append(task.body)
        if len(self._open) == _PACK_TASKS:
            self._close()

    def _close(self) -> None:
        # JSON writes a line's end inside of a string as \\n.
        pack = b"\n".join(self._open)
        self._open = []
        if self._plain_bytes + len(pack) <= _MOST_PLAIN_BYTES:
            self._plain_bytes += len(pack)
            self._packs.append((False, pack))
        else:
            self._packs.append((True, zlib.compress(pack, _FAST)))

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[TaskSpec]:
        ids = iter(self.ids)
        for is_compressed, pack in self._packs:
            for body in (zlib.decompress(pack) if is_compressed else pack).split(b"\n"):
                yield TaskSpec(next(ids), body)
        for body in self._open:
            yield TaskSpec(next(ids), body)
