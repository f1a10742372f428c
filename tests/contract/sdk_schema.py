"""Reads the schema of a job, of a pool and of a task off azure-batch's models.

``python -m tests.contract.sdk_schema`` writes it to ``airflow_provider_batchad/jobs/rest_schema.json``.
"""

from __future__ import annotations

import datetime as dt
import enum
import json
import re
import types
import typing
from pathlib import Path
from typing import Any

from azure.batch import models
from azure.batch.models import _enums, _models

import airflow_provider_batchad.jobs

SCHEMA_FILE = Path(airflow_provider_batchad.jobs.__file__).with_name("rest_schema.json")
ROOTS = ("BatchJobCreateOptions", "BatchPoolCreateOptions", "BatchTaskCreateOptions")
SCALARS = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    dt.timedelta: "duration",
    dt.datetime: "datetime",
}


def _is_model(kind: object) -> bool:
    return isinstance(kind, type) and getattr(kind, "_is_model", False)


def snake_case(rest_name: str) -> str:
    """``nodeAgentSKUId`` → ``node_agent_sku_id``."""
    parts = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", rest_name.replace("VNet", "Vnet"))
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", parts).lower()


def _kind(hint: Any) -> tuple[Any, list[type]]:
    arguments = [a for a in typing.get_args(hint) if a is not type(None)]
    if typing.get_origin(hint) is list:
        inner, found = _kind(arguments[0])
        return [inner], found
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        enums = [a for a in arguments if isinstance(a, type) and issubclass(a, enum.Enum)]
        if enums:
            return {"enum": [member.value for member in enums[0]]}, []
        return _kind(arguments[0])
    if typing.get_origin(hint) is dict:
        return "object", []
    if _is_model(hint):
        return hint.__name__, [hint]
    return SCALARS[hint], []


def _fields(model: type) -> tuple[dict[str, Any], list[type]]:
    names = {
        **vars(models),
        **vars(_enums),
        **vars(_models),
        "_models": types.SimpleNamespace(**{**vars(models), **vars(_enums), **vars(_models)}),
        "datetime": dt,
    }
    hints = typing.get_type_hints(model, localns=names)
    fields: dict[str, Any] = {}
    found: list[type] = []
    for attribute, hint in hints.items():
        rest_field = next((vars(c)[attribute] for c in model.__mro__ if attribute in vars(c)), None)
        if not hasattr(rest_field, "_rest_name_input"):
            continue
        rest_name = rest_field._rest_name_input or attribute
        kind, inner = _kind(hint)
        required = type(None) not in typing.get_args(hint)
        field = {"rest": rest_name, "kind": kind}
        fields[snake_case(rest_name)] = {**field, "required": True} if required else field
        found += inner
    return fields, found


def read_schema() -> dict[str, Any]:
    """Type name → field name in snake case → its REST name, kind, and whether it is required."""
    schema: dict[str, Any] = {}
    todo: list[type] = [getattr(models, name) for name in ROOTS]
    while todo:
        model = todo.pop()
        if model.__name__ not in schema:
            schema[model.__name__], found = _fields(model)
            todo += found
    return dict(sorted(schema.items()))


if __name__ == "__main__":
    SCHEMA_FILE.write_text(json.dumps(read_schema(), indent=1) + "\n")
