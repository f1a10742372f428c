"""What waiting for Batch jobs costs a triggerer: ``python -m benchmarks.waiting [--json]``.

A real triggerer is fed with rows of deferred tasks, 10, 100 and then 1,000, whose jobs do not end; then some
of them do. Once with this package's trigger, once with that of Airflow's own ``AzureBatchOperator``, and once
with one that waits for nothing: what Airflow itself takes for so many. All against one local Azure.

CPU seconds, memory and the lag of the event loop are those of the process that runs the triggers; a trigger
in it takes them.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from airflow_provider_batchad.local.client_settings import client_environment
from airflow_provider_batchad.local.config import LocalAzureConfig, PoolConfig, WorkloadIdentityConfig
from airflow_provider_batchad.local.server import LocalAzure
from benchmarks.command_line import parser_of
from benchmarks.peer import peer_python
from benchmarks.waiting_account import Account
from benchmarks.waiting_triggerer import Triggerer, running

COUNTS = (10, 100, 1000)
KINDS = ("ours", "peer", "idle")
INTERVAL_SECONDS = 30.0
INTERVALS = 2
# The peer takes minutes to ask for the last of a thousand jobs for the first time.
STEADY_SECONDS = 900.0
ENDED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What so many waiting jobs cost.

    :param requests_per_interval: to the Batch service, those with which the waits begin left out.
    :param token_requests: since the triggerer started, with fewer jobs before.
    :param cpu_seconds: of one interval, Airflow's own work included.
    :param event_delay_s: from a job's end to the event, the longest of ten; ``None`` where nothing is asked.
    :param steady: whether every job had been asked for before the measurement began.
    """

    requests_per_interval: float
    token_requests: int
    cpu_seconds: float
    rss_mb: float
    loop_lag_p99_ms: float
    event_delay_s: float | None
    steady: bool


class Column:
    """One kind of trigger, in a triggerer of its own, with more and more jobs.

    :param kind: one of ``KINDS``.
    """

    def __init__(
        self, kind: str, triggerer: Triggerer, azure: LocalAzure, account: Account, interval: float
    ) -> None:
        self._kind = kind
        self._triggerer = triggerer
        self._azure = azure
        self._account = account
        self._interval = interval
        self._begun = azure.ledger.last_sequence
        self._made = 0
        self._waiting: list[str] = []

    def measure(self, count: int) -> Cost:
        """With ``count`` of them waiting."""
        steady = self._begin(count)
        # How the waits begin, and what is imported for the first one, is no part of it.
        time.sleep(self._interval)
        after, since = self._azure.ledger.last_sequence, time.time()
        time.sleep(INTERVALS * self._interval)
        asked = self._azure.ledger.entries(service="batch", after=after)
        tokens = self._azure.ledger.entries(service="entra", operation="Token", after=self._begun)
        measured = [note for note in self._triggerer.noted() if "cpu" in note and note["at"] >= since]
        delay = None if self._kind == "idle" else self._end_some()
        late = sorted(late for note in measured for late in note["late_ms"])
        intervals = (measured[-1]["at"] - measured[0]["at"]) / self._interval
        return Cost(
            requests_per_interval=round(len(asked) / INTERVALS, 1),
            token_requests=len(tokens),
            cpu_seconds=round((measured[-1]["cpu"] - measured[0]["cpu"]) / intervals, 3),
            rss_mb=round(measured[-1]["rss_mb"], 1),
            loop_lag_p99_ms=late[int(0.99 * len(late))],
            event_delay_s=delay,
            steady=steady,
        )

    def _begin(self, count: int) -> bool:
        new = [f"{self._kind}-{self._made + number:05}" for number in range(count - len(self._waiting))]
        self._made += len(new)
        self._waiting += new
        if self._kind != "idle":
            for job in new:
                self._account.create(job)
        self._triggerer.add(
            [{"kind": self._kind, "job_id": job, "arguments": self._arguments(job)} for job in new]
        )
        waiting = set(new)
        before = self._azure.ledger.last_sequence
        self._triggerer.wait_until(
            f"{count} wait", lambda: waiting <= {note.get("began") for note in self._triggerer.noted()}
        )
        if self._kind == "ours":
            # One poll is for all of them.
            self._triggerer.wait_until("Batch was asked", lambda: bool(self._asked(before)))
        elif self._kind == "peer":
            try:
                self._triggerer.wait_until(
                    "Batch was asked for each job",
                    lambda: waiting <= {job for path in self._asked(before) for job in path.split("/")[2:3]},
                    STEADY_SECONDS,
                )
            except TimeoutError:
                return False
        return True

    def _asked(self, after: int) -> set[str]:
        """The paths below ``/jobs/`` that were asked for since then."""
        entries = self._azure.ledger.entries(service="batch", after=after)
        return {entry.path for entry in entries if entry.method == "GET" and entry.path.startswith("/jobs")}

    def _arguments(self, job: str) -> dict[str, Any]:
        if self._kind == "ours":
            return {"batchad_conn_id": "batchad_default", "job_id": job, "poll_interval": self._interval}
        if self._kind == "peer":
            return {
                "job_id": job,
                "azure_batch_conn_id": "azure_batch_default",
                "end_time": time.time() + 86_400,
                "poll_interval": self._interval,
            }
        return {}

    def _end_some(self) -> float:
        """The longest time from an end to the event, of some that end at different points of an interval."""
        ended = {}
        for job in self._waiting[:ENDED]:
            ended[job] = self._account.end(job)
            time.sleep(self._interval / ENDED)
        del self._waiting[:ENDED]

        def fired() -> dict[str, Any]:
            return {note["fired"]: note for note in self._triggerer.noted() if note.get("fired") in ended}

        self._triggerer.wait_until("all events are there", lambda: fired().keys() == ended.keys())
        longest: float = max(note["at"] - ended[job] for job, note in fired().items())
        return round(longest, 2)


