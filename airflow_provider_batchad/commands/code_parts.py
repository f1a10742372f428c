"""Which Python functions a task runs, with what they call in the DAG's own folder; nothing is run."""

from __future__ import annotations

import ast
import functools
import inspect
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any, Final

_WITHOUT_HOOKS: Final = sys.stdlib_module_names | {"builtins", "airflow", "airflow_provider_batchad"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """A function's code.

    :param tree: what it is written as; ``None`` where its source cannot be had.
    :param names: what its names stand for outside of it.
    """

    function: FunctionType
    tree: ast.AST | None
    names: Mapping[str, Any]

    def value_of(self, node: ast.expr | None) -> Any:
        """What a name, or an attribute of a module, stands for; ``None`` for what only a run knows."""
        if isinstance(node, ast.Name):
            return None if node.id in self.function.__code__.co_varnames else self.names.get(node.id)
        if isinstance(node, ast.Attribute):
            holder = self.value_of(node.value)
            return vars(holder).get(node.attr) if inspect.ismodule(holder) else None
        return None


def parts_of(code: Any) -> Iterator[Part]:
    """The functions of a callable or of a class, and those in its folder that they name."""
    waiting = list(_functions_of(code))
    folders = {_folder_of(function) for function in waiting}
    seen: set[FunctionType] = set()
    while waiting:
        function = waiting.pop(0)
        if function in seen:
            continue
        seen.add(function)
        part = Part(function=function, tree=_tree_of(function), names=_names_of(function))
        yield part
        for value in _named_in(part):
            waiting += [one for one in _functions_of(value) if _folder_of(one) in folders]


def _functions_of(code: Any) -> Iterator[FunctionType]:
    while isinstance(code, functools.partial):
        code = code.func
    if isinstance(code, type):
        for kind in code.__mro__:
            if kind.__module__.partition(".")[0] not in _WITHOUT_HOOKS:
                for member in vars(kind).values():
                    yield from _plain(getattr(member, "__func__", member))
        return
    code = getattr(code, "__func__", code)
    if hasattr(type(code), "cache_info"):  # functools' caches are no functions
        code = inspect.unwrap(code)
    if isinstance(code, FunctionType):
        yield from _plain(code)
    elif not inspect.isbuiltin(code) and not inspect.ismodule(code) and callable(code):
        # An object that can be called, of a class of one's own.
        yield from _functions_of(type(code))


def _plain(code: Any) -> Iterator[FunctionType]:
    code = getattr(code, "fget", code)  # a property
    if isinstance(code, FunctionType):
        yield code
        inner = inspect.unwrap(code)
        if inner is not code and isinstance(inner, FunctionType):
            yield inner


def _folder_of(function: FunctionType) -> Path:
    return Path(function.__code__.co_filename).parent


def _names_of(function: FunctionType) -> dict[str, Any]:
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=False)
    enclosed = {}
    for name, cell in cells:
        try:
            enclosed[name] = cell.cell_contents
        except ValueError:  # not filled yet
            continue
    return {**function.__globals__, **enclosed}


def _named_in(part: Part) -> Iterator[Any]:
    for node in ast.walk(part.tree) if part.tree is not None else ():
        if isinstance(node, ast.Name | ast.Attribute):
            yield part.value_of(node)


def _tree_of(function: FunctionType) -> ast.AST | None:
    try:
        lines, _ = inspect.findsource(function)
        return _by_line("".join(lines)).get((function.__code__.co_name, function.__code__.co_firstlineno))
    except (OSError, TypeError, SyntaxError):
        return None


@functools.lru_cache(maxsize=64)
def _by_line(source: str) -> dict[tuple[str, int], ast.AST]:
    """Each function of a file by its name and first line; a lambda need not be a statement of its own."""
    found: dict[tuple[str, int], ast.AST] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            begin = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            found[node.name, begin] = node
        elif isinstance(node, ast.Lambda):
            key = ("<lambda>", node.lineno)
            # Which of several in one line it is cannot be told: all of them count.
            found[key] = ast.Tuple(elts=[node, found[key]], ctx=ast.Load()) if key in found else node  # type: ignore[list-item]
    return found
