"""``airflow batchad login``: a person signs in."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from airflow_provider_batchad.hooks.login import LoginFailed, log_in

if TYPE_CHECKING:
    import argparse


def run_login(arguments: argparse.Namespace) -> int:
    """Let a person sign in; the exit status is 1 where that came to nothing."""
    try:
        name = log_in(
            arguments.conn_id,
            by_device_code=arguments.device_code,
            show=lambda line: print(line, flush=True),
        )
    except LoginFailed as error:
        print(f"batchad login: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("batchad login: nobody has signed in.", file=sys.stderr)
        return 130
    print(f"Signed in as {name} for the connection {arguments.conn_id!r}.")
    return 0
