"""Finds secrets in what a job and its tasks say, where everyone who may read jobs would read them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.jobs.adding import chunks
from airflow_provider_batchad.jobs.schema import SpecificationError, load_schema

if TYPE_CHECKING:
    from airflow_provider_batchad.jobs.spec import JobSpec
    from airflow_provider_batchad.jobs.tasks import TaskSpec

_PROBLEM: Final = (
    "holds a value that Airflow masks as a secret, and whoever may read jobs could read it there: let the "
    "task read it from Key Vault as the pool's managed identity, or set allow_secrets_in_job=True"
)
# Those that command lines have, quickly; JSON text has no such character of its own.
_ESCAPES: Final = ((r"\"", '"'), (r"\n", "\n"), (r"\r", "\r"), (r"\t", "\t"))
_BACKSLASH: Final = "\0"


def check_for_secrets(spec: JobSpec, holds_secret: Callable[[str], bool]) -> None:
    """Refuse a job or a task that says a secret.

    :param holds_secret: whether a text holds one; asked once for about a hundred tasks while it says no.
    :raises SpecificationError: names the path of the first, such as
        ``tasks[17].environment_settings[0].value``, and never its value.
    """
    _refuse(spec.body, "job", holds_secret)
    number = 0
    for tasks in chunks(spec.tasks):
        if holds_secret(_text(tasks)):
            # The text may say it across two values: that is none.
            for offset, task in enumerate(tasks):
                _refuse(task.load(), f"tasks[{number + offset}]", holds_secret)
        number += len(tasks)


def _refuse(body: object, path: str, holds_secret: Callable[[str], bool]) -> None:
    found = next((where for where, text in _strings(body, path) if holds_secret(text)), None)
    if found is not None:
        raise SpecificationError(found, _PROBLEM)


def _text(tasks: Iterable[TaskSpec]) -> str:
    """All that the tasks say: JSON writes a quotation mark or a line's end otherwise than a secret has it."""
    text = b"\n".join(task.body for task in tasks).decode()
    if "\\" not in text:
        return text
    text = text.replace(r"\\", _BACKSLASH)
    for escape, character in _ESCAPES:
        text = text.replace(escape, character)
    if "\\" in text:
        return "\n".join(said for task in tasks for _, said in _strings(task.load(), ""))
    return text.replace(_BACKSLASH, "\\")


def _strings(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            known = _names().get(name)
            if known is None:
                # An author's own, in settings of an extension: its path must not say it either.
                yield path, name
            yield from _strings(item, f"{path}.{known or name}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _strings(item, f"{path}[{number}]")


@cache
def _names() -> Mapping[str, str]:
    """REST name → the field as an author writes it."""
    types = load_schema().values()
    return {field["rest"]: name for fields in types for name, field in fields.items()}
