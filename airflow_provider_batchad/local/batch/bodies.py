"""Request bodies: read within the service's limit, decoded, validated; refused with Batch's errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aiohttp.web import RequestPayloadError
from pydantic import ValidationError

from airflow_provider_batchad.local.batch.errors import BatchError, invalid_property
from airflow_provider_batchad.local.batch.wire.types import WireModel

if TYPE_CHECKING:
    from aiohttp import web
    from pydantic_core import ErrorDetails

MAX_BODY_BYTES: Final = 1_048_576
_BLOCK_BYTES: Final = 64 * 1024
_SHOWN_CHARACTERS: Final = 256
_M = TypeVar("_M", bound=WireModel)

# What OData says of a JSON type; the text is of public logs of the service.
_NODES: Final[tuple[tuple[type, str], ...]] = ((dict, "StartObject"), (list, "StartArray"))
_EDM_TYPES: Final = {
    "string_type": "Edm.String",
    "int_type": "Edm.Int32",
    "int_from_float": "Edm.Int32",
    "bool_type": "Edm.Boolean",
}
_STRUCTURES: Final = {"model_type": "StartObject", "dict_type": "StartObject", "list_type": "StartArray"}


async def read_body(request: web.Request) -> bytes:
    """The body.

    :raises BatchError: it is larger than the service takes.
    """
    try:
        return await _receive(request)
    except RequestPayloadError:
        raise _invalid_body("The request body is not encoded as Content-Encoding says.") from None


async def _receive(request: web.Request) -> bytes:
    received = bytearray()
    async for block in request.content.iter_chunked(_BLOCK_BYTES):
        received += block
        if len(received) > MAX_BODY_BYTES:
            # What is left is read to its end, so that the client gets to see the answer.
            async for _ in request.content.iter_chunked(_BLOCK_BYTES):
                pass
            raise BatchError("RequestBodyTooLarge", (("MaxLimit", str(MAX_BODY_BYTES)),))
    return bytes(received)


async def read_model(request: web.Request, model: type[_M], *, or_empty: bool = False) -> _M:
    """The body as a model.

    :param or_empty: whether no body at all stands for an empty object.
    :raises BatchError: it cannot be.
    """
    body = await read_body(request)
    if or_empty and not body.strip():
        body = b"{}"
    return validate(decode(body), model.model_validate, model.edm_type)


def decode(body: bytes) -> dict[str, Any]:
    """The body as JSON.

    :raises BatchError: it is no JSON object.
    """
    try:
        decoded = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise _invalid_body("The request body is not valid JSON.") from None
    if not isinstance(decoded, dict):
        raise _invalid_body(_unexpected_node(decoded, "StartObject"))
    # Annotations of OData are no properties; clients send back those of an entity that they have read.
    return {name: value for name, value in decoded.items() if "odata." not in name}


def validate(decoded: dict[str, Any], build: Callable[[Any], _M], edm_type: str) -> _M:
    """The body as a model, or the service's error of the first thing that is wrong."""
    try:
        return build(decoded)
    except ValidationError as error:
        raise _translate(error.errors(include_url=False)[0], edm_type) from None


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


def _translate(error: ErrorDetails, edm_type: str) -> BatchError:
    kind, given = error["type"], error["input"]
    name = next((part for part in reversed(error["loc"]) if isinstance(part, str)), "value")
    if kind == "missing":
        return BatchError("MissingRequiredProperty", (("PropertyName", name),))
    if kind == "extra_forbidden":
        return _invalid_body(
            f"The property '{name}' does not exist on type '{edm_type}'. Make sure to only use property "
            "names that are defined by the type."
        )
    if kind in _EDM_TYPES:
        if isinstance(given, dict | list):
            return _invalid_body(_unexpected_node(given, "PrimitiveValue"))
        return _invalid_body(
            f"Cannot convert a primitive value to the expected type '{_EDM_TYPES[kind]}'. See the inner "
            "exception for more details."
        )
    if kind in _STRUCTURES:
        return _invalid_body(_unexpected_node(given, _STRUCTURES[kind]))
    shown = given if isinstance(given, str | int | float | bool) else json.dumps(given)
    return invalid_property(name, str(shown)[:_SHOWN_CHARACTERS], error["msg"].removeprefix("Value error, "))


def _unexpected_node(given: object, expected: str) -> str:
    found = next((node for kind, node in _NODES if isinstance(given, kind)), "PrimitiveValue")
    return (
        f"An unexpected '{found}' node was found when reading from the JSON reader. "
        f"A '{expected}' node was expected."
    )


def _invalid_body(reason: str) -> BatchError:
    return BatchError("InvalidRequestBody", (("Reason", reason),))
