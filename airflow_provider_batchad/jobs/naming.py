"""The deterministic job id of one task instance: ``<slug>-<hash>-<epoch>-<try>``.

The first half of the hash is that of the DAG run, whenever it was started; the second that of this start.

Batch takes up to 64 characters out of ``[A-Za-z0-9_-]`` and compares ids without case.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

MAX_ID_LENGTH = 64
_HASH_LENGTH = 16
_SUFFIX_LENGTH = len("-99999-99999")
_SLUG_LENGTH = MAX_ID_LENGTH - _SUFFIX_LENGTH - _HASH_LENGTH - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskInstanceName:
    """What makes a task instance the same one over its tries, and another one in another run.

    :param deployment: the Airflow deployment, ``[batchad] deployment``: two of them may share an account.
    :param run_started: the DAG run's ``start_date``: a run that was deleted and made again has another, and
        so has one that was finished and then cleared.
    :param run_after: the DAG run's ``run_after``, which a clear leaves as it is.
    :param nonce: tells apart what even those cannot, such as two ``airflow dags test`` for one date.
    """

    deployment: str
    dag_id: str
    run_id: str
    run_started: str
    task_id: str
    map_index: int = -1
    run_after: str = ""
    nonce: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try of a task instance.

    :param epoch: ``ti.max_tries``: the same over the retries, another after a clear.
    :param number: ``ti.try_number``.
    """

    epoch: int
    number: int


def job_prefix(name: TaskInstanceName) -> str:
    """What the ids of every job of this task instance begin with, the last ``-`` included."""
    return f"{run_prefix(name)}{_digest(name.run_started, name.nonce)}-"


def run_prefix(name: TaskInstanceName) -> str:
    """What they begin with as well where the DAG run was started at another time."""
    digest = _digest(
        name.deployment, name.dag_id, name.run_id, name.run_after, name.task_id, str(name.map_index)
    )
    words = re.sub(r"[^a-z0-9_]+", "-", f"{name.dag_id}-{name.task_id}".lower()).strip("-")
    slug = words[:_SLUG_LENGTH].rstrip("-") or "job"
    return f"{slug}-{digest}"


def _digest(*parts: str) -> str:
    # Each part with its length, so that no two different lists of parts run together into one text.
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[: _HASH_LENGTH // 2]


def job_id(prefix: str, attempt: Attempt) -> str:
    """The id of the job of this try."""
    return f"{prefix}{attempt.epoch}-{attempt.number}"


def parse_attempt(prefix: str, job_id: str) -> Attempt | None:
    """Which try a job belongs to; ``None`` for a job that is none of this task instance's."""
    if not job_id.casefold().startswith(prefix.casefold()):
        return None
    match = re.fullmatch(r"(\d+)-(\d+)", job_id[len(prefix) :])
    return Attempt(epoch=int(match[1]), number=int(match[2])) if match else None


def first_try(*, max_tries: int, retries: int) -> int:
    """The first try of the epoch: a clear sets ``max_tries = try_number + retries``."""
    return max(1, max_tries - retries + 1)
