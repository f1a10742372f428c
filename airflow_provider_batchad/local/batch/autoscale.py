"""Autoscale formulas: those of constants and of the pool's own size are evaluated.

Source: "Create a formula to automatically scale compute nodes in a Batch pool". Statements are
``name = expression;`` over numbers, with ``+ - * /``, parentheses, ``min``, ``max`` and the author's own
variables. Metrics of the service, which a formula samples, are not kept here: a formula that reads one has an
evaluation error, in the form that the service gives it.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

MAX_FORMULA_LENGTH: Final = 8192
_MAX_DEPTH: Final = 50
_DEALLOCATION: Final = ("requeue", "terminate", "taskcompletion", "retaineddata")
_OPTION: Final = "$NodeDeallocationOption"
_DEDICATED: Final = "$TargetDedicatedNodes"
_SPOT: Final = "$TargetLowPriorityNodes"
# The older name of the first.
_SYNONYMS: Final = {"$TargetDedicated": _DEDICATED}
_FUNCTIONS: Final[dict[str, Callable[..., float]]] = {"min": min, "max": max}
_OPERATORS: Final[dict[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_TOKEN: Final = re.compile(
    r"(?P<space>\s+|//[^\n]*)|(?P<number>\d+(?:\.\d+)?)|(?P<name>\$?[A-Za-z_]\w*)|(?P<mark>[-+*/=;(),])"
    # Of the language, but of what only metrics, times and choices need.
    r"|(?P<other>[.?:<>!&|%\[\]]|\"[^\"\n]*\")"
)


class FormulaRefused(Exception):
    """A formula that cannot be read or evaluated.

    :param is_syntax: whether it cannot even be read.
    """

    def __init__(self, line: int, column: int, text: str, *, is_syntax: bool) -> None:
        self.is_syntax = is_syntax
        super().__init__(f"Line {line}, Col {column}: {text}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What a formula decides."""

    dedicated: int
    spot: int
    deallocation: str = "requeue"

    def render(self) -> str:
        """As ``AutoScaleRun.results`` has it."""
        return f"{_DEDICATED}={self.dedicated};{_SPOT}={self.spot};{_OPTION}={self.deallocation}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoScaleRun:
    """One evaluation.

    :param error: why there are no new targets, where there are none.
    """

    ticks: int
    targets: Targets
    error: str | None = None


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int
    column: int


def evaluate(formula: str, targets: Targets, *, current_dedicated: int, current_spot: int) -> Targets:
    """The targets that a formula comes to.

    :param targets: the present ones, which stand for what the formula does not set.
    :raises FormulaRefused: it cannot be read, or needs what is not known.
    """
    known: dict[str, float | str] = {
        _DEDICATED: float(targets.dedicated),
        _SPOT: float(targets.spot),
        _OPTION: targets.deallocation,
        "$CurrentDedicatedNodes": float(current_dedicated),
        "$CurrentLowPriorityNodes": float(current_spot),
    }
    _Evaluation(_tokenize(formula), known).run()
    return Targets(
        dedicated=_count(known[_DEDICATED]), spot=_count(known[_SPOT]), deallocation=str(known[_OPTION])
    )


def check_syntax(formula: str) -> None:
    """Whether the formula can be read.

    :raises FormulaRefused: it cannot.
    """
    try:
        evaluate(formula, Targets(dedicated=0, spot=0), current_dedicated=0, current_spot=0)
    except FormulaRefused as refusal:
        if refusal.is_syntax:
            raise


def _count(value: float | str) -> int:
    # The service takes the whole part; nothing makes a pool smaller than empty.
    # No comparison holds for what is no number, such as the difference of two infinities.
    return int(min(value, 2**31 - 1)) if isinstance(value, float) and value > 0 else 0


