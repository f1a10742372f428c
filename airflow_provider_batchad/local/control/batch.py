"""The control port's routes for the Batch account and its storage: what no client of Azure's can do."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from aiohttp import web

from airflow_provider_batchad.local.control.request import ControlRefused, answering, read_body

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
            web.put("/batch/job-quota", answering("Change Job Quota", self.change_job_quota)),
            web.post("/storage/containers", answering("Open Container", self.open_container)),
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

    async def change_job_quota(self, request: web.Request) -> web.StreamResponse:
        """``PUT /batch/job-quota``: ``jobs``, how many jobs and job schedules may be active at once."""
        from airflow_provider_batchad.local.control.bodies import JobQuotaBody

        body = await read_body(request, JobQuotaBody)
        self._azure.batch.job_flow.quota = body.jobs
        return web.json_response({"jobs": body.jobs})

    async def open_container(self, request: web.Request) -> web.StreamResponse:
        """``POST /storage/containers``: ``name``, ``permissions`` (all), ``lifetime_seconds`` (7 days).

        The container is made if need be; the answer's ``url`` opens it.
        """
        from airflow_provider_batchad.local.control.bodies import ContainerBody

        body = await read_body(request, ContainerBody)
        storage = self._azure.storage
        try:
            is_new = storage.containers.create(body.name)
        except ValueError as error:
            raise ControlRefused(400, str(error)) from None
        lifetime = timedelta(seconds=body.lifetime_seconds)
        url = storage.container_url(body.name, permissions=body.permissions, lifetime=lifetime)
        return web.json_response({"url": url}, status=201 if is_new else 200)

    async def preempt(self, request: web.Request) -> web.StreamResponse:
        """``POST /batch/pools/{poolId}/preempt``: ``node_ids`` (all), ``back_after_seconds`` (60)."""
        from airflow_provider_batchad.local.control.bodies import PreemptionBody

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
