"""Local Azure as a whole: its state, its services, and the thread or event loop that they run in."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from aiohttp import web

from airflow_provider_batchad.local.access import RoleBook
from airflow_provider_batchad.local.builtin_roles import BUILTIN_ROLES
from airflow_provider_batchad.local.certificates import CertificateAuthority
from airflow_provider_batchad.local.claims_challenge import ClaimsDemands
from airflow_provider_batchad.local.clock import Clock
from airflow_provider_batchad.local.config import LocalAzureConfig
from airflow_provider_batchad.local.endpoints import Endpoints
from airflow_provider_batchad.local.entra.directory import Directory
from airflow_provider_batchad.local.entra.federated_assertion import TrustedIssuers
from airflow_provider_batchad.local.entra.sign_ins import SignIns
from airflow_provider_batchad.local.entra.tokens import TokenAuthority
from airflow_provider_batchad.local.entra.workload_issuer import WorkloadIssuer
from airflow_provider_batchad.local.faults import FaultRules
from airflow_provider_batchad.local.keyvault.vault import Vault
from airflow_provider_batchad.local.ledger import Ledger
from airflow_provider_batchad.local.listeners import open_listeners
from airflow_provider_batchad.local.secrets_file import SecretsFile
from airflow_provider_batchad.local.services import build_services
from airflow_provider_batchad.local.shared_key import AccountKeys
from airflow_provider_batchad.local.state import StateKeeper
from airflow_provider_batchad.local.work_directory import work_directory

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch import BatchAccount
    from airflow_provider_batchad.local.machine.identity import MachineIdentity
    from airflow_provider_batchad.local.service import Service
    from airflow_provider_batchad.local.storage.routes import Storage

_SHUTDOWN_SECONDS: Final = 1.0


class LocalAzure:
    """A running local Azure, as a context manager or by :meth:`start` and :meth:`stop`.

    Everything that tests look at or change is an attribute; each may be used from any thread.

    :param config: what it holds at first; ports that the system chooses, unless given.
    :ivar federated_token_file: the machine's projected token, where the configuration asks for one.
    """

    endpoints: Endpoints
    ca_file: Path
    identity_header: str
    machine_identity: MachineIdentity
    federated_token_file: Path | None = None
    batch: BatchAccount
    storage: Storage
    services: list[Service]

    def __init__(self, config: LocalAzureConfig | None = None) -> None:
        self.config = config or LocalAzureConfig(port=0)
        self.clock = Clock()
        if self.config.frozen:
            self.clock.freeze()
        if self.config.clock is not None:
            self.clock.set(self.config.clock)
        self.ledger = Ledger(size=self.config.ledger_size)
        self.faults = FaultRules()
        for rule in self.config.faults:
            self.faults.add(rule)
        self.roles = RoleBook((*BUILTIN_ROLES, *self.config.roles))
        self.tokens = TokenAuthority(clock=self.clock)
        self.secrets_file = SecretsFile(self.config.secrets_file)
        self.account_keys = AccountKeys(on_secret=self.secrets_file.add)
        self.directory = Directory(self.config, clock=self.clock, on_secret=self.secrets_file.add)
        self.sign_ins = SignIns(
            directory=self.directory,
            clock=self.clock,
            secrets_file=self.secrets_file,
            device_interval_seconds=self.config.device_code_interval_seconds,
        )
        self.issuers = TrustedIssuers()
        self.workload_issuer = WorkloadIssuer(clock=self.clock, on_secret=self.secrets_file.add)
        self.claims_demands = ClaimsDemands(clock=self.clock)
        self.vault = Vault(clock=self.clock, on_secret=self.secrets_file.add)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._failure: BaseException | None = None
        self._fill()
        self.state = None if self.config.state_dir is None else StateKeeper(self.config.state_dir)
        if self.state is not None:
            self._restore(self.state)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> Self:
        """Serve in a thread of its own; returns when every service answers.

        :raises OSError: a port is taken.
        :raises RuntimeError: it was started before.
        """
        if self._thread is not None:
            raise RuntimeError("local Azure was started before: make a new one")
        ready = threading.Event()
        self._thread = threading.Thread(
            target=self._run_thread, args=(ready,), name="local-azure", daemon=True
        )
        self._thread.start()
        ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self

    def stop(self) -> None:
        """End every task's process and close every port; does nothing where nothing runs."""
        loop, stop, thread = self._loop, self._stop, self._thread
        if loop is None or stop is None or thread is None or not thread.is_alive():
            return
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(stop.set)
        thread.join()

    def preempt_nodes(
        self, pool_id: str, *, node_ids: Iterable[str] | None = None, back_after_seconds: float | None = 60.0
    ) -> tuple[str, ...]:
        """Azure takes Spot nodes away; to be called while local Azure runs in a thread of its own.

        :param node_ids: which; by default all Spot nodes of the pool.
        :param back_after_seconds: when they are created anew, by the clock; ``None``: never.
        :return: the ids of those that were taken.
        :raises KeyError: there is no such pool, or no such Spot node in it.
        """
        if self._loop is None:
            raise RuntimeError("local Azure does not run in a thread: call start() first")

        async def preempt() -> tuple[str, ...]:
            return self.batch.preempt(pool_id, node_ids=node_ids, back_after_seconds=back_after_seconds)

        return asyncio.run_coroutine_threadsafe(preempt(), self._loop).result()

    async def serve(self, stop: asyncio.Event, *, on_ready: Callable[[], None]) -> None:
        """Serve in the running event loop until ``stop`` is set."""
        async with self._work_directory() as directory, self._serving(directory):
            on_ready()
            await stop.wait()
            self.faults.clear()

    def _run_thread(self, ready: threading.Event) -> None:
        async def run() -> None:
            self._loop = asyncio.get_running_loop()
            self._stop = asyncio.Event()
            await self.serve(self._stop, on_ready=ready.set)

        try:
            asyncio.run(run())
        except BaseException as error:  # noqa: BLE001 - handed to the thread that started this one
            self._failure = error
        finally:
            ready.set()

    @contextlib.asynccontextmanager
    async def _serving(self, directory: Path) -> AsyncIterator[None]:
        authority = CertificateAuthority(directory, keep_key=self.state is not None)
        self.ca_file = authority.ca_file
        context = authority.server_context()
        async with contextlib.AsyncExitStack() as stack:
            sockets = open_listeners(self.config, self.state.ports if self.state is not None else None)
            for one in (one for group in sockets.values() for one in group):
                stack.callback(one.close)
            ports = frozenset(one.getsockname()[1] for group in sockets.values() for one in group)
            stack.push_async_callback(_abort_rest, ports)
            self.endpoints = Endpoints(
                **{name: f"https://localhost:{group[0].getsockname()[1]}" for name, group in sockets.items()}
            )
            self.services = await build_services(self, directory, stack)
            if self.state is not None:
                stack.push_async_callback(self.state.stop, self)
                self.state.start(self)
            for service in self.services:
                runner = web.AppRunner(
                    service.application(), access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS
                )
                await runner.setup()
                stack.push_async_callback(runner.cleanup)
                for one in sockets[service.name]:
                    await web.SockSite(runner, one, ssl_context=context).start()
            yield

    @contextlib.asynccontextmanager
    async def _work_directory(self) -> AsyncIterator[Path]:
        if self.state is not None:
            try:
                yield self.state.directory
            finally:
                self.secrets_file.close()
                self.state.release()
            return
        with work_directory() as directory:
            try:
                yield directory
            finally:
                self.secrets_file.close()

    def _restore(self, state: StateKeeper) -> None:
        try:
            state.restore_early(self)
        except BaseException:
            state.release()
            raise

    def _fill(self) -> None:
        for secret in self.config.initial_vault_secrets:
            self.vault.set_secret(secret.name, secret.value, confidential=secret.confidential)
        for application in self.config.applications:
            registered = self.directory.application(application.client_id)
            if application.vault_secret_name is not None and registered is not None:
                self.vault.set_secret(application.vault_secret_name, registered.secrets[0].value)
        for assignment in self.config.assignments:
            principal = self.directory.principal(assignment.principal)
            self.roles.assign(
                principal_id=principal.object_id,
                role=assignment.role,
                scope=self.config.scope_of(assignment.resource),
            )


async def _abort_rest(ports: frozenset[int]) -> None:
    # A client that keeps its connection open does not answer TLS's farewell, for which asyncio waits 30 s.
    # Who is in the middle of it, or of the greeting, is known to the loop alone.
    known = getattr(asyncio.get_running_loop(), "_transports", {})
    for transport in list(known.values()):
        if (transport.get_extra_info("sockname") or ("", 0))[1] in ports:
            transport.abort()
    await asyncio.sleep(0)
