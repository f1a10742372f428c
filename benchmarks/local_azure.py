"""What local Azure carries: ``python -m benchmarks.local_azure [--json]``.

``batchad local`` runs as users run it; a bare client over TLS asks it, so that client and server share the
machine's cores. Beside the seconds stand the server's CPU seconds, which other work on the machine changes
less.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import psutil

from benchmarks.bare_client import BareClient
from benchmarks.command_line import parser_of

COMMAND = (sys.executable, "-m", "airflow_provider_batchad.local", "--port", "0", "--json")
VERSION = "api-version=2025-06-01"
JOB = {"id": "waiting", "poolInfo": {"poolId": "none-yet"}}
SCOPE = "https://batch.core.windows.net//.default"
STARTS = 5
GETS = 5000
CONNECTIONS = 4
TASKS = 10_000
MANY_TASKS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalAzureFigures:
    """The object that ``--json`` prints; ``*_cpu_*`` are the server's own CPU seconds."""

    gets_per_second: float
    gets_per_second_one_connection: float
    get_cpu_ms: float
    add_10000_seconds: float
    add_10000_cpu_seconds: float
    list_10000_seconds: float
    list_10000_cpu_seconds: float
    rss_mb_100000: float
    start_seconds: float
    start_cpu_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running ``batchad local``."""

    process: psutil.Process
    settings: dict[str, Any]
    seconds: float

    def cpu_seconds(self) -> float:
        """What it has used, its node agent apart."""
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def url(self, service: str) -> str:
        """Of one of its services."""
        return str(self.settings["endpoints"][service])

    def connect(self, service: str, headers: dict[str, str] | None = None) -> BareClient:
        """A new connection to one of its services."""
        ca_file = self.settings["environment"]["BATCHAD_LOCAL_CA_FILE"]
        return BareClient(self.url(service), ca_file=ca_file, headers=headers)


@contextmanager
def serving() -> Iterator[Server]:
    """Local Azure, from its start as a command to Ctrl-C."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    with subprocess.Popen(COMMAND, env=environment, stdout=subprocess.PIPE, text=True) as command:
        if command.stdout is None:
            raise SystemExit("batchad local has no output.")
        try:
            settings = json.loads(command.stdout.readline())
            seconds = time.perf_counter() - started
            yield Server(process=psutil.Process(command.pid), settings=settings, seconds=seconds)
        finally:
            command.send_signal(signal.SIGINT)


def sign_in(server: Server) -> dict[str, str]:
    """The way a worker goes: managed identity, Key Vault, Entra ID; as headers of a request."""
    environment = server.settings["environment"]
    connection = json.loads(environment["AIRFLOW_CONN_BATCHAD_DEFAULT"])
    extra = connection["extra"]
    identity = urlsplit(environment["IDENTITY_ENDPOINT"]).path
    query = urlencode({"api-version": "2019-08-01", "resource": "https://vault.azure.net"})
    with server.connect("identity", {"X-IDENTITY-HEADER": environment["IDENTITY_HEADER"]}) as client:
        token = client.get_json(f"{identity}?{query}")["access_token"]
    with server.connect("keyvault", {"Authorization": f"Bearer {token}"}) as client:
        secret = client.get_json(f"/secrets/{extra['vault_credential_name']}/?api-version=7.4")["value"]
    form = urlencode(
        {
            "client_id": connection["login"],
            "client_secret": secret,
            "grant_type": "client_credentials",
            "scope": SCOPE,
        }
    )
    with server.connect("entra") as client:
        path = f"/{extra['tenant_id']}/oauth2/v2.0/token"
        answer = json.loads(client.post(path, form.encode(), "application/x-www-form-urlencoded"))
    return {"Authorization": f"Bearer {answer['access_token']}"}


def measure_starts(runs: int) -> tuple[float, float]:
    """Seconds and CPU seconds until ``batchad local`` is ready, bytecode present; medians."""
    samples = []
    for number in range(runs + 1):
        with serving() as server:
            if number:  # the first leaves the bytecode
                samples.append((server.seconds, server.cpu_seconds()))
    seconds, cpu_seconds = zip(*samples, strict=True)
    return statistics.median(seconds), statistics.median(cpu_seconds)


