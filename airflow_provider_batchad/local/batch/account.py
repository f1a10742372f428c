"""One Batch account: its pools, its jobs, and everything that works for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from airflow_provider_batchad.local.batch.auto_pools import AutoPools
from airflow_provider_batchad.local.batch.autoscaling import AutoScaling
from airflow_provider_batchad.local.batch.command_run import NodeServices
from airflow_provider_batchad.local.batch.containers import Containers
from airflow_provider_batchad.local.batch.downloads import Downloader
from airflow_provider_batchad.local.batch.index import IdIndex
from airflow_provider_batchad.local.batch.job_flow import JobFlow
from airflow_provider_batchad.local.batch.node import NodeState
from airflow_provider_batchad.local.batch.node_flow import NodeFlow
from airflow_provider_batchad.local.batch.node_http import NodeHttp
from airflow_provider_batchad.local.batch.node_identities import NodeIdentities
from airflow_provider_batchad.local.batch.packages import Packages
from airflow_provider_batchad.local.batch.pool_factory import build_configured
from airflow_provider_batchad.local.batch.pool_flow import PoolFlow
from airflow_provider_batchad.local.batch.preparation import Preparations
from airflow_provider_batchad.local.batch.processes import Processes
from airflow_provider_batchad.local.batch.schedule_flow import ScheduleFlow
from airflow_provider_batchad.local.batch.scheduler import Scheduler
from airflow_provider_batchad.local.batch.start_task import StartTasks
from airflow_provider_batchad.local.batch.task_flow import TaskFlow
from airflow_provider_batchad.local.batch.ticks import TickClock
from airflow_provider_batchad.local.batch.timers import JumpingClock, Timers
from airflow_provider_batchad.local.batch.uploads import Uploader

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.job import Job
    from airflow_provider_batchad.local.batch.job_schedule import JobSchedule
    from airflow_provider_batchad.local.batch.pool import Pool
    from airflow_provider_batchad.local.config import (
        BatchApplicationConfig,
        ManagedIdentityConfig,
        PoolConfig,
    )

DEFAULT_JOB_QUOTA: Final = 1000
# "Quotas and limits for the Azure Batch service": 0 to 100 by default, 500 at most.
DEFAULT_POOL_QUOTA: Final = 100
DEFAULT_CORE_QUOTA: Final = 500


class AccountConfig(Protocol):
    """What an account is made from."""

    @property
    def account(self) -> str:
        """Its name."""
        ...

    @property
    def pools(self) -> Iterable[PoolConfig]:
        """The pools that exist from the start."""
        ...

    def identities_of(self, pool: PoolConfig) -> Iterable[tuple[str, ManagedIdentityConfig]]:
        """The managed identities of a pool, by their resource IDs."""
        ...

    @property
    def batch_applications(self) -> Iterable[BatchApplicationConfig]:
        """Its applications."""
        ...


class BatchAccount:
    """A Batch account with simulated nodes that run tasks as processes of this machine.

    All of it belongs to the event loop that :meth:`start` is called in.

    :param base_url: the account's URL, without a slash at its end.
    :param work_dir: where nodes keep their files; made if need be.
    :param auto_storage: the URL of a container of the linked storage account, with the right to read it.
    :param identities: tokens for storage, by the resource ID of a managed identity.
    :param storage_url: where they are sent.
    :param ca_file: certificates that nodes trust beside the machine's own when they fetch resource files.
    :param job_quota: how many jobs and job schedules may be active at once; Azure grants 1,000 at most.
    :param pool_quota: how many pools there may be.
    :param core_quota: how many cores dedicated nodes may have together, and Spot nodes as many again.
    :param container_runtime: the program that container tasks run with; by default they fail.
    """

    def __init__(
        self,
        config: AccountConfig,
        *,
        clock: JumpingClock,
        base_url: str,
        work_dir: Path,
        auto_storage: Callable[[str], str],
        identities: Callable[[str], str | None],
        storage_url: str,
        ca_file: Path | None = None,
        job_quota: int = DEFAULT_JOB_QUOTA,
        pool_quota: int = DEFAULT_POOL_QUOTA,
        core_quota: int = DEFAULT_CORE_QUOTA,
        container_runtime: str | None = None,
    ) -> None:
        self.name = config.account
        self.base_url = base_url.rstrip("/")
        self.pools: IdIndex[Pool] = IdIndex()
        self.jobs: IdIndex[Job] = IdIndex()
        self.schedules: IdIndex[JobSchedule] = IdIndex()
        self.applications: IdIndex[BatchApplicationConfig] = IdIndex()
        self.packages = Packages(self.name, self.applications)
        self.ticks = TickClock(clock)
        self._timers = Timers(clock)
        self._processes = Processes()
        self._http = NodeHttp(ca_file)
        self.task_flow = TaskFlow(ticks=self.ticks)
        nodes_are = NodeIdentities(self.pools, storage_url=storage_url, token_of=identities)
        services = NodeServices(
            account=self.name,
            account_url=self.base_url,
            processes=self._processes,
            downloader=Downloader(self._http, auto_storage, nodes_are),
            uploader=Uploader(self._http, nodes_are),
            packages=self.packages,
            containers=Containers(container_runtime),
        )
        self._preparations = Preparations(ticks=self.ticks, timers=self._timers, services=services)
        self.scheduler = Scheduler(
            pools=self.pools,
            jobs=self.jobs,
            ticks=self.ticks,
            timers=self._timers,
            services=services,
            preparations=self._preparations,
            on_end=self.task_flow.finish,
        )
        self.job_flow = JobFlow(
            jobs=self.jobs,
            pools=self.pools,
            ticks=self.ticks,
            timers=self._timers,
            scheduler=self.scheduler,
            preparations=self._preparations,
            task_flow=self.task_flow,
            quota=job_quota,
        )
        self.task_flow.connect(self.scheduler, self.job_flow)
        self.node_flow = NodeFlow(
            jobs=self.jobs,
            ticks=self.ticks,
            timers=self._timers,
            scheduler=self.scheduler,
            start_tasks=StartTasks(ticks=self.ticks, services=services),
            packages=self.packages,
        )
        self.pool_flow = PoolFlow(
            account=self.name,
            pools=self.pools,
            ticks=self.ticks,
            timers=self._timers,
            nodes=self.node_flow,
            work_dir=work_dir.resolve(),
            quota=pool_quota,
            core_quota=core_quota,
        )
        self.autoscaling = AutoScaling(ticks=self.ticks, timers=self._timers, pools=self.pool_flow)
        self.pool_flow.connect(self.autoscaling)
        self._auto_pools = AutoPools(pools=self.pools, flow=self.pool_flow, packages=self.packages)
        self.schedule_flow = ScheduleFlow(
            schedules=self.schedules,
            jobs=self.jobs,
            job_flow=self.job_flow,
            auto_pools=self._auto_pools,
            ticks=self.ticks,
            timers=self._timers,
        )
        self.job_flow.connect(self._auto_pools, self.schedules, self._close_job)
        for pool in config.pools:
            self.pool_flow.add_ready(pool.id, build_configured(pool, config.identities_of(pool)))
        for application in config.batch_applications:
            self.applications.add(application.id, application)

    async def start(self) -> None:
        """Lay out the nodes' directories, and be ready to run tasks."""
        self._timers.start()
        await asyncio.to_thread(self._make_directories)
        await self._processes.open()

    def resume(self) -> None:
        """Go on with what was put back into it, once it has started."""
        for pool in tuple(self.pools.values()):
            self.pool_flow.resume(pool)
        for job in tuple(self.jobs.values()):
            self.task_flow.resume(job)
            self.job_flow.resume(job)
        for schedule in tuple(self.schedules.values()):
            self.schedule_flow.resume(schedule)

    async def stop(self) -> None:
        """End every task's process and everything else that goes on."""
        await self.schedule_flow.stop()
        await self.job_flow.stop()
        await self.pool_flow.stop()
        await self.node_flow.stop()
        await self.scheduler.stop()
        await self._preparations.close()
        await self._processes.close()
        await self._http.close()
        self._timers.stop()

    def preempt(
        self,
        pool_id: str,
        *,
        node_ids: Iterable[str] | None = None,
        back_after_seconds: float | None = 60.0,
    ) -> tuple[str, ...]:
        """Azure takes Spot nodes away; to be called in the account's event loop.

        :param node_ids: which; by default all Spot nodes of the pool.
        :param back_after_seconds: when they are created anew, by the clock; ``None``: never.
        :return: the ids of those that were taken.
        :raises KeyError: there is no such pool, or no such Spot node in it.
        """
        pool = self.pools.get(pool_id)
        if pool is None:
            raise KeyError(pool_id)
        spot = {node.id: node for node in pool.members(dedicated=False)}
        taken = []
        for node_id in tuple(spot) if node_ids is None else node_ids:
            node = spot[node_id]
            if node.phase not in (NodeState.PREEMPTED, NodeState.LEAVING):
                self.node_flow.preempt(pool, node, back_after_seconds=back_after_seconds)
                taken.append(node_id)
        return tuple(taken)

    def _close_job(self, job: Job) -> None:
        self._auto_pools.close_job(job)
        self.schedule_flow.on_job_closed(job)

    def _make_directories(self) -> None:
        for pool in self.pools.values():
            for node in pool.nodes.values():
                node.make_directories()
