"""What an author may ask back of each task: files of its working directory, and what it said in its log."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from typing import Final

STDOUT: Final = "::stdout::"
STDERR: Final = "::stderr::"
LOGS: Final[Mapping[str, str]] = {STDOUT: "stdout.txt", STDERR: "stderr.txt"}
"""What stands for the lines ``::{"outputs": {…}}::`` of a log → the log's file."""


def check_names(given: object) -> None:
    """Nothing for ``None``, a name, or a list of different ones.

    :raises ValueError: says what is wrong with the argument ``outputs``.
    """
    if given is None or isinstance(given, str):
        names: list[object] = [] if given is None else [given]
    elif isinstance(given, Iterable) and not isinstance(given, bytes | Mapping):
        names = list(given)
        if not names:
            raise ValueError("outputs: expected a file's name or several, not an empty list")
    else:
        raise ValueError(f"outputs: expected a file's name or a list of them, not a {type(given).__name__}")
    for name in names:
        _check_name(name)
    if len(set(names)) < len(names):
        raise ValueError("outputs: a name is there twice")


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"outputs: expected a file's name such as 'summary.json', not {name!r}")
    if name in LOGS:
        return
    if name.startswith("::"):
        raise ValueError(f"outputs: {name!r} is neither a file's name nor one of {', '.join(LOGS)}")
    if name.startswith("/") or posixpath.normpath(name).split("/")[0] == "..":
        raise ValueError(f"outputs: {name!r} is not below the task's working directory")


def file_path(name: str) -> str:
    """Where a task has it, as the REST API names files."""
    return LOGS.get(name) or f"wd/{posixpath.normpath(name)}"
