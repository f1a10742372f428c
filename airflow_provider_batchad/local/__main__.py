"""``python -m airflow_provider_batchad.local``: the same as ``batchad local``."""

from __future__ import annotations

import argparse
import sys

from airflow_provider_batchad.local.cli.arguments import DESCRIPTION, add_arguments
from airflow_provider_batchad.local.cli.command import run
from airflow_provider_batchad.local.cli.control_arguments import add_verbs


def main() -> int:
    """Parse the arguments of the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_batchad.local", description=DESCRIPTION)
    add_arguments(parser)
    add_verbs(parser)
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