def _tokenize(formula: str) -> list[_Token]:
    tokens = []
    position = 0
    line, start = 1, 0
    while position < len(formula):
        match = _TOKEN.match(formula, position)
        column = position - start + 1
        if match is None or match.lastgroup is None:
            raise FormulaRefused(line, column, f"Unexpected character: {formula[position]}", is_syntax=True)
        if match.lastgroup != "space":
            tokens.append(_Token(match.lastgroup, match.group(), line, column))
        newlines = match.group().count("\n")
        if newlines:
            line += newlines
            start = match.start() + match.group().rindex("\n") + 1
        position = match.end()
    tokens.append(_Token("end", "end of formula", line, len(formula) - start + 1))
    return tokens


class _Evaluation:
    def __init__(self, tokens: list[_Token], known: dict[str, Any]) -> None:
        self._tokens = tokens
        self._known = known
        self._index = 0
        self._depth = 0

    def run(self) -> None:
        while self._tokens[self._index].kind != "end":
            if not self._take(";"):
                self._statement()

    def _statement(self) -> None:
        name = self._next()
        if name.kind != "name":
            raise _refuse(name, f"Unexpected token: {name.text}", is_syntax=True)
        if not self._take("="):
            # A bare expression, as the service's own tests have it, sets nothing and fails on what it names.
            self._index -= 1
            self._sum()
        else:
            target = _SYNONYMS.get(name.text, name.text)
            option = self._tokens[self._index]
            if target == _OPTION and option.text.lower() in _DEALLOCATION:
                self._index += 1
                self._known[target] = option.text.lower()
            else:
                value = self._sum()
                if target == _OPTION:
                    raise _refuse(option, f"Invalid value: {option.text}")
                self._known[target] = value
        end = self._tokens[self._index]
        if end.kind != "end" and end.text != ";":
            raise _refuse(end, f"Unexpected token: {end.text}", is_syntax=True)

    def _sum(self) -> float:
        value = self._product()
        while (mark := self._tokens[self._index].text) in ("+", "-"):
            self._index += 1
            value = _OPERATORS[mark](value, self._product())
        return value

    def _product(self) -> float:
        value = self._factor()
        while (mark := self._tokens[self._index]).text in ("*", "/"):
            self._index += 1
            divisor = self._factor()
            if mark.text == "/" and divisor == 0:
                raise _refuse(mark, "Division by zero")
            value = _OPERATORS[mark.text](value, divisor)
        return value

    def _factor(self) -> float:
        token = self._next()
        if token.kind == "number":
            return float(token.text)
        if token.text == "-":
            return -self._nested(self._factor, token)
        if token.text == "(":
            value = self._nested(self._sum, token)
            self._expect(")")
            return value
        if token.kind != "name":
            raise _refuse(token, f"Unexpected token: {token.text}", is_syntax=True)
        if token.text in _FUNCTIONS and self._take("("):
            return self._call(token)
        known = self._known.get(_SYNONYMS.get(token.text, token.text))
        if not isinstance(known, float):
            raise _refuse(token, f"Undefined symbol: {token.text}")
        return known

    def _call(self, name: _Token) -> float:
        values = [self._nested(self._sum, name)]
        while self._take(","):
            values.append(self._nested(self._sum, name))
        self._expect(")")
        return _FUNCTIONS[name.text](*values, values[0])

    def _nested(self, parse: Callable[[], float], token: _Token) -> float:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise _refuse(token, "The formula is nested too deeply", is_syntax=True)
        value = parse()
        self._depth -= 1
        return value

    def _next(self) -> _Token:
        token = self._tokens[self._index]
        if token.kind == "end":
            raise _refuse(token, f"Unexpected {token.text}", is_syntax=True)
        self._index += 1
        return token

    def _take(self, mark: str) -> bool:
        if self._tokens[self._index].text == mark:
            self._index += 1
            return True
        return False

    def _expect(self, mark: str) -> None:
        token = self._next()
        if token.text != mark:
            raise _refuse(token, f"Unexpected token: {token.text}", is_syntax=True)


def _refuse(token: _Token, text: str, *, is_syntax: bool = False) -> FormulaRefused:
    if token.kind == "other":
        return FormulaRefused(
            token.line, token.column, f"Not evaluated by local Azure: {token.text}", is_syntax=False
        )
    return FormulaRefused(token.line, token.column, text, is_syntax=is_syntax)
