"""Renders thousands of tasks in a second: only text with a Jinja marker is compiled, and each piece once.

Airflow compiles every string of a templated field as a template: 36 seconds for 10,000 tasks of five strings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context
    from jinja2 import Environment

    _Operator = BaseOperator
else:
    _Operator = object

_PLAIN: Final = frozenset({int, float, bool, type(None)})
_USUAL_MARKERS: Final = ("{{", "{%", "{#")
_EXPRESSION: Final = re.compile(r"(\{\{[^{}]*\}\})")
# They reach beyond their own braces: statements, comments, control of white space, and lines' ends.
_NOT_TO_SPLIT: Final = re.compile(r"\{%|\{#|\{\{[-+]|[-+]\}\}|[\r\n]")
_MOST_TEMPLATES: Final = 4096
_SHOWN_WHOLE: Final = 20
_SHOWN_OF_MANY: Final = 3
_SHOWN_BYTES: Final = 4096


class PlainDataTemplates(_Operator):
    """Goes before ``BaseOperator``: the templated fields are plain data, and ``tasks`` is one of them."""

    def render_template(
        self,
        content: Any,
        context: Context,
        jinja_env: Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """What Airflow would render, apart from text without a marker, which is left as it is."""
        env = jinja_env or self.get_template_env()

        def as_airflow_does(value: Any) -> Any:
            return super(PlainDataTemplates, self).render_template(value, context, renderer.env, seen_oids)

        native = self.render_template_as_native_obj
        if native is None:
            dag = self.get_dag()
            native = dag is not None and dag.render_template_as_native_obj
        renderer = _Renderer(
            as_airflow_does, env, tuple(self.template_ext), seen_oids or (), split=not native
        )
        return renderer.render(content)

    def _do_render_template_fields(
        self, parent: Any, template_fields: Any, context: Context, jinja_env: Environment, seen_oids: set[int]
    ) -> None:
        # The one place that Airflow has for both, an operator and an expanded one of a mapped.
        if parent is not self:
            super()._do_render_template_fields(parent, template_fields, context, jinja_env, seen_oids)
            return
        given = getattr(self, "tasks", None)
        if callable(given):
            self.tasks: Any = TasksOfFunction(given, context, jinja_env)
        super()._do_render_template_fields(parent, template_fields, context, jinja_env, seen_oids)
        if isinstance(given := self.tasks, list | tuple) and len(given) > _SHOWN_WHOLE:
            self.tasks = ManyTasks(given)


class _Renderer:
    def __init__(
        self,
        as_airflow_does: Callable[[Any], Any],
        env: Environment,
        file_endings: tuple[str, ...],
        rendered: Any,
        *,
        split: bool,
    ) -> None:
        starts = (env.variable_start_string, env.block_start_string, env.comment_start_string)
        usual = set(starts) == set(_USUAL_MARKERS) and env.variable_end_string == "}}"
        lines = env.line_statement_prefix or env.line_comment_prefix
        self._markers = ("",) if lines else starts
        self._split = split and usual and not lines
        self._file_endings = file_endings
        self._rendered = rendered
        self._as_airflow_does = as_airflow_does
        self.env = _compiling_once(env)

    def render(self, value: Any) -> Any:
        kind = type(value)
        if kind is str:
            return self._text(value)
        if kind in _PLAIN or (self._rendered and id(value) in self._rendered):
            return value
        if kind is dict:
            return {key: self.render(item) for key, item in value.items()}
        if kind is list:
            return [self.render(item) for item in value]
        if kind is tuple:
            return tuple(self.render(item) for item in value)
        said = _fields_of(value)
        return self._as_airflow_does(value) if said is None else self.render(said)

    def _text(self, text: str) -> Any:
        if self._file_endings and text.endswith(self._file_endings):
            return self._as_airflow_does(text)
        if not any(marker in text for marker in self._markers):
            return text
        pieces = _pieces(text) if self._split else None
        if pieces is None:
            return self._as_airflow_does(text)
        return "".join(
            self._as_airflow_does(piece) if number % 2 else piece for number, piece in enumerate(pieces)
        )


def _fields_of(value: Any) -> dict[Any, Any] | None:
    """What azure-batch's models, other mappings and dataclasses say; ``None`` for anything else."""
    # Such a one knows by itself what of it is templated.
    if hasattr(value, "template_fields"):
        return None
    if isinstance(value, Mapping):
        return dict(value.items())
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return None


def _compiling_once(env: Environment) -> Environment:
    """The same environment, where a text that many tasks hold is compiled once."""
    overlay = env.overlay()
    setattr(overlay, "from_string", lru_cache(maxsize=_MOST_TEMPLATES)(overlay.from_string))  # noqa: B010 - a method of this object alone
    return overlay


def _pieces(text: str) -> list[str] | None:
    """Text and expressions in turn, where rendering them one by one is the same; otherwise ``None``.

    ``f"summarise.py {n} {{{{ ds }}}}"`` is another text for each task, and all hold the same expression.
    """
    if _NOT_TO_SPLIT.search(text):
        return None
    pieces = _EXPRESSION.split(text)
    between = pieces[::2]
    if any("{{" in one or "}}" in one for one in between) or any(one.endswith("{") for one in between[:-1]):
        return None
    return pieces


class ManyTasks(Sequence[Any]):
    """Rendered tasks, of which Airflow stores and shows a summary.

    Airflow goes through a list item by item, twice, to store the 4 KiB of ``max_templated_field_length``.
    """

    def __init__(self, tasks: Sequence[Any]) -> None:
        self._tasks = tasks

    def __getitem__(self, place: Any) -> Any:
        return self._tasks[place]

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._tasks)

    def serialize(self) -> dict[str, Any]:
        """What Airflow stores as the rendered field."""
        shown = json.dumps(list(self._tasks[:_SHOWN_OF_MANY]), default=_plain)
        # Airflow 3.2 cuts no dict to its length, and takes nothing but JSON in one.
        first = {"first_tasks": json.loads(shown)} if len(shown) <= _SHOWN_BYTES else {}
        return {"number_of_tasks": len(self._tasks), **first}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return f"<{type(value).__name__}>"


class TasksOfFunction:
    """The tasks that an author's function makes, each time they are read anew."""

    def __init__(self, function: Callable[..., Any], context: Context, jinja_env: Environment) -> None:
        self._function = function
        self._arguments = {"context": context, "jinja_env": jinja_env}

    def __iter__(self) -> Iterator[Any]:
        from airflow_provider_batchad.jobs.schema import SpecificationError

        made = self._function(**self._arguments)
        if isinstance(made, str | bytes | dict) or not hasattr(made, "__iter__"):
            raise SpecificationError("tasks", f"the function gave a {type(made).__name__}, and no tasks")
        return iter(made)

    def serialize(self) -> str:
        """What Airflow stores as the rendered field."""
        return f"made by {getattr(self._function, '__qualname__', type(self._function).__name__)}"
