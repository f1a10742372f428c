"""The command ``local`` of ``airflow batchad`` and ``batchad``: its arguments, and what it prints."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.local.config import (
    AIRFLOW_APPLICATION,
    DEFAULT_ASSIGNMENTS,
    DEFAULT_PORT,
    LOOPBACK_HOSTS,
    SERVICES,
    AssignmentConfig,
    LocalAzureConfig,
    PoolConfig,
)

if TYPE_CHECKING:
    from airflow_provider_batchad.local.access import Role
    from airflow_provider_batchad.local.server import LocalAzure

DESCRIPTION: Final = (
    "Run local Azure: Entra ID, managed identity, Key Vault, Batch and storage on loopback, over TLS with a "
    "certificate authority of its own. Prints the settings that clients need as export lines, then serves "
    "until Ctrl-C. For development only."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
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
        "--role",
        action="append",
        metavar="NAME",
        help="a role of the service principal at the Batch account, built-in or of --role-file; may be "
        "repeated (default: Azure Batch Job Submitter)",
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
        "--token-lifetime",
        type=float,
        default=3600.0,
        metavar="SECONDS",
        help="how long tokens live (default: %(default)g)",
    )
    parser.add_argument(
        "--files", type=Path, metavar="DIR", help="a directory to serve read-only in place of blob storage"
    )
    parser.add_argument(
        "--state", type=Path, metavar="DIR", help="keep the certificate authority here between runs"
    )
    parser.add_argument(
        "--secrets-file",
        type=Path,
        metavar="PATH",
        help="append every secret and token to this file (mode 0600), to search logs and databases for them",
    )
    parser.add_argument(
        "--env-file", type=Path, metavar="PATH", help="also write the export lines to this file (mode 0600)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object in place of export lines")


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM.

    :return: the exit status: 0 after either, 1 where it could not start; the reason is on standard error.
    """
    try:
        config = read_config(args)
        asyncio.run(_serve(config, args))
    except (OSError, ValueError, KeyError) as error:
        reason = error.strerror if isinstance(error, OSError) and not error.filename else None
        print(f"batchad local: {reason or _plain(error)}", file=sys.stderr)
        return 1
    return 0


def read_config(args: argparse.Namespace) -> LocalAzureConfig:
    """The configuration that the arguments ask for.

    :raises ValueError: one of them is wrong.
    """
    files = args.files
    if files is not None and not files.is_dir():
        raise ValueError(f"--files {files} is no directory")
    roles = tuple(_read_role(path) for path in args.role_file)
    names = args.role or [role.name for role in roles] or None
    assignments: tuple[AssignmentConfig, ...] = DEFAULT_ASSIGNMENTS
    if names is not None:
        chosen = (
            AssignmentConfig(principal=AIRFLOW_APPLICATION.name, role=name, resource="batch")
            for name in names
        )
        others = (one for one in DEFAULT_ASSIGNMENTS if one.principal != AIRFLOW_APPLICATION.name)
        assignments = (*chosen, *others)
    defaults = LocalAzureConfig()
    return LocalAzureConfig(
        host=args.host,
        port=args.port,
        pools=tuple(args.pool) if args.pool else defaults.pools,
        roles=roles,
        assignments=assignments,
        token_lifetime_seconds=args.token_lifetime,
        files_dir=files,
        state_dir=args.state,
        secrets_file=args.secrets_file,
    )


async def _serve(config: LocalAzureConfig, args: argparse.Namespace) -> None:
    from airflow_provider_batchad.local.server import LocalAzure

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    azure = LocalAzure(config)
    await azure.serve(stop, on_ready=lambda: _announce(azure, args))


def _announce(azure: LocalAzure, args: argparse.Namespace) -> None:
    from airflow_provider_batchad.local.client_settings import client_environment, export_lines

    environment = client_environment(azure)
    lines = export_lines(environment)
    if args.env_file is not None:
        _write_private(args.env_file, lines)
    if args.json:
        shown = {"endpoints": azure.endpoints.as_dict(), "environment": environment}
        print(json.dumps(shown), flush=True)
        return
    print(lines, end="")
    print("# Local Azure is ready; end it with Ctrl-C.", flush=True)


def _write_private(path: Path, text: str) -> None:
    # Written beside and renamed: whoever waits for the file finds it whole.
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    beside.replace(path)


def _parse_pool(text: str) -> PoolConfig:
    name, *counts = text.split(":")
    numbers = [int(count) for count in counts if count.isdecimal() and int(count) > 0]
    if not name or len(counts) > 2 or len(numbers) < len(counts):
        raise argparse.ArgumentTypeError(f"{text!r} is not ID[:NODES[:SLOTS]], such as cpu:2:4")
    defaults = PoolConfig(id=name)
    nodes, slots = (*numbers, *(defaults.nodes, defaults.slots)[len(numbers) :])
    return PoolConfig(id=name, nodes=nodes, slots=slots)


def _read_role(path: Path) -> Role:
    from airflow_provider_batchad.local.role_json import role_from_json

    try:
        return role_from_json(json.loads(path.read_text()))
    except (TypeError, ValueError) as error:
        raise ValueError(f"--role-file {path}: {error}") from None


def _plain(error: Exception) -> str:
    return str(error.args[0]) if isinstance(error, KeyError) else str(error)
