"""The demo from its first process to the table."""

from __future__ import annotations

import fcntl
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import requests

from demo.airflow import USERNAME, AirflowSettings, NotReady, Standalone
from demo.azure import CONNECTION_ID, JobProgress, LocalAzureProcess, requests_since
from demo.ports import require_free
from demo.processes import ProcessGroup
from demo.report import Progress, show_requests, show_table
from demo.scheduled_run import RunFailed, ScheduledRun
from demo.weather import EXAMPLES, INPUTS, differences

DAG_ID = "seattle_weather"


class AlreadyRunning(RuntimeError):
    """Another demo runs in this folder."""


OWN_FOLDERS = ("azure", "airflow")


@contextmanager
def own_folder(folder: Path) -> Iterator[None]:
    """Remove what an earlier demo left in the folder, and keep it for this demo alone.

    :raises AlreadyRunning: if another one has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                "A demo is running in this folder: end it first (Ctrl-C where it runs)."
            ) from None
        for name in OWN_FOLDERS:
            shutil.rmtree(folder / name, ignore_errors=True)
        yield


def start(
    group: ProcessGroup, folder: Path, *, port: int, say: Progress
) -> tuple[LocalAzureProcess, Standalone]:
    """Local Azure, then an Airflow that knows it."""
    azure = LocalAzureProcess(folder=folder / "azure", files=INPUTS, group=group)
    say("starting local Azure: Entra ID, managed identity, Key Vault, Batch")
    azure.start()
    settings = AirflowSettings(
        home=folder / "airflow",
        dags_folder=EXAMPLES,
        port=port,
        environment={**azure.environment, "SEATTLE_WEATHER_INPUTS_URL": azure.inputs_url},
    )
    airflow = Standalone(settings, group=group)
    say("starting Airflow: web server, scheduler, DAG processor, triggerer (first its database)")
    airflow.start()
    airflow.wait_until_ready(on_progress=lambda part: say(f"Airflow's {part} is up"))
    return azure, airflow


def connect(azure: LocalAzureProcess, airflow: Standalone, *, say: Progress) -> None:
    """Save the connection as the web form does, and press *Test*.

    :raises RunFailed: with the test's own answer, if it is not a good one.
    """
    airflow.api.post("connections", azure.connection)
    say(f"saved the connection {CONNECTION_ID}, with no secret in it")
    answer = airflow.api.post("connections/test", azure.connection)
    if not answer["status"]:
        raise RunFailed(f"The test of the connection says: {answer['message']}")
    say(f"its test says: {answer['message']}")


class JobWatch:
    """Says how many Batch tasks are done, each time that it changes."""

    def __init__(self, azure: LocalAzureProcess, *, say: Progress) -> None:
        self._azure = azure
        self._say = say
        self.jobs: list[JobProgress] = []

    def look(self) -> None:
        jobs = self._azure.jobs()
        for job in jobs:
            if job not in self.jobs:
                failed = f", {job.failed} of them failed" if job.failed else ""
                self._say(f"Batch job {job.job_id}: {job.completed} of {job.tasks} tasks done{failed}")
        self.jobs = jobs


def see_through(
    group: ProcessGroup, azure: LocalAzureProcess, airflow: Standalone, *, say: Progress
) -> tuple[str, str]:
    """The DAG's own run, from unpausing it to the table.

    :return: the table to show, and what is wrong with it (empty if it is right).
    """
    watch = JobWatch(azure, say=say)

    def look() -> None:
        group.check()
        watch.look()

    before = azure.counts()
    run = ScheduledRun(airflow.api, DAG_ID, on_look=look, on_change=say)
    run.unpause()
    say(f"switched on the DAG {DAG_ID}: it is scheduled daily, and the last day's run is due")
    run.wait()
    watch.look()
    table = run.xcom("make_table")
    wrong = differences(table)
    shown = [
        f"\nSeattle's weather, one Batch task a year (DAG run {run.run_id}):\n",
        show_table(table) if not wrong else "\n".join(wrong),
        f"\nBatch job: {', '.join(job.job_id for job in watch.jobs)}",
        "\nRequests that this run made:",
        show_requests(requests_since(before, azure.counts())),
    ]
    return "\n".join(shown), "\n".join(wrong)


def run_demo(*, port: int, keep: bool, folder: Path) -> int:
    """The whole demo; returns the exit status.

    :param port: of Airflow's web server.
    :param folder: emptied first; holds all that the demo makes, which stays to look at.
    :param keep: whether everything stays up, with the table shown, until a person ends it.
    """
    say = Progress()
    require_free(port)
    with own_folder(folder), ProcessGroup() as group:
        try:
            return _run(group, folder, port=port, keep=keep, say=say)
        except (NotReady, RunFailed, requests.RequestException):
            # A process that is gone is the reason, and what it no longer answers only how it is noticed.
            time.sleep(1)
            group.check()
            raise


def _run(group: ProcessGroup, folder: Path, *, port: int, keep: bool, say: Progress) -> int:
    azure, airflow = start(group, folder, port=port, say=say)
    connect(azure, airflow, say=say)
    shown, wrong = see_through(group, azure, airflow, say=say)
    print(shown)
    if wrong:
        print("\nThe table is not what the data say.", file=sys.stderr)
        return 1
    settings = airflow.settings
    print(f"\nAirflow: {settings.base_url}  log in as {USERNAME}, password {settings.password}")
    if keep:
        print("It stays as it is until Ctrl-C.", flush=True)
        stay(group)
    print("All of it ends now; `make demo KEEP=1` leaves it running to look around in.", flush=True)
    return 0


def stay(group: ProcessGroup) -> NoReturn:
    """Until a person ends it, or a process ends by itself."""
    while True:
        group.check()
        time.sleep(0.5)
