"""The control port's part that shows how far the Batch account's jobs are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from airflow_provider_batchad.local.control_request import answering

if TYPE_CHECKING:
    from airflow_provider_batchad.local.server import LocalAzure


class BatchControl:
    """What a person at the console sees without a role and without a line on Batch's own ledger."""

    def __init__(self, azure: LocalAzure) -> None:
        self._azure = azure

    def routes(self) -> list[web.AbstractRouteDef]:
        """The routes."""
        return [web.get("/batch/jobs", answering("List Batch Jobs", self.list_jobs))]

    async def list_jobs(self, _request: web.Request) -> web.StreamResponse:
        """``GET /batch/jobs``: each job's state and how many of its tasks are where, oldest first."""
        jobs = sorted(self._azure.batch.jobs.values(), key=lambda job: job.created)
        shown = [
            {
                "id": job.id,
                "state": job.state,
                "tasks": len(job.tasks),
                "active": job.counts.active,
                "running": job.counts.running,
                "succeeded": job.counts.succeeded,
                "failed": job.counts.failed,
            }
            for job in jobs
        ]
        return web.json_response({"jobs": shown})
