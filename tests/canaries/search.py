"""Looks for many values in a text at once, in the forms that they take on their way."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

import ahocorasick

# Shorter ones are found in any text by luck, and an ID is no secret: tests keep some in a vault.
_SHORTEST = 16
_PIECE = 32
_LONG = 128
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_VALUE_CHARACTERS = r"[0-9A-Za-z+/=_~.%-]"


class Search:
    """An automaton of all pieces of all values; a text is read once, however many there are.

    :param values: what must not be found. Those that nobody could tell from other text are left out.
    """

    def __init__(self, values: Iterable[str]) -> None:
        self._automaton = ahocorasick.Automaton()
        for value in values:
            for piece in pieces_of(value):
                self._automaton.add_word(piece, len(piece))
        self._automaton.make_automaton()

    def __len__(self) -> int:
        return len(self._automaton)

    def find(self, text: str) -> list[tuple[int, int]]:
        """Where something of a value begins and ends."""
        if not len(self):
            return []
        return [(end + 1 - length, end + 1) for end, length in self._automaton.iter(text)]

    def hide(self, text: str) -> str:
        """The text with every value in it, and whatever it runs into, struck out."""
        hidden, at = [], 0
        for start, end in _widened(text, self.find(text)):
            if start >= at:
                hidden += [text[at:start], "***"]
            at = max(at, end)
        return "".join([*hidden, text[at:]])


def pieces_of(value: str) -> set[str]:
    """What to look for so that a value is found whole, cut short, escaped or encoded; nothing for an ID."""
    value = value.strip()
    if len(value) < _SHORTEST or _GUID.fullmatch(value):
        return set()
    if value.startswith("eyJ") and value.count(".") >= 2:
        # Tokens of one issuer begin alike; nothing but the signature makes one worth stealing.
        signature = value.rpartition(".")[2]
        return {piece for piece in (signature[:_PIECE], signature[-_PIECE:]) if len(piece) >= _SHORTEST}
    forms = {value, quote(value), quote(value, safe=""), json.dumps(value)[1:-1]}
    return {piece for form in forms for piece in _cut(form)} | set(_base64_forms(value))


def _cut(value: str) -> Iterator[str]:
    if len(value) <= _PIECE:
        yield value
        return
    # Not the beginning: keys and certificates of one kind share it.
    yield value[-_PIECE:]
    if len(value) >= _LONG:
        middle = len(value) // 2
        yield value[middle : middle + _PIECE]


def _base64_forms(value: str) -> Iterator[str]:
    # As in a Basic header: what stands before a value shifts it by no, one or two bytes.
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + value.encode()).decode()
        yield from _cut(encoded[4 if shift else 0 : -4])


def _widened(text: str, spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    character = re.compile(_VALUE_CHARACTERS)
    for start, end in sorted(spans):
        while start > 0 and character.match(text, start - 1):
            start -= 1  # noqa: PLW2901 - it is widened
        while character.match(text, end):
            end += 1  # noqa: PLW2901 - as above
        yield start, end
