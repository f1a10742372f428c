"""The hooks that a task's own Python code makes, with the actions that it declares; nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from airflow_provider_batchad.access.actions import AnyAction, parse_action
from airflow_provider_batchad.access.declaration import Declaration, declaration_of
from airflow_provider_batchad.commands.code_parts import Part, parts_of
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


def hooks_in(code: Any) -> Iterator[HookUse]:
    """Each hook that a callable or a class makes, or takes ready from its module.

    Functions and classes that it names are looked into as well, where they stand in the same folder.
    """
    for part in parts_of(code):
        if part.tree is None:
            if _HOOKS & set(part.function.__code__.co_names):
                yield HookUse(line=part.function.__code__.co_firstlineno, conn_id=None, actions=None)
            continue
        imported = _imported_in(part.tree)
        for node in ast.walk(part.tree):
            if isinstance(node, ast.Call) and _is_hook_class(node.func, part, imported):
                yield _read(node, part)
            elif isinstance(node, ast.Name) and _is_hook(type(part.value_of(node))):
                yield _read_ready(part.value_of(node), node.lineno)


def _imported_in(tree: ast.AST) -> frozenset[str]:
    """The names by which a function's own imports call the hooks' classes."""
    return frozenset(
        one.asname or one.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for one in node.names
        if one.name in _HOOKS
    )


def _is_hook_class(function: ast.expr, part: Part, imported: frozenset[str]) -> bool:
    value = part.value_of(function)
    if isinstance(value, type):
        return _is_hook(value)
    if isinstance(function, ast.Attribute):
        return function.attr in _HOOKS
    return isinstance(function, ast.Name) and function.id in imported | _HOOKS


def _is_hook(kind: type) -> bool:
    return any(one.__name__ in _HOOKS for one in kind.__mro__)


def _read(call: ast.Call, part: Part) -> HookUse:
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    conn_id = call.args[0] if call.args else given.get("batchad_conn_id")
    # What "**" holds is known only at run time.
    left_out = None if None in given else DEFAULT_CONNECTION_ID
    return HookUse(
        line=call.lineno,
        conn_id=left_out if conn_id is None else _text_in(conn_id, part),
        actions=_actions_in(given.get("actions"), part),
    )


def _read_ready(hook: Any, line: int) -> HookUse:
    declaration = vars(hook).get("_declaration")
    conn_id = vars(hook).get("batchad_conn_id")
    actions = tuple(sorted(declaration.actions)) if isinstance(declaration, Declaration) else None
    return HookUse(line=line, conn_id=conn_id if isinstance(conn_id, str) else None, actions=actions)


def _text_in(node: ast.expr, part: Part) -> str | None:
    value = node.value if isinstance(node, ast.Constant) else part.value_of(node)
    return value if isinstance(value, str) else None


def _actions_in(node: ast.expr | None, part: Part) -> tuple[AnyAction, ...] | None:
    texts: list[Any]
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        texts = [_text_in(element, part) for element in node.elts]
    else:
        value = part.value_of(node)
        texts = list(value) if isinstance(value, list | tuple | set | frozenset) else [None]
    if not all(isinstance(text, str) for text in texts):
        return None
    try:
        declaration_of("code", texts)
    except ValueError:
        # What may not be declared is refused when the hook is made.
        return None
    return tuple(parse_action(text) for text in texts)
