"""One Batch account: its pools, its jobs, and everything that works for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from airflow_provider_batchad.local.batch.command_run import NodeServices
from airflow_provider_batchad.local.batch.downloads import Downloader
from airflow_provider_batchad.local.batch.index import IdIndex
from airflow_provider_batchad.local.batch.job_flow import JobFlow
from airflow_provider_batchad.local.batch.node_http import NodeHttp
from airflow_provider_batchad.local.batch.pool import Node, Pool, make_node_id
from airflow_provider_batchad.local.batch.preparation import Preparations
from airflow_provider_batchad.local.batch.processes import Processes
from airflow_provider_batchad.local.batch.scheduler import Scheduler
from airflow_provider_batchad.local.batch.task_flow import TaskFlow
from airflow_provider_batchad.local.batch.ticks import TickClock
from airflow_provider_batchad.local.batch.timers import JumpingClock, Timers
from airflow_provider_batchad.local.batch.uploads import Uploader

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.job import Job
    from airflow_provider_batchad.local.config import PoolConfig

DEFAULT_JOB_QUOTA: Final = 1000


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


class BatchAccount:
    """A Batch account with simulated nodes that run tasks as processes of this machine.

    All of it belongs to the event loop that :meth:`start` is called in.

    :param base_url: the account's URL, without a slash at its end.
    :param work_dir: where nodes keep their files; made if need be.
    :param auto_storage: the URL of a container of the linked storage account, with the right to read it.
    :param ca_file: certificates that nodes trust beside the machine's own when they fetch resource files.
    :param job_quota: how many jobs may be active at once; 1,000 is the most that Azure grants.
    """

    def __init__(
        self,
        config: AccountConfig,
        *,
        clock: JumpingClock,
        base_url: str,
        work_dir: Path,
        auto_storage: Callable[[str], str],
        ca_file: Path | None = None,
        job_quota: int = DEFAULT_JOB_QUOTA,
    ) -> None:
        self.name = config.account
        self.base_url = base_url.rstrip("/")
        self.pools: IdIndex[Pool] = IdIndex()
        self.jobs: IdIndex[Job] = IdIndex()
        self.ticks = TickClock(clock)
        self._timers = Timers(clock)
        self._processes = Processes()
        self._http = NodeHttp(ca_file)
        self.task_flow = TaskFlow(ticks=self.ticks)
        services = NodeServices(
            account=self.name,
            account_url=self.base_url,
            processes=self._processes,
            downloader=Downloader(self._http, auto_storage),
            uploader=Uploader(self._http),
        )
        self._preparations = Preparations(ticks=self.ticks, timers=self._timers, services=services)
        self.scheduler = Scheduler(
            pools=self.pools,
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
        for pool in config.pools:
            self._add_pool(pool, work_dir.resolve())

    async def start(self) -> None:
        """Lay out the nodes' directories, and be ready to run tasks."""
        self._timers.start()
        await asyncio.to_thread(self._make_directories)
        await self._processes.open()

    async def stop(self) -> None:
        """End every task's process and everything else that goes on."""
        await self.job_flow.stop()
        await self.scheduler.stop()
        await self._preparations.close()
        await self._processes.close()
        await self._http.close()
        self._timers.stop()

    def _add_pool(self, config: PoolConfig, work_dir: Path) -> None:
        ticks = self.ticks.now()
        pool = Pool(
            id=config.id,
            vm_size=config.vm_size,
            slots_per_node=config.slots,
            created=ticks,
            modified=ticks,
        )
        for number in range(config.nodes):
            node_id = make_node_id(self.name, config.id, number)
            node = Node(
                id=node_id,
                pool_id=config.id,
                number=number,
                slots=config.slots,
                root=work_dir / config.id / node_id,
                vm_size=config.vm_size,
                allocated=ticks,
                transition=ticks,
            )
            pool.nodes.add(node_id, node)
        self.pools.add(config.id, pool)

    def _make_directories(self) -> None:
        for pool in self.pools.values():
            for node in pool.nodes.values():
                node.make_directories()
