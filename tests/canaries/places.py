"""Everything that a session leaves in files: logs, databases with what is encrypted in them, caches."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from cryptography.fernet import Fernet

from demo.leaks import database_texts

_DATABASE = "airflow.db"
# The state of a local Azure that ran as a process of its own: it holds secrets because it is there for that.
_STATES = ("state.jsonl", ".state.jsonl.new")


def texts_below(
    root: Path, *, kept_secret: Collection[Path], fernet_keys: Collection[str]
) -> Iterator[tuple[Path, str, str]]:
    """File, place in it, and text, of all files below a folder.

    :param kept_secret: files and folders that hold secrets because they are there for that.
    :param fernet_keys: those of the Airflows whose databases may be among the files.
    """
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not path.is_file() or path.name in _STATES or _is_below(path, kept_secret):
            continue
        yield path, "file", path.read_bytes().decode("latin-1")
        if path.name == _DATABASE:
            for key in fernet_keys:
                for place, content in database_texts(path, Fernet(key)):
                    yield path, place, content.decode("utf-8", errors="replace")


def _is_below(path: Path, folders: Collection[Path]) -> bool:
    return path in folders or any(parent in folders for parent in path.parents)
