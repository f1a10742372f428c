"""What the tasks of one machine ask Entra ID and Key Vault for: ``python -m benchmarks.sign_in [--json]``.

Each task resolves its connection, signs in and makes one request to Batch, in a process of its own. All start
with a cold cache, and the first of them is killed while it holds the lock of the token cache, the others
waiting; it counts as a task that Airflow runs again. Counted is what local Azure's services were asked.

The peer is Airflow's own hook with workload identity, its one way to sign in that works without a secret in
the connection; it asks no vault.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from airflow_provider_batchad.local.client_settings import client_environment
from airflow_provider_batchad.local.config import LocalAzureConfig, WorkloadIdentityConfig
from airflow_provider_batchad.local.faults import FaultRule
from airflow_provider_batchad.local.server import LocalAzure
from benchmarks.command_line import parser_of
from benchmarks.peer import peer_python

TASKS = 200
AT_ONCE = 8
PROGRAM = Path(__file__).with_name("sign_in_tasks.py")
# Long enough for the others to come to the lock.
HELD_SECONDS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What was asked of the services by all tasks together.

    :param vault_requests: the challenge that precedes each read is one of them.
    :param unanswered_requests: of the process that was killed while it waited for the answer; in none of the
        other numbers.
    """

    token_requests: int
    discovery_requests: int
    vault_requests: int
    unanswered_requests: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """The object that ``--json`` prints."""

    tasks: int
    at_once: int
    with_cache: Cost
    without_cache: Cost
    peer: Cost


def measure_ours(tasks: int, at_once: int, *, cache: bool) -> Cost:
    with tempfile.TemporaryDirectory() as home, LocalAzure(LocalAzureConfig(port=0)) as azure:
        environment = {
            **client_environment(azure),
            **_airflow(home),
            "AIRFLOW__BATCHAD__TOKEN_CACHE": str(cache),
            "AIRFLOW__BATCHAD__TOKEN_CACHE_DIR": f"{home}/tokens",
        }
        held = FaultRule(service="keyvault", operation="Get Secret", hold=True, status=503, times=1)
        command = [sys.executable, str(PROGRAM), "ours", str(tasks), str(at_once)]
        return _measure(azure, command, environment, held)


def measure_peer(tasks: int, at_once: int) -> Cost:
    application = WorkloadIdentityConfig().application
    config = LocalAzureConfig(port=0, workload_identity=WorkloadIdentityConfig(application=application))
    with tempfile.TemporaryDirectory() as home, LocalAzure(config) as azure:
        connection = {"conn_type": "azure_batch", "extra": {"account_url": azure.endpoints.batch}}
        environment = {
            **_airflow(home),
            "AIRFLOW_CONN_AZURE_BATCH_DEFAULT": json.dumps(connection),
            # The hook takes no other way to trust a certificate authority.
            "REQUESTS_CA_BUNDLE": str(azure.ca_file),
            "AZURE_AUTHORITY_HOST": azure.endpoints.entra,
            "AZURE_TENANT_ID": azure.config.tenant.id,
            "AZURE_CLIENT_ID": azure.directory.principal(application).app_id,
            "AZURE_FEDERATED_TOKEN_FILE": str(azure.federated_token_file),
        }
        held = FaultRule(service="entra", operation="Token", hold=True, status=503, times=1)
        command = [str(peer_python()), str(PROGRAM), "peer", str(tasks), str(at_once)]
        return _measure(azure, command, environment, held)


def _airflow(home: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    }


def _measure(azure: LocalAzure, command: list[str], environment: Mapping[str, str], held: FaultRule) -> Cost:
    """Run all tasks; the first waits for an answer that never comes, and is killed."""
    with _started(command, environment) as tell:
        azure.faults.add(held)
        start = time.perf_counter()
        first = int(tell("one"))
        while not azure.faults.held(held.id):
            time.sleep(0.01)
        killer = threading.Timer(HELD_SECONDS, os.kill, (first, signal.SIGKILL))
        killer.start()
        failed = int(tell("all"))
        seconds = time.perf_counter() - start
        killer.join()
    azure.faults.remove(held.id)
    if failed:
        raise SystemExit(f"{failed} of the tasks failed; what they said stands above.")
    entries = [entry for service in ("entra", "keyvault") for entry in azure.ledger.entries(service=service)]
    answered = [(entry.service, entry.operation) for entry in entries if entry.fault != held.id]
    return Cost(
        token_requests=answered.count(("entra", "Token")),
        discovery_requests=answered.count(("entra", "OpenID Configuration")),
        vault_requests=sum(service == "keyvault" for service, _ in answered),
        unanswered_requests=1,
        seconds=round(seconds, 1),
    )


@contextmanager
def _started(command: list[str], environment: Mapping[str, str]) -> Iterator[Callable[[str], str]]:
    """The process that the tasks are forked from; gives what says a word to it and returns its answer."""
    with subprocess.Popen(
        command, env=dict(environment), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        words, answers = process.stdin, process.stdout
        if words is None or answers is None:
            raise TypeError("both are pipes")

        def tell(word: str) -> str:
            words.write(f"{word}\n")
            words.flush()
            return hear()

        def hear() -> str:
            answer = answers.readline()
            if not answer:
                raise SystemExit(f"{command[2]}: the processes could not be started; why stands above.")
            return answer

        hear()
        yield tell


def run(tasks: int = TASKS, at_once: int = AT_ONCE) -> SignIn:
    """Measure all three.

    :param tasks: that end well, in each.
    :param at_once: how many run at a time.
    """
    return SignIn(
        tasks=tasks,
        at_once=at_once,
        with_cache=measure_ours(tasks, at_once, cache=True),
        without_cache=measure_ours(tasks, at_once, cache=False),
        peer=measure_peer(tasks, at_once),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--tasks", type=int, default=TASKS, help=f"of each of the three (default {TASKS})")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help=f"at a time (default {AT_ONCE})")
    options = parser.parse_args(arguments)
    result = run(options.tasks, options.at_once)
    if options.json:
        print(json.dumps(asdict(result)))
        return
    print(f"What {result.tasks} tasks ask for, {result.at_once} at a time, one killed as it holds the lock\n")
    print(f"{'':28}{'tokens':>8}{'discovery':>11}{'vault':>8}{'seconds':>9}")
    for label, cost in (
        ("with the cache", result.with_cache),
        ("without", result.without_cache),
        ("AzureBatchHook (peer)", result.peer),
    ):
        print(
            f"{label:28}{cost.token_requests:8}{cost.discovery_requests:11}{cost.vault_requests:8}"
            f"{cost.seconds:9.1f}"
        )
    print("a read of the vault is two requests, a challenge and the answer; the peer has no vault")


if __name__ == "__main__":
    main()
