"""The arguments of the command ``local``; light, since Airflow reads them at the start of each command."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any, Final, Protocol

from airflow_provider_batchad.local.cli.fault_arguments import parse_fault
from airflow_provider_batchad.local.cli.moments import parse_moment
from airflow_provider_batchad.local.config import (
    DEFAULT_PORT,
    DEVELOPER,
    LOOPBACK_HOSTS,
    SERVICES,
    PoolConfig,
)

DESCRIPTION: Final = (
    "Run local Azure: Entra ID, managed identity, Key Vault, Resource Manager, Batch and storage on "
    "loopback, over TLS with a certificate authority of its own. Prints the settings that clients need as "
    "export lines, then serves until Ctrl-C. For development only."
)
SECRETS_FILE_VARIABLE: Final = "BATCHAD_LOCAL_SECRETS_FILE"


class AcceptsArguments(Protocol):
    """An ``ArgumentParser``, or what gathers arguments for another kind of parser."""

    def add_argument(self, *flags: str, **options: Any) -> object:
        """As ``ArgumentParser.add_argument``."""
        ...


def add_arguments(parser: AcceptsArguments) -> None:
    """The arguments of the command."""
    parser.add_argument(
        "--host",
        default="localhost",
        help=f"where to listen: {', '.join(LOOPBACK_HOSTS)}; another address is refused (default: localhost)",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=DEFAULT_PORT,
        help=f"port of {SERVICES[0]}; {', '.join(SERVICES[1:])} follow; 0: any free (default: %(default)s)",
    )
    parser.add_argument(
        "--pool",
        type=_parse_pool,
        action="append",
        metavar="ID[:NODES[:SLOTS]]",
        help="a Batch pool, its nodes and the task slots of each; may be repeated (default: cpu:2:4)",
    )
    parser.add_argument(
        "--container",
        action="append",
        default=[],
        metavar="NAME",
        help="a blob container, which the nodes of all pools may write as an identity of theirs and the "
        "service principal may read; may be repeated",
    )
    parser.add_argument(
        "--role",
        action="append",
        metavar="NAME",
        help="a role of the service principal at the Batch account, built-in or of --role-file; may be "
        "repeated (default: Azure Batch Job Submitter)",
    )
    parser.add_argument(
        "--developer-role",
        action="append",
        default=[],
        metavar="NAME",
        help=f"a role of {DEVELOPER.name}, who may sign in, at the Batch account; may be repeated "
        "(default: none)",
    )
    parser.add_argument(
        "--role-file",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="a custom role definition in Azure's JSON; may be repeated",
    )
    parser.add_argument(
        "--no-shared-key",
        action="store_true",
        help="let the Batch account take tokens alone, and no account key",
    )
    parser.add_argument(
        "--token-lifetime",
        type=float,
        default=3600.0,
        metavar="SECONDS",
        help="how long tokens live (default: %(default)g)",
    )
    parser.add_argument(
        "--clock",
        type=parse_moment,
        metavar="TIME",
        help="where the clock starts that tokens, schedules and limits go by, such as 2026-01-01T00:00:00Z "
        "(default: the machine's time)",
    )
    parser.add_argument("--freeze-clock", action="store_true", help="let that clock stand still")
    parser.add_argument(
        "--fault",
        type=parse_fault,
        action="append",
        default=[],
        metavar="WORDS",
        help="make requests go wrong from the start: the options of `faults add` in one argument, such as "
        "\"service=batch operation='Create Job' status=503 times=2\"; may be repeated",
    )
    parser.add_argument(
        "--workload-identity",
        action="store_true",
        help="write a projected service account token, keep it fresh, and print the settings that clients "
        "find it by, AZURE_FEDERATED_TOKEN_FILE and others",
    )
    parser.add_argument(
        "--files", type=Path, metavar="DIR", help="a directory to serve read-only in place of blob storage"
    )
    parser.add_argument(
        "--container-runtime",
        metavar="PROGRAM",
        help="docker, podman or the path of one, to run container tasks with, as whoever runs local Azure "
        "(default: they fail)",
    )
    parser.add_argument(
        "--state-dir", type=Path, metavar="DIR", help="keep all that there is here between runs"
    )
    parser.add_argument(
        "--secrets-file",
        type=Path,
        metavar="PATH",
        default=os.environ.get(SECRETS_FILE_VARIABLE),
        help="append every secret and token to this file (mode 0600), to search logs and databases for them "
        f"(default: ${SECRETS_FILE_VARIABLE}, where that is set)",
    )
    parser.add_argument(
        "--env-file", type=Path, metavar="PATH", help="also write the export lines to this file (mode 0600)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object in place of export lines")


def _parse_pool(text: str) -> PoolConfig:
    name, *counts = text.split(":")
    numbers = [int(count) for count in counts if count.isdecimal() and int(count) > 0]
    if not name or len(counts) > 2 or len(numbers) < len(counts):
        raise argparse.ArgumentTypeError(f"{text!r} is not ID[:NODES[:SLOTS]], such as cpu:2:4")
    defaults = PoolConfig(id=name)
    nodes, slots = (*numbers, *(defaults.nodes, defaults.slots)[len(numbers) :])
    try:
        return PoolConfig(id=name, nodes=nodes, slots=slots)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
