"""The hooks that a task's own Python code makes, with the actions that it declares; nothing is run."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from airflow_provider_batchad.access.actions import AnyAction, parse_action
from airflow_provider_batchad.connection_form import DEFAULT_CONNECTION_ID

_HOOKS: Final = frozenset({"AzureBatchAdHook", "AzureBatchAdAsyncHook"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HookUse:
    """A hook that some code makes.

    :param line: of the code's file.
    :param conn_id: ``None`` where it is no text in the code.
    :param actions: ``None`` where they are no list of texts in the code, or are left out.
    """

    line: int
    conn_id: str | None
    actions: tuple[AnyAction, ...] | None


def hooks_in(code: Callable[..., Any]) -> Iterator[HookUse]:
    """Each call of a hook's class in a function; nothing where its source cannot be had."""
    code = inspect.unwrap(code)
    try:
        lines, first = inspect.getsourcelines(code)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name_of(node.func) in _HOOKS:
            yield _read(node, first)


def _read(call: ast.Call, first: int) -> HookUse:
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    conn_id = call.args[0] if call.args else given.get("batchad_conn_id")
    return HookUse(
        line=first + call.lineno - 1,
        conn_id=DEFAULT_CONNECTION_ID if conn_id is None else _text_in(conn_id),
        actions=_actions_in(given.get("actions")),
    )


def _name_of(function: ast.expr) -> str | None:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else None


def _text_in(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _actions_in(node: ast.expr | None) -> tuple[AnyAction, ...] | None:
    if not isinstance(node, ast.List | ast.Tuple | ast.Set):
        return None
    texts = [_text_in(element) for element in node.elts]
    try:
        return tuple(parse_action(text) for text in texts if text is not None) if None not in texts else None
    except ValueError:
        # What is no action is refused when the hook is made.
        return None
