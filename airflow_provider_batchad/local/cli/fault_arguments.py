"""How a fault is said on the command line: as options of ``faults add``, or in one word of ``--fault``."""

from __future__ import annotations

import argparse
import json
import math
import shlex
from typing import TYPE_CHECKING, Any, Final, NoReturn

from airflow_provider_batchad.local.config import SERVICES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_batchad.local.cli.arguments import AcceptsArguments
    from airflow_provider_batchad.local.faults import FaultRule

_ANSWER_ONLY: Final = ("header", "code", "body")


def add_fault_arguments(parser: AcceptsArguments) -> None:
    """The options of ``batchad local faults add``: which requests, what happens to them, how many."""
    parser.add_argument("--service", choices=SERVICES, help="of which service (default: all of them)")
    parser.add_argument(
        "--operation",
        metavar="NAME",
        help="Azure's name of the operation, as the ledger shows it, such as 'Create Job'; * and ? stand for "
        "any letters, case does not matter (default: any)",
    )
    parser.add_argument(
        "--principal",
        metavar="NAME",
        help="who asks: name, client ID or object ID, such as airflow-batch (default: anybody)",
    )
    parser.add_argument(
        "--when",
        choices=("before", "after"),
        help="before the operation takes effect, or after it did, so that only its answer is lost "
        "(default: before)",
    )
    parser.add_argument(
        "--status",
        type=_parse_status,
        metavar="N",
        help="answer with this HTTP status, in the service's words",
    )
    parser.add_argument(
        "--code", metavar="CODE", help="with --status: the service's error code (default: that of the status)"
    )
    parser.add_argument(
        "--header",
        type=_parse_header,
        action="append",
        metavar="'NAME: VALUE'",
        help="with --status: a header, such as 'Retry-After: 5'; may be repeated",
    )
    parser.add_argument("--body", metavar="TEXT", help="with --status: the whole body, as it is")
    parser.add_argument(
        "--broken",
        choices=("reset", "truncate", "garble", "drip"),
        help="reset the connection, send half of the body, send other bytes in its place, or send it byte by "
        "byte, ten a second",
    )
    parser.add_argument(
        "--delay",
        type=_parse_seconds,
        metavar="SECONDS",
        help="wait so long first; alone: a slow good answer",
    )
    parser.add_argument(
        "--hold", action="store_true", default=None, help="do not answer before the fault is removed"
    )
    parser.add_argument(
        "--skip", type=_parse_count, metavar="N", help="let the first N of these requests pass (default: 0)"
    )
    parser.add_argument("--times", type=_parse_times, metavar="N", help="break only N (default: without end)")
    parser.add_argument(
        "--probability",
        type=_parse_probability,
        metavar="P",
        help="break each with this probability, 0 to 1 (default: 1)",
    )
    parser.add_argument(
        "--seed", type=int, metavar="N", help="of the generator that --probability asks (default: 0)"
    )


def fault_fields(args: argparse.Namespace) -> dict[str, Any]:
    """The fields of ``FaultRule`` that the options give.

    :raises ValueError: they make no fault; the text names the options.
    """
    given = {name: value for name in _FIELDS if (value := getattr(args, name)) is not None}
    if not given.keys() & {"status", "broken", "delay", "hold"}:
        raise ValueError("a fault needs one of --status, --broken, --delay, --hold")
    if "status" in given and given.get("broken") == "reset":
        raise ValueError("--status does not go with --broken reset: a connection that is reset has no status")
    lonely = [f"--{name}" for name in _ANSWER_ONLY if name in given and "status" not in given]
    if lonely:
        raise ValueError(f"{', '.join(lonely)} belongs to an answer: give its --status")
    if "header" in given:
        given["header"] = dict(given["header"])
    return {_FIELDS[name]: value for name, value in given.items()}


def parse_fault(text: str) -> FaultRule:
    """``--fault``: words such as ``service=batch operation='Create Job' status=503 times=2``, or JSON.

    :raises argparse.ArgumentTypeError: it makes no fault.
    """
    from airflow_provider_batchad.local.faults import FaultRule

    try:
        return FaultRule(**(_read_json(text) if text.startswith("{") else _read_words(text)))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error).replace("--", "")) from None


class _WordParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message.removeprefix("argument "))


def _read_words(text: str) -> dict[str, Any]:
    parser = _WordParser(add_help=False, allow_abbrev=False)
    add_fault_arguments(parser)
    return fault_fields(parser.parse_args([f"--{word}" for word in shlex.split(text)]))


def _read_json(text: str) -> Mapping[str, Any]:
    from pydantic import ValidationError

    from airflow_provider_batchad.local.control.bodies import FaultBody

    try:
        return FaultBody.model_validate(json.loads(text)).model_dump()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _parse_status(text: str) -> int:
    if not text.isdecimal() or not 200 <= int(text) <= 599:
        raise argparse.ArgumentTypeError(f"{text!r} is no HTTP status from 200 to 599")
    return int(text)


def _parse_header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not (name.strip() and colon) or any(letter in text for letter in "\r\n"):
        raise argparse.ArgumentTypeError(f"{text!r} is no header such as 'Retry-After: 5'")
    return name.strip(), value.strip()


def _parse_count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of requests")
    return int(text)


def _parse_times(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of requests above 0")
    return int(text)


def _parse_seconds(text: str) -> float:
    seconds = _parse_float(text)
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return seconds


def _parse_probability(text: str) -> float:
    probability = _parse_float(text)
    if not 0 <= probability <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no probability from 0 to 1")
    return probability


def _parse_float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


_FIELDS: Final = {
    "service": "service",
    "operation": "operation",
    "principal": "principal",
    "when": "when",
    "status": "status",
    "code": "code",
    "header": "headers",
    "body": "body",
    "broken": "broken",
    "delay": "delay_seconds",
    "hold": "hold",
    "skip": "skip",
    "times": "times",
    "probability": "probability",
    "seed": "seed",
}
