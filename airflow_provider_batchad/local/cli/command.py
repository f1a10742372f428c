"""The command ``local`` of ``airflow batchad`` and ``batchad``: what it starts, and what it prints."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_batchad.local.cli.control_client import address_file, describe_address
from airflow_provider_batchad.local.config import (
    AIRFLOW_APPLICATION,
    BLOB_ASSIGNMENTS,
    DEFAULT_ASSIGNMENTS,
    DEVELOPER,
    POOL_IDENTITY,
    AssignmentConfig,
    LocalAzureConfig,
    WorkloadIdentityConfig,
)

if TYPE_CHECKING:
    from airflow_provider_batchad.local.access import Role
    from airflow_provider_batchad.local.server import LocalAzure


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM; with a verb, do what it says to a local Azure that serves.

    :return: the exit status: 0 after either, 1 where it could not start; the reason is on standard error.
    """
    if args.verb is not None:
        from airflow_provider_batchad.local.cli.control_verbs import run_verb

        return run_verb(args)
    try:
        config = read_config(args)
        _remove_exports(args)
        asyncio.run(_serve(config, args))
    except (OSError, ValueError, KeyError) as error:
        print(f"batchad local: {_describe(error)}", file=sys.stderr)
        return 1
    finally:
        # What is wrong with the file was said when it was to be written.
        with contextlib.suppress(ValueError):
            _remove_exports(args)
    return 0


def read_config(args: argparse.Namespace) -> LocalAzureConfig:
    """The configuration that the arguments ask for.

    :raises ValueError: one of them is wrong.
    """
    runtime = args.container_runtime
    if runtime is not None and shutil.which(runtime) is None:
        raise ValueError(f"--container-runtime {runtime}: there is no such program")
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
    assignments += tuple(
        AssignmentConfig(principal=DEVELOPER.name, role=name, resource="batch")
        for name in args.developer_role
    )
    defaults = LocalAzureConfig()
    pools, identities = tuple(args.pool) if args.pool else defaults.pools, defaults.managed_identities
    if args.container:
        pools = tuple(replace(pool, identities=(POOL_IDENTITY.name,)) for pool in pools)
        identities, assignments = (*identities, POOL_IDENTITY), (*assignments, *BLOB_ASSIGNMENTS)
    return LocalAzureConfig(
        host=args.host,
        port=args.port,
        pools=pools,
        managed_identities=identities,
        containers=tuple(args.container),
        roles=roles,
        assignments=assignments,
        shared_key=not args.no_shared_key,
        token_lifetime_seconds=args.token_lifetime,
        workload_identity=WorkloadIdentityConfig() if args.workload_identity else None,
        files_dir=files,
        container_runtime=runtime,
        state_dir=args.state_dir,
        secrets_file=args.secrets_file,
        clock=args.clock,
        frozen=args.freeze_clock,
        faults=tuple(args.fault),
    )


async def _serve(config: LocalAzureConfig, args: argparse.Namespace) -> None:
    from airflow_provider_batchad.local.server import LocalAzure

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    azure = LocalAzure(config)
    with contextlib.ExitStack() as stack:
        await azure.serve(stop, on_ready=lambda: _announce(azure, args, stack))


def _announce(azure: LocalAzure, args: argparse.Namespace, stack: contextlib.ExitStack) -> None:
    from airflow_provider_batchad.local.client_settings import client_environment, export_lines

    environment = client_environment(azure)
    lines = export_lines(environment)
    if args.env_file is not None:
        try:
            _write_private(args.env_file, lines)
        except OSError as error:
            raise ValueError(f"--env-file {args.env_file}: {error.strerror}") from None
    if args.state_dir is not None:
        # Only what this one wrote is removed: another may run with this directory, and this one not start.
        path = address_file(args.state_dir)
        _write_private(path, describe_address(azure.endpoints.control, azure.ca_file))
        stack.callback(path.unlink, missing_ok=True)
    if args.json:
        shown = {"endpoints": azure.endpoints.as_dict(), "environment": environment}
        print(json.dumps(shown), flush=True)
        return
    print(lines, end="")
    print("# Local Azure is ready; end it with Ctrl-C.", flush=True)


def _remove_exports(args: argparse.Namespace) -> None:
    # Whoever waits for the file must not take that of an earlier run for this one's.
    if args.env_file is not None:
        try:
            args.env_file.unlink(missing_ok=True)
        except OSError as error:
            raise ValueError(f"--env-file {args.env_file}: {error.strerror}") from None


def _write_private(path: Path, text: str) -> None:
    # Written beside and renamed: whoever waits for the file finds it whole.
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    beside.replace(path)


def _read_role(path: Path) -> Role:
    from airflow_provider_batchad.local.management.role_json import role_from_json

    try:
        return role_from_json(json.loads(path.read_text()))
    except (TypeError, ValueError) as error:
        raise ValueError(f"--role-file {path}: {error}") from None


def _describe(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error.args[0]) if isinstance(error, KeyError) else str(error)
