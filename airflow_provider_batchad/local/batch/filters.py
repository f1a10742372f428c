"""``$filter``: tokens, grammar and evaluation ("OData Filters in Azure Batch" of the REST reference).

Conditions are ``property op value`` and ``startswith(property,'x')``, joined by ``and``, ``or`` and
parentheses. Property names are compared with case, string values without.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar

from airflow_provider_batchad.local.batch.ticks import parse_moment

T = TypeVar("T")
Kind = Literal["text", "moment", "number", "truth"]

_MAX_DEPTH: Final = 50
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<punctuation>[(),])"
    r"|(?P<moment>[dD]ate[tT]ime'[^']*')"
    r"|(?P<text>'(?:[^']|'')*')"
    r"|(?P<number>-?\d+(?:\.\d+)?)[lL]?(?![A-Za-z0-9_])"
    r"|(?P<word>[A-Za-z_]\w*(?:/[A-Za-z_]\w*)*))"
)
_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}


class FilterRefused(Exception):
    """The filter is not one that this list allows; the text is the error's ``Reason``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Property(Generic[T]):
    """A property that a list can be filtered by.

    :param operators: those that the documentation allows for it.
    :param read: its value: folded text, ticks, a number or a truth value; ``None`` where it is absent.
    """

    kind: Kind
    operators: frozenset[str]
    read: Callable[[T], object]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int


Predicate = Callable[[T], bool]


def compile_filter(text: str, properties: Mapping[str, Property[T]]) -> Predicate[T]:
    """A function that says whether an entity passes.

    :raises FilterRefused: a syntax error, or a property, operator or value that is not allowed here.
    """
    return _Parser(_tokenize(text), properties).parse()


def _tokenize(text: str) -> list[_Token]:
    tokens = []
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise FilterRefused(f"Syntax error at position {position} in '{text}'.")
        tokens.append(_Token(match.lastgroup, match.group(match.lastgroup), match.start(match.lastgroup)))
        position = match.end()
    tokens.append(_Token("end", "", end))
    return tokens


class _Parser(Generic[T]):
    def __init__(self, tokens: list[_Token], properties: Mapping[str, Property[T]]) -> None:
        self._tokens = tokens
        self._properties = properties
        self._index = 0
        self._depth = 0

    def parse(self) -> Predicate[T]:
        predicate = self._parse_or()
        if (rest := self._peek()).kind != "end":
            raise FilterRefused(f"Syntax error: unexpected '{rest.text}' at position {rest.position}.")
        return predicate

    def _parse_or(self) -> Predicate[T]:
        terms = [self._parse_and()]
        while self._take_word("or"):
            terms.append(self._parse_and())
        return terms[0] if len(terms) == 1 else lambda entity: any(term(entity) for term in terms)

    def _parse_and(self) -> Predicate[T]:
        terms = [self._parse_term()]
        while self._take_word("and"):
            terms.append(self._parse_term())
        return terms[0] if len(terms) == 1 else lambda entity: all(term(entity) for term in terms)

    def _parse_term(self) -> Predicate[T]:
        token = self._next()
        if token.text == "(" and token.kind == "punctuation":
            self._depth += 1
            if self._depth > _MAX_DEPTH:
                raise FilterRefused("The filter is nested too deeply.")
            inner = self._parse_or()
            self._expect(")")
            self._depth -= 1
            return inner
        if token.kind != "word":
            raise FilterRefused(f"Syntax error: unexpected '{token.text}' at position {token.position}.")
        if token.text == "startswith":
            return self._parse_startswith()
        return self._parse_comparison(token)

    def _parse_startswith(self) -> Predicate[T]:
        self._expect("(")
        name = self._next()
        self._expect(",")
        prefix = self._next()
        self._expect(")")
        wanted = self._find(name, "startswith")
        if prefix.kind != "text":
            raise FilterRefused(f"startswith needs a string at position {prefix.position}.")
        folded = _unquote(prefix.text).casefold()
        read = wanted.read

        def starts(entity: T) -> bool:
            found = read(entity)
            return isinstance(found, str) and found.startswith(folded)

        return starts

    def _parse_comparison(self, name: _Token) -> Predicate[T]:
        verb = self._next()
        if verb.text not in _COMPARE:
            raise FilterRefused(f"Syntax error: unexpected '{verb.text}' at position {verb.position}.")
        wanted = self._find(name, verb.text)
        value = _literal(self._next(), wanted.kind, name.text)
        read, compare, when_absent = wanted.read, _COMPARE[verb.text], verb.text == "ne"

        def holds(entity: T) -> bool:
            found = read(entity)
            return when_absent if found is None else compare(found, value)

        return holds

    def _find(self, name: _Token, verb: str) -> Property[T]:
        found = self._properties.get(name.text)
        if found is None:
            raise FilterRefused(f"The property '{name.text}' cannot be used in a filter of this list.")
        if verb not in found.operators:
            allowed = ", ".join(sorted(found.operators))
            raise FilterRefused(f"'{verb}' is not allowed for the property '{name.text}', only {allowed}.")
        return found

    def _peek(self) -> _Token:
        return self._tokens[self._index]

    def _next(self) -> _Token:
        token = self._tokens[self._index]
        if token.kind == "end":
            raise FilterRefused(f"Syntax error: the filter ends early, at position {token.position}.")
        self._index += 1
        return token

    def _take_word(self, word: str) -> bool:
        token = self._peek()
        if token.kind == "word" and token.text.lower() == word:
            self._index += 1
            return True
        return False

    def _expect(self, mark: str) -> None:
        token = self._next()
        if token.text != mark or token.kind != "punctuation":
            raise FilterRefused(f"Syntax error: '{mark}' expected at position {token.position}.")


def _literal(token: _Token, kind: Kind, name: str) -> object:
    text = token.text
    try:
        if kind == "text" and token.kind == "text":
            return _unquote(text).casefold()
        if kind == "moment" and token.kind == "moment":
            return parse_moment(text[len("DateTime'") : -1])
        if kind == "number" and token.kind == "number":
            return float(text) if "." in text else int(text)
        if kind == "truth" and text in ("true", "false"):
            return text == "true"
    except (ValueError, OverflowError, TypeError):
        pass
    raise FilterRefused(f"The value {text} at position {token.position} does not fit the property '{name}'.")


def _unquote(text: str) -> str:
    return text[1:-1].replace("''", "'")
