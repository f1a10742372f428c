"""The control port's routes for the Batch account: jobs to look at, Spot nodes to take away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from airflow_provider_batchad.local.control_request import ControlRefused, answering, read_body

if TYPE_CHECKING:
    from airflow_provider_batchad.local.server import LocalAzure


class BatchControl:
    """What a test or a person does with the account that no client of Azure's can."""

    def __init__(self, azure: LocalAzure) -> None:
        self._azure = azure

    def routes(self) -> list[web.AbstractRouteDef]:
        """The routes of this part."""
        return [
            web.get("/batch/jobs", answering("List Batch Jobs", self.list_jobs)),
            web.post("/batch/pools/{pool_id}/preempt", answering("Preempt Batch Nodes", self.preempt)),
        ]

    async def list_jobs(self, _request: web.Request) -> web.StreamResponse:
        """``GET /batch/jobs``: how far each job is, oldest first; leaves no trace in the Batch ledger."""
        jobs = sorted(self._azure.batch.jobs.values(), key=lambda job: job.created)
        shown = [
            {
                "job_id": job.id,
                "state": job.state,
                "tasks": len(job.tasks),
                "completed": job.counts.completed,
                "failed": job.counts.failed,
            }
            for job in jobs
        ]
        return web.json_response({"jobs": shown})

    async def preempt(self, request: web.Request) -> web.StreamResponse:
        """``POST /batch/pools/{poolId}/preempt``: ``node_ids`` (all), ``back_after_seconds`` (60)."""
        from airflow_provider_batchad.local.control_bodies import PreemptionBody

        body = await read_body(request, PreemptionBody)
        try:
            taken = self._azure.batch.preempt(
                request.match_info["pool_id"],
                node_ids=body.node_ids,
                back_after_seconds=body.back_after_seconds,
            )
        except KeyError as error:
            raise ControlRefused(404, f"no pool or Spot node {error}") from None
        return web.json_response({"preempted": list(taken)})
