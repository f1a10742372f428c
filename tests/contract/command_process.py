"""The command ``batchad local`` as a process: one that serves, and verbs to one that serves."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests

COMMAND = (sys.executable, "-m", "airflow_provider_batchad.local")
READY = "# Local Azure is ready; end it with Ctrl-C.\n"


class Running:
    """The command while it serves.

    :param settings: what its export lines set.
    """

    def __init__(self, process: subprocess.Popen[str], output: str) -> None:
        self.process = process
        self.output = output
        words = shlex.split(output, comments=True)
        self.settings = dict(word.split("=", 1) for word in words if "=" in word)

    def control(self, path: str, method: str = "GET", **options: Any) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            session.verify = self.settings["BATCHAD_LOCAL_CA_FILE"]
            return session.request(method, self.settings["BATCHAD_LOCAL_CONTROL"] + path, **options)

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait()


@contextmanager
def running(*arguments: str) -> Iterator[Running]:
    command = [*COMMAND, "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines: list[str] = []
        try:
            for line in process.stdout:
                lines.append(line)
                if line in (READY, "") or line.startswith("{"):
                    break
            assert process.poll() is None, process.stderr and process.stderr.read()
            yield Running(process, "".join(lines))
        finally:
            process.terminate()


def refused(*arguments: str) -> str:
    """What the command says when it does not start."""
    ended = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    return ended.stderr


def verb(
    *arguments: str, settings: Mapping[str, str] | None = None, command: tuple[str, ...] = COMMAND
) -> subprocess.CompletedProcess[str]:
    """What a verb says where these export lines are set, and no others."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BATCHAD_")}
    environment |= settings or {}
    return subprocess.run(
        [*command, *arguments], capture_output=True, text=True, timeout=60, check=False, env=environment
    )
