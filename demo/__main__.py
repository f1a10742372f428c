"""``python -m demo``: start everything, see one scheduled run through, show what came out, end everything."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

import requests

from demo.airflow import NotReady
from demo.ports import PortTaken
from demo.processes import ProcessDied
from demo.scheduled_run import RunFailed
from demo.story import AlreadyRunning, run_demo

FOLDER = Path(__file__).resolve().parents[1] / ".demo"


class Ended(BaseException):
    """A signal asks for the end: not an error, and nothing may swallow it."""


def _end(number: int, _: FrameType | None) -> None:
    # The end is on its way: a second Ctrl-C must not interrupt the tidying up.
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    raise Ended(number)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--port", type=int, default=8080, help="of Airflow's web server (PORT=…)")
    parser.add_argument("--keep", action="store_true", help="leave it running at the end (KEEP=1)")
    parser.add_argument(
        "--folder", type=Path, default=FOLDER, help=f"for all that it makes (default {FOLDER})"
    )
    options = parser.parse_args()
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _end)
    try:
        return run_demo(port=options.port, keep=options.keep, folder=options.folder.resolve())
    except Ended as end:
        print("\nEnded; nothing is left running.")
        return 0 if options.keep and end.args[0] == signal.SIGINT else 128 + int(end.args[0])
    except PortTaken as error:
        print(f"{error} `make demo PORT=8090` takes another one for Airflow's web pages.", file=sys.stderr)
    except (AlreadyRunning, NotReady, ProcessDied, RunFailed) as error:
        print(f"\n{error}\nNothing is left running.", file=sys.stderr)
    except requests.RequestException as error:
        print(
            f"\nA process of the demo no longer answers: {error}\nNothing is left running.", file=sys.stderr
        )
    return 1


if __name__ == "__main__":
    sys.exit(main())
