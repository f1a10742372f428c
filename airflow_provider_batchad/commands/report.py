"""How the verbs speak to people."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import IO, NoReturn

_WIDTH = 200


def say(sentence: str) -> None:
    """One line for people, on stderr: programs read stdout."""
    print(sentence, file=sys.stderr)


def give_up(verb: str, sentence: str) -> NoReturn:
    """End the command with status 2.

    :param sentence: what is wrong, with the argument that says it.
    """
    say(f"batchad {verb}: {sentence}")
    raise SystemExit(2)


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, file: IO[str] | None = None) -> None:
    """A table, on stderr unless told."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*heads, box=box.SIMPLE, pad_edge=False, show_header=any(heads))
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    stream = file or sys.stderr
    # In a file or a CI log nothing is folded at 80 columns.
    Console(file=stream, width=None if stream.isatty() else _WIDTH).print(table)
