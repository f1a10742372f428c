"""What the models of all resources are made of."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from airflow_provider_batchad.local.batch.durations import format_duration, parse_duration
from airflow_provider_batchad.local.batch.errors import BatchError
from airflow_provider_batchad.local.batch.ticks import parse_moment

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,10}")


class WireModel(BaseModel):
    """A body, or a part of one: camel case on the wire, nothing unknown, no type but the declared one."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True, frozen=True)

    edm_type: ClassVar[str] = "Microsoft.Azure.Batch.Protocol.Entities"

    def to_wire(self) -> dict[str, Any]:
        """What was given, with enumerations and durations in the service's own spelling."""
        return self.model_dump(by_alias=True, exclude_none=True)


def _check_id(value: str) -> str:
    if _ID.fullmatch(value) is None:
        raise ValueError(
            "The id may hold letters, digits, hyphens and underscores, and must be 1 to 64 characters long"
        )
    return value


def _check_duration(value: str) -> str:
    return format_duration(parse_duration(value))


def _read_number(value: object) -> object:
    # OData converts a string to the number that it holds, and the Azure CLI sends numbers so.
    is_number = isinstance(value, str) and _NUMBER.fullmatch(value) is not None
    return int(str(value)) if is_number else value


def read_moment(value: str) -> int:
    """Ticks of a date-time, for validators.

    :raises ValueError: it is none, with a text that can be shown.
    """
    try:
        return parse_moment(value)
    except (ValueError, TypeError, OverflowError):
        raise ValueError("The value must be a date and time in ISO 8601 format") from None


def one_of(*values: str) -> Callable[[str], str]:
    """A validator of an enumeration: any case is taken, the service's own is answered."""
    by_folded = {value.lower(): value for value in values}

    def check(value: str) -> str:
        found = by_folded.get(value.lower())
        if found is None:
            raise ValueError(f"The value must be one of {', '.join(values)}")
        return found

    return check


Id = Annotated[str, AfterValidator(_check_id)]
WholeNumber = Annotated[int, BeforeValidator(_read_number)]
Duration = Annotated[str, AfterValidator(_check_duration)]
DisplayName = Annotated[str, Field(max_length=1024)]
RetryCount = Annotated[WholeNumber, Field(ge=-1, le=2**31 - 1)]
Int32 = Annotated[WholeNumber, Field(ge=-(2**31), le=2**31 - 1)]
# Taken and then refused: real Batch knows the property, local Azure does not act it out.
Unsupported = Any


def refuse_unsupported(model: WireModel, *names: str) -> None:
    """400 for properties of the REST API that local Azure does not act out; never a made-up success.

    :param names: field names.
    :raises BatchError: one of them was given.
    """
    for name in names:
        if getattr(model, name) is not None:
            wire_name = to_camel(name)
            raise BatchError(
                "UnsupportedProperty",
                (("PropertyName", wire_name), ("Reason", f"Local Azure does not support {wire_name}")),
            )


class EnvironmentSetting(WireModel):
    """``EnvironmentSetting``."""

    name: Annotated[str, Field(min_length=1)]
    value: str | None = None


class MetadataItem(WireModel):
    """``BatchMetadataItem``."""

    name: str
    value: str
