"""The jobs of an account that no Airflow task wants any more, as the command line finds and ends them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.errors import BatchAdError

if TYPE_CHECKING:
    from airflow_provider_batchad.hooks.batch import AzureBatchAdHook
    from airflow_provider_batchad.jobs.orphans import OwnedJob

_LONGEST_REASON: Final = 1000


class LookFailed(Exception):
    """It cannot be said which jobs are orphans; the text says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """A job that is not over, and whose task is.

    :param why: why nobody wants it.
    """

    job: OwnedJob
    why: str

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        dag_id, run_id, task_id, map_index = self.job.key
        return {
            "job_id": self.job.job_id,
            "dag_id": dag_id,
            "run_id": run_id,
            "task_id": task_id,
            "map_index": map_index,
            "try_number": int(self.job.number) if self.job.number.isdecimal() else None,
            "created": self.job.created.isoformat(),
            "why": self.why,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a look came to.

    :param looked_at: how many jobs of this deployment are not over.
    :param unknown: ids of jobs that may be another deployment's, since this one has no name.
    """

    orphans: tuple[Orphan, ...]
    looked_at: int
    unknown: tuple[str, ...]


@contextmanager
def looking(conn_id: str) -> Iterator[AzureBatchAdHook]:
    """A hook, whose failures and those of Airflow's database become sentences.

    :raises LookFailed: anything went wrong.
    """
    from airflow.providers.common.compat.sdk import AirflowNotFoundException
    from sqlalchemy.exc import SQLAlchemyError

    from airflow_provider_batchad.hooks.batch import AzureBatchAdHook
    from airflow_provider_batchad.hooks.resolve import quieten_sdks

    quieten_sdks()
    try:
        with AzureBatchAdHook(conn_id, actions=("jobs/read", "jobs/write")) as hook:
            yield hook
    except AirflowNotFoundException:
        raise LookFailed(f"Airflow has no connection {conn_id!r}.") from None
    except (BatchAdError, ValueError) as error:
        raise LookFailed(str(error)) from None
    except SQLAlchemyError as error:
        # The rest of its text is the statement, with what was asked for.
        cause = str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0]
        raise LookFailed(
            f"Airflow's database could not be asked: {cause}. Run this where the scheduler runs, with its "
            "configuration."
        ) from None


def find_orphans(hook: AzureBatchAdHook) -> Found:
    """Hold the account's jobs against Airflow's database, which is asked after them."""
    from airflow_provider_batchad.hooks.configuration import deployment
    from airflow_provider_batchad.hooks.task_instances import find_task_instances
    from airflow_provider_batchad.jobs.orphans import judge, list_owned_jobs

    name = deployment()
    jobs = [job for job in hook.run(list_owned_jobs()) if job.deployment == name]
    known = find_task_instances({job.key for job in jobs}, name)
    now = datetime.now(UTC)
    judged = [(job, judge(job, known.get(job.key), deployment=name, now=now)) for job in jobs]
    return Found(
        orphans=tuple(Orphan(job=job, why=one.why) for job, one in judged if one.why is not None),
        looked_at=len(jobs),
        unknown=tuple(job.job_id for job, one in judged if one.unknown),
    )


def end_orphan(hook: AzureBatchAdHook, orphan: Orphan, *, who: str) -> bool:
    """Ask for its end unless a try has written it meanwhile; whether it was this request that ended it.

    :param who: the person or account that runs the command; the reason names them.
    """
    from airflow_provider_batchad.jobs.termination import terminate

    job = orphan.job
    reason = f"Airflow: {orphan.why}; ended by {who} with 'airflow batchad orphans'."[:_LONGEST_REASON]
    return hook.run(terminate(job.job_id, reason, etag=job.etag, owner=job.owner))