def environment_of(kind: str, azure: LocalAzure) -> dict[str, str]:
    """What the triggerer needs to reach local Azure."""
    if kind != "peer":
        return client_environment(azure)
    connection = {"conn_type": "azure_batch", "extra": {"account_url": azure.endpoints.batch}}
    application = azure.directory.principal(WorkloadIdentityConfig().application)
    return {
        "AIRFLOW_CONN_AZURE_BATCH_DEFAULT": json.dumps(connection),
        # The hook takes no other way to trust a certificate authority.
        "REQUESTS_CA_BUNDLE": str(azure.ca_file),
        "AZURE_AUTHORITY_HOST": azure.endpoints.entra,
        "AZURE_TENANT_ID": azure.config.tenant.id,
        "AZURE_CLIENT_ID": application.app_id,
        "AZURE_FEDERATED_TOKEN_FILE": str(azure.federated_token_file),
    }


def run(
    counts: Sequence[int] = COUNTS, interval: float = INTERVAL_SECONDS, kinds: Sequence[str] = KINDS
) -> dict[str, dict[str, Cost]]:
    """By number of waiting jobs and kind of trigger.

    :param counts: growing.
    :param interval: ``poll_interval`` of all, in seconds.
    """
    config = LocalAzureConfig(
        port=0,
        job_quota=len(KINDS) * max(counts),
        pools=(PoolConfig(id="empty", nodes=0, slots=1),),
        workload_identity=WorkloadIdentityConfig(application=WorkloadIdentityConfig().application),
        ledger_size=1_000_000,
    )
    costs: dict[str, dict[str, Cost]] = {str(count): {} for count in counts}
    with LocalAzure(config) as azure, Account(azure) as account:
        for kind in kinds:
            python = str(peer_python()) if kind == "peer" else sys.executable
            with running(python, environment_of(kind, azure)) as triggerer:
                column = Column(kind, triggerer, azure, account, interval)
                for count in counts:
                    costs[str(count)][kind] = column.measure(count)
    return costs


def show(costs: Mapping[str, Mapping[str, Cost]], interval: float) -> None:
    print(f"What waiting costs a triggerer; an interval is {interval:g} s\n")
    print(f"{'':24}{'requests':>10}{'tokens':>8}{'CPU s':>9}{'RSS MB':>8}{'lag p99 ms':>12}{'event s':>9}")
    labels = {"ours": "ours", "peer": "AzureBatchOperator", "idle": "Airflow alone"}
    for count, by_kind in costs.items():
        for kind, cost in by_kind.items():
            delay = "" if cost.event_delay_s is None else f"{cost.event_delay_s:.1f}"
            print(
                f"{count:>5} {labels[kind]:18}{cost.requests_per_interval:10.1f}{cost.token_requests:8}"
                f"{cost.cpu_seconds:9.2f}{cost.rss_mb:8.0f}{cost.loop_lag_p99_ms:12.1f}{delay:>9}"
            )
    print("requests and CPU seconds are those of an interval; Airflow's own work is in all of them")
    for count, by_kind in costs.items():
        for kind in (kind for kind, cost in by_kind.items() if not cost.steady):
            print(f"{labels[kind]} had not yet asked for all {count} jobs after {STEADY_SECONDS:g} s")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS, help="of waiting jobs, growing")
    parser.add_argument("--interval", type=float, default=INTERVAL_SECONDS, help="seconds (default 30)")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    options = parser.parse_args(arguments)
    costs = run(options.counts, options.interval, options.kinds)
    if options.json:
        print(
            json.dumps(
                {count: {kind: asdict(cost) for kind, cost in of.items()} for count, of in costs.items()}
            )
        )
        return
    show(costs, options.interval)


if __name__ == "__main__":
    main()
