"""Faults of Entra ID and Key Vault, put in force and taken away while a callback asks them for a token."""

from __future__ import annotations

import asyncio
import email.utils
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from urllib3.util import connection as urllib3_connection

from airflow_provider_batchad.identity import entra_answers, vault, whole_answer
from airflow_provider_batchad.identity.credential import AsyncCallbackCredential, CallbackCredential
from airflow_provider_batchad.identity.patience import Patience
from airflow_provider_batchad.identity.tokens import TokenCallback
from airflow_provider_batchad.local.faults import FaultRule
from tests.contract.signing_in import SigningIn

Service = Literal["entra", "keyvault"]
LONG = "3000"


def date_ahead() -> str:
    """An HTTP date, twenty seconds from now."""
    return email.utils.formatdate(time.time() + 20, usegmt=True)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """How a service goes wrong.

    :param rule: for local Azure; none where nothing listens.
    :param entra: what the message says of Entra ID then.
    :param waits: the least and the most seconds of each wait before it is asked again; none where it is told
        to wait longer than anybody does.
    """

    rule: Callable[[], dict[str, Any]] | None
    entra: str
    waits: tuple[float, float] | None = (0.0, 1.0)
    short_timeout: bool = False
    short_bound: bool = False


SILENT = "did not answer"
STRANGE = "is not Entra ID's answer"
HTML = "<!doctype html><html><body>Sign in to the guest network</body></html>"
WRONG = '{"access_token": 7, "expires_in": "x", "token_endpoint": 7, "value": 7, "id": 7, "attributes": 7}'


def numbered(number: int, error: str) -> str:
    """Entra ID's JSON of an error, as it also comes with 429 and 503."""
    told = {"error": error, "error_description": f"AADSTS{number}: It is busy.", "error_codes": [number]}
    return json.dumps(told)


FAULTS = {
    "refused": Fault(rule=None, entra=SILENT),
    "timed out": Fault(rule=lambda: {"hold": True}, entra=SILENT, short_timeout=True),
    "reset": Fault(rule=lambda: {"broken": "reset"}, entra=SILENT),
    "429, seconds": Fault(
        rule=lambda: {"status": 429, "headers": {"Retry-After": "7"}}, entra="answered 429", waits=(7.0, 7.0)
    ),
    "429, date": Fault(
        rule=lambda: {"status": 429, "headers": {"Retry-After": date_ahead()}},
        entra="answered 429",
        waits=(1.0, 20.0),
    ),
    "429, garbage": Fault(
        rule=lambda: {"status": 429, "headers": {"Retry-After": "soon"}}, entra="answered 429"
    ),
    "429, too long": Fault(
        rule=lambda: {"status": 429, "headers": {"Retry-After": LONG}}, entra="answered 429", waits=None
    ),
    "500": Fault(rule=lambda: {"status": 500}, entra="answered 500"),
    "503": Fault(rule=lambda: {"status": 503}, entra="answered 503"),
    "429, numbered": Fault(
        rule=lambda: {
            "status": 429,
            "headers": {"Retry-After": "7", "Content-Type": "application/json"},
            "body": numbered(90055, "temporarily_unavailable"),
        },
        entra="answered 429",
        waits=(7.0, 7.0),
    ),
    "500, numbered": Fault(
        rule=lambda: {"status": 500, "body": numbered(50000, "server_error")}, entra="answered 500"
    ),
    "drips": Fault(rule=lambda: {"broken": "drip"}, entra=SILENT, short_bound=True),
    "truncated": Fault(rule=lambda: {"broken": "truncate"}, entra=SILENT),
    "HTML": Fault(
        rule=lambda: {"status": 200, "body": HTML, "headers": {"Content-Type": "text/html"}}, entra=STRANGE
    ),
    "wrong types": Fault(rule=lambda: {"status": 200, "body": WRONG}, entra=STRANGE),
    "empty": Fault(rule=lambda: {"status": 200, "body": ""}, entra=STRANGE),
}


@dataclass
class Switchboard:
    """Lets connections to a service reach a port where nothing listens."""

    dead_port: int
    diverted: int | None = None
    attempts: int = 0

    def install(self, patch: pytest.MonkeyPatch) -> None:
        connect = urllib3_connection.create_connection

        def create_connection(address: tuple[str, int], *rest: Any, **options: Any) -> socket.socket:
            host, port = address
            if port == self.diverted:
                self.attempts += 1
                port = self.dead_port
            return connect((host, port), *rest, **options)

        patch.setattr(urllib3_connection, "create_connection", create_connection)


@contextmanager
def dead_port() -> Iterator[int]:
    """A port of this process where nothing listens, and nobody else can."""
    with ExitStack() as stack:
        first = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        first.bind(("127.0.0.1", 0))
        port: int = first.getsockname()[1]
        second = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_STREAM))
        try:
            second.bind(("::1", port))
        except OSError:
            pytest.skip("a port is free for one of the two addresses of localhost only")
        yield port


@dataclass
class Asker:
    """Somebody who asks for tokens while a service is broken.

    :param sleeps: the waits between two questions; none is slept.
    """

    signing_in: SigningIn
    switchboard: Switchboard
    way: Literal["sync", "async"]
    sleeps: list[float] = field(default_factory=list)
    now: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        patience = Patience(retries=2, first_wait_seconds=0.01, sleep=self.sleeps.append)
        self.callback = TokenCallback.for_connection(
            self.signing_in.connection(),
            on_secret=self.signing_in.seen.append,
            patience=patience,
            clock=lambda: self.now,
        )

    def ask(self) -> str:
        if self.way == "sync":
            return CallbackCredential(self.callback).get_token("scope").token
        return asyncio.run(AsyncCallbackCredential(self.callback).get_token("scope")).token

    @contextmanager
    def broken(
        self, service: Service, fault: Fault, patch: pytest.MonkeyPatch
    ) -> Iterator[Callable[[], int]]:
        """The fault in force; gives how often the service has been asked."""
        azure = self.signing_in.azure
        if fault.rule is None:
            self.switchboard.attempts = 0
            self.switchboard.diverted = int(getattr(azure.endpoints, service).rpartition(":")[2])
            try:
                yield lambda: self.switchboard.attempts
            finally:
                self.switchboard.diverted = None
            return
        rule = azure.faults.add(FaultRule(service=service, **fault.rule()))
        try:
            with patch.context() as shortened:
                if fault.short_timeout and service == "entra":
                    shortened.setattr(entra_answers, "_TIMEOUT_SECONDS", (10, 0.2))
                elif fault.short_timeout:
                    shortened.setattr(vault, "_READ_SECONDS", 0.2)
                if fault.short_bound:
                    # Its time limit for a byte never passes.
                    shortened.setattr(whole_answer, "LONGEST_SECONDS", 0.2)
                yield lambda: azure.faults.hits(rule.id)
        finally:
            azure.faults.remove(rule.id)

    def rotate(self) -> None:
        """Make the next sign-in read the vault: a new secret, the old one revoked."""
        azure, client_id = self.signing_in.azure, self.signing_in.client_id
        azure.directory.revoke_secret(client_id)
        azure.vault.set_secret("batch-client-secret", azure.directory.add_secret(client_id).value)
