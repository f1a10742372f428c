"""``python -m airflow_provider_batchad.local``: the same as ``batchad local``."""

from __future__ import annotations

import argparse
import sys

from airflow_provider_batchad.local.command import add_arguments, run


def main() -> int:
    """Parse the arguments of the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_batchad.local", description=run.__doc__)
    add_arguments(parser)
    return run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
