"""What a person sees of the demo: a line for each thing that happens, and the result."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

SERVICES = {
    "identity": "Managed identity",
    "keyvault": "Key Vault",
    "entra": "Entra ID",
    "batch": "Batch",
}


class Progress:
    """Lines with the seconds since the start before them."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def __call__(self, sentence: str) -> None:
        print(f"{time.monotonic() - self._start:5.0f} s  {sentence}", flush=True)


def show_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Columns as wide as their widest cell, names above."""
    lines = [list(rows[0]), *([str(cell) for cell in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines
    )


def show_requests(asked: Mapping[str, Mapping[str, int]]) -> str:
    """One line a service: how many requests, and which."""
    lines = []
    for service, label in SERVICES.items():
        operations = asked.get(service, {})
        which = ", ".join(f"{number} {name}" for name, number in operations.items())
        lines.append(f"  {label:18}{sum(operations.values()):4}  {which}")
    return "\n".join(lines)
