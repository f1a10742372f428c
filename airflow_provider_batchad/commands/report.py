"""How the verbs speak to people."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, NoReturn

_WIDTH = 200
_READER_IS_GONE = 141  # what a shell says of a program that SIGPIPE ended


@contextlib.contextmanager
def answers_alone() -> Iterator[None]:
    """Keep the standard output for what is printed within; all else that is written there goes to stderr.

    By the file descriptor: Airflow logs there, by loggers that keep the stream that they were made with.
    """
    try:
        output, errors = sys.stdout.fileno(), sys.stderr.fileno()
    except (OSError, ValueError):  # in a test, or closed
        yield
        return
    sys.stdout.flush()
    kept = os.dup(output)
    os.dup2(errors, output)
    try:
        with (
            os.fdopen(
                kept, "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors, closefd=False
            ) as answers,
            contextlib.redirect_stdout(answers),
        ):
            yield
    except BrokenPipeError:
        raise SystemExit(_READER_IS_GONE) from None
    finally:
        os.dup2(kept, output)
        os.close(kept)


def unread_files(import_errors: Mapping[str, str]) -> list[str]:
    """A sentence for each file that could not be imported.

    :param import_errors: file → traceback.
    """
    return [
        f"{file} could not be imported, and is left out: {(problem.strip().splitlines() or ['?'])[-1]}"
        for file, problem in import_errors.items()
    ]


def say(sentence: str) -> None:
    """One line for people, on stderr: programs read stdout."""
    print(plain(sentence), file=sys.stderr)


def plain(text: str) -> str:
    """Without what a terminal would obey: a DAG's names are anybody's text."""
    return "".join(sign if sign.isprintable() or sign == "\n" else repr(sign)[1:-1] for sign in text)


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
        table.add_row(*(Text(plain(cell)) for cell in row))
    stream = file or sys.stderr
    # In a file or a CI log nothing is folded at 80 columns.
    Console(file=stream, width=None if stream.isatty() else _WIDTH).print(table)