def measure_gets(server: Server, headers: dict[str, str], connections: int) -> tuple[float, float]:
    """``GET`` of one job, over and over: requests a second, and the server's CPU seconds for each."""
    path = f"/jobs/{JOB['id']}?{VERSION}"

    def ask(client: BareClient) -> None:
        for _ in range(GETS // connections):
            client.get(path)

    with ExitStack() as stack:
        clients = [stack.enter_context(server.connect("batch", headers)) for _ in range(connections)]
        for client in clients:
            client.get(path)
        threads = [threading.Thread(target=ask, args=(client,)) for client in clients]
        cpu, start = server.cpu_seconds(), time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - start
    return GETS / seconds, (server.cpu_seconds() - cpu) / GETS


def add_tasks(client: BareClient, first: int, last: int) -> None:
    """Collections of a hundred, the most that one request may hold."""
    for start in range(first, last, 100):
        tasks = [
            {
                "id": f"task-{number}",
                "commandLine": f"/bin/bash -c 'python3 summarise.py weather.csv {number}'",
                "environmentSettings": [{"name": "NUMBER", "value": str(number)}],
            }
            for number in range(start, start + 100)
        ]
        body = json.dumps({"value": tasks}).encode()
        client.post(f"/jobs/{JOB['id']}/addtaskcollection?{VERSION}", body)


def list_tasks(client: BareClient, server: Server) -> int:
    """Every page of the job's tasks; how many tasks they hold."""
    found, path = 0, f"/jobs/{JOB['id']}/tasks?{VERSION}"
    while path:
        page = client.get_json(path)
        found += len(page["value"])
        path = page.get("odata.nextLink", "").removeprefix(server.url("batch"))
    return found


def run(starts: int = STARTS) -> LocalAzureFigures:
    """Measure all of it.

    :param starts: how often ``batchad local`` is started.
    """
    start_seconds, start_cpu = measure_starts(starts)
    with serving() as server:
        headers = sign_in(server)
        with server.connect("batch", headers) as client:
            client.post(f"/jobs?{VERSION}", json.dumps(JOB).encode())
            alone, _ = measure_gets(server, headers, 1)
            gets, get_cpu = measure_gets(server, headers, CONNECTIONS)
            cpu, start = server.cpu_seconds(), time.perf_counter()
            add_tasks(client, 0, TASKS)
            add_seconds, add_cpu = time.perf_counter() - start, server.cpu_seconds() - cpu
            cpu, start = server.cpu_seconds(), time.perf_counter()
            found = list_tasks(client, server)
            list_seconds, list_cpu = time.perf_counter() - start, server.cpu_seconds() - cpu
            if found != TASKS:
                raise SystemExit(f"{TASKS} tasks were added, {found} are listed.")
            add_tasks(client, TASKS, MANY_TASKS)
            memory = server.process.memory_info().rss
    return LocalAzureFigures(
        gets_per_second=round(gets),
        gets_per_second_one_connection=round(alone),
        get_cpu_ms=round(get_cpu * 1000, 3),
        add_10000_seconds=round(add_seconds, 3),
        add_10000_cpu_seconds=round(add_cpu, 3),
        list_10000_seconds=round(list_seconds, 3),
        list_10000_cpu_seconds=round(list_cpu, 3),
        rss_mb_100000=round(memory / 1e6, 1),
        start_seconds=round(start_seconds, 3),
        start_cpu_seconds=round(start_cpu, 3),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--starts", type=int, default=STARTS, help=f"how many starts (default {STARTS})")
    options = parser.parse_args(arguments)
    result = run(options.starts)
    if options.json:
        print(json.dumps(asdict(result)))
        return
    print("What local Azure carries, its client on the same machine\n")
    rows = (
        (f"GETs a second, {CONNECTIONS} connections", result.gets_per_second, result.get_cpu_ms / 1000),
        ("GETs a second, 1 connection", result.gets_per_second_one_connection, None),
        ("seconds to add 10,000 tasks", result.add_10000_seconds, result.add_10000_cpu_seconds),
        ("seconds to list 10,000 tasks", result.list_10000_seconds, result.list_10000_cpu_seconds),
        ("seconds until it is ready", result.start_seconds, result.start_cpu_seconds),
        ("MB resident with 100,000 tasks", result.rss_mb_100000, None),
    )
    print(f"{'':36}{'':>10}{'CPU s':>10}")
    for label, figure, cpu in rows:
        print(f"{label:36}{figure:10.2f}{'' if cpu is None else f'{cpu:10.5f}'}")


if __name__ == "__main__":
    main()
