"""Rows of text for people, or of JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any


def print_rows(
    rows: Iterable[Mapping[str, Any]],
    *,
    headings: Sequence[str],
    cells: Callable[[Mapping[str, Any]], Sequence[object]],
    as_json: bool,
) -> None:
    """A table for people, or one JSON object a line for programs."""
    if not as_json:
        print(format_table(headings, [cells(row) for row in rows]))
        return
    for row in rows:
        print(json.dumps(row))


def format_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The rows below their headings, each column as wide as its widest cell."""
    lines = [list(headings), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    return "\n".join(format_row(line, widths) for line in lines)


def format_row(cells: Sequence[object], widths: Sequence[int]) -> str:
    """One row, its columns at least so wide; for rows that come one by one."""
    padded = (str(cell).ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()
