"""One local Azure for two operators: Airflow's own, in a process of its environment, and ours, here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_provider_batchad.local.faults import FaultRule
from airflow_provider_batchad.local.ledger import LedgerEntry
from airflow_provider_batchad.local.server import LocalAzure
from airflow_provider_batchad.local.shared_key import KeyName
from tests.contract.batch_fixtures import Batch, eventually

PYTHON = Path(__file__).parents[2] / ".venv-peer" / "bin" / "python"
PROGRAM = Path(__file__).with_name("operator_program.py")
OPERATOR: dict[str, Any] = {
    "task_id": "t",
    "batch_pool_id": "cpu",
    "batch_pool_vm_size": "STANDARD_D2S_V3",
    "batch_job_id": "peer",
    "batch_task_id": "a",
    "batch_task_command_line": "/bin/true",
    "vm_publisher": "canonical",
    "vm_offer": "0001-com-ubuntu-server-jammy",
    "vm_sku": "22_04-lts",
    "vm_version": "latest",
    "vm_node_agent_sku_id": "batch.node.ubuntu 22.04",
    "target_dedicated_nodes": 1,
    "poll_interval": 0.2,
    "deferrable": True,
}


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What came of one run of the peer.

    :param error: the class of what it raised; ``None`` for a success.
    """

    error: str | None
    sentence: str
    log: str
    answer: dict[str, Any] = field(repr=False)


class PeerProcess:
    """A run under way; what it says is in files, which nothing has to read for it to go on."""

    def __init__(self, command: list[str], environment: dict[str, str], folder: Path) -> None:
        folder.mkdir()
        self._out, self._err = folder / "out", folder / "err"
        with self._out.open("w") as out, self._err.open("w") as err:
            self._process = subprocess.Popen(command, env=environment, stdout=out, stderr=err)

    @property
    def log(self) -> str:
        return self._out.read_text() + self._err.read_text()

    def is_over(self) -> bool:
        return self._process.poll() is not None

    def end(self) -> None:
        self._process.kill()
        self._process.wait(60)

    def seen(self) -> Seen:
        """Wait for its end."""
        status = self._process.wait(180)
        assert status == 0, self.log
        answer = json.loads(self._out.read_text().splitlines()[-1])
        return Seen(
            error=answer.pop("error"), sentence=answer.get("sentence", ""), log=self.log, answer=answer
        )


class Peer:
    """Airflow's own operator, with one of the account's keys unless told otherwise."""

    def __init__(self, azure: LocalAzure, folder: Path) -> None:
        assert PYTHON.exists(), "Airflow's Azure provider is not here: run `make test-peer`, which sets it up"
        self._azure, self._folder, self._count = azure, folder, 0
        self._under_way: list[PeerProcess] = []
        # The hook takes no other way to trust a certificate authority.
        self.environment = {
            "PATH": os.environ["PATH"],
            "AIRFLOW_HOME": str(folder / "airflow"),
            "REQUESTS_CA_BUNDLE": str(azure.ca_file),
        }
        self.connect(login=azure.config.account, password=azure.account_keys[KeyName.PRIMARY])

    def connect(self, *, extra: dict[str, str] | None = None, **connection: str) -> None:
        """Set its connection anew."""
        given = {"account_url": self._azure.endpoints.batch, **(extra or {})}
        told = {"conn_type": "azure_batch", "extra": given, **connection}
        self.environment["AIRFLOW_CONN_AZURE_BATCH_DEFAULT"] = json.dumps(told)

    def be_the_machine(self, environment: dict[str, str]) -> None:
        """Sign in with the identity of the machine, or of the workload, in place of a key."""
        identity = {name: value for name, value in environment.items() if not name.startswith("AIRFLOW")}
        self.environment |= identity
        self.connect()

    def start(self, doing: str = "run", **given: Any) -> PeerProcess:
        """Begin; ``given`` changes the operator's arguments, or is the whole of them for other doings."""
        self._count += 1
        told = given if doing in ("wait", "connection") else {**OPERATOR, **given}
        command = [str(PYTHON), str(PROGRAM), doing, json.dumps(told)]
        process = PeerProcess(command, self.environment, self._folder / f"peer-{self._count}")
        self._under_way.append(process)
        return process

    def run(self, doing: str = "run", **given: Any) -> Seen:
        return self.start(doing, **given).seen()

    def end(self) -> None:
        for process in self._under_way:
            process.end()


@dataclass(frozen=True, kw_only=True)
class Both:
    """The account that both use; ``batch`` is Microsoft's client, for what a neighbour or a person does."""

    azure: LocalAzure
    batch: Batch
    peer: Peer
    folder: Path

    def entries(self, operation: str) -> tuple[LedgerEntry, ...]:
        return self.azure.ledger.entries(service="batch", operation=operation)

    def statuses(self, operation: str) -> list[int]:
        return [entry.status for entry in self.entries(operation)]

    def until(self, operation: str, count: int = 1) -> None:
        """Wait until so many requests of a kind have been answered."""
        eventually(lambda: len(self.entries(operation)) >= count, seconds=120)

    def state_of(self, job_id: str = "peer") -> str:
        state: str = self.batch.send("GET", f"/jobs/{job_id}").json()["state"]
        return state

    def end_of(self, job_id: str) -> str | None:
        """Why the job was ended; ``None`` where nobody asked for its end."""
        job = self.azure.batch.jobs.get(job_id)
        assert job is not None
        return job.terminate_reason

    def break_(self, operation: str, **how: Any) -> FaultRule:
        return self.azure.faults.add(FaultRule(service="batch", operation=operation, **how))

    @contextmanager
    def held(self, operation: str) -> Iterator[None]:
        """The requests of a kind wait until what is in the block, begun once one is held, is done."""
        rule = self.break_(operation, hold=True)
        try:
            eventually(lambda: self.azure.faults.held(rule.id), seconds=120)
            yield
        finally:
            self.azure.faults.remove(rule.id)

    def only_job(self) -> str:
        """The id of the one job that is not the peer's."""
        found = [job.id for job in self.batch.client.list_jobs() if job.id != "peer"]
        assert len(found) == 1, found
        return str(found[0])

    def neighbour(self, job_id: str, task_id: str, command_line: str) -> None:
        """A task of somebody else's in a job."""
        self.batch.add(job_id, task_id, command_line)

    def peer_job(self, pool: str = "cpu") -> None:
        """The job that the peer is to use, made by somebody else."""
        self.batch.send("POST", "/jobs", {"id": "peer", "poolInfo": {"poolId": pool}}).raise_for_status()


@contextmanager
def beside(run: Any, *arguments: Any) -> Iterator[Future[Any]]:
    """A call in a thread of its own, as a worker's main thread would make it."""
    result: Future[Any] = Future()

    def call() -> None:
        try:
            result.set_result(run(*arguments))
        except BaseException as error:  # noqa: BLE001 - whoever asks for the result gets it
            result.set_exception(error)

    # Where a test fails, nobody waits for what it left undone.
    threading.Thread(target=call, daemon=True).start()
    yield result


def python(script: str) -> str:
    """A command line that runs a Python program on the node."""
    return f'{sys.executable} -c "{script}"'
