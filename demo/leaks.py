"""Looks for secrets, by their value, in everything that an Airflow keeps."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

_FERNET_START = "gAAAAA"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """A secret in a place where it should not be.

    :param place: a file, or a table and column of the database.
    """

    value: str = field(repr=False)
    place: str


def find_leaks(secrets: Iterable[str], home: Path, *, fernet_key: str) -> list[Leak]:
    """Where any of ``secrets`` stands in an Airflow's files and database.

    What Airflow encrypts is decrypted first.

    :param home: the AIRFLOW_HOME; its SQLite database is ``airflow.db``.
    :param fernet_key: what that Airflow encrypts with.
    """
    wanted = {value: value.encode() for value in secrets if value}
    database = home / "airflow.db"
    texts = [*database_texts(database, Fernet(fernet_key)), *_file_texts(home, database.name)]
    return [
        Leak(value=value, place=place)
        for place, content in texts
        for value, needle in wanted.items()
        if needle in content
    ]


def database_texts(database: Path, fernet: Fernet) -> Iterator[tuple[str, bytes]]:
    """Table, column and content of every cell; what Airflow encrypted stands beside it in the clear."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        tables = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        for table in tables:
            cursor = connection.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - the database's own name
            columns = [column[0] for column in cursor.description]
            for row in cursor:
                for column, value in zip(columns, row, strict=True):
                    yield from _cell(f"{table}.{column}", value, fernet)


def _cell(place: str, value: object, fernet: Fernet) -> Iterator[tuple[str, bytes]]:
    if not isinstance(value, str | bytes):
        return
    content = value.encode() if isinstance(value, str) else value
    yield place, content
    text = content.decode(errors="replace").strip('"')
    if text.startswith(_FERNET_START):
        try:
            yield f"{place} (decrypted)", fernet.decrypt(text)
        except InvalidToken:
            # Not Airflow's: it only begins like one.
            return


def _file_texts(home: Path, database: str) -> Iterator[tuple[str, bytes]]:
    for path in sorted(home.rglob("*")):
        if path.is_file() and not path.name.startswith(database):
            yield str(path.relative_to(home)), path.read_bytes()
    for path in sorted(home.glob(f"{database}*")):
        yield path.name, path.read_bytes()
