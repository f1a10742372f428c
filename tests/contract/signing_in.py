"""A connection to a running local Azure, and its token callback, for the tests of `identity/`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from azure.keyvault.secrets._shared import http_challenge_cache

from airflow_provider_batchad.access import optional
from airflow_provider_batchad.clouds import parse_custom_clouds
from airflow_provider_batchad.connection import BatchConnection
from airflow_provider_batchad.identity.surroundings import Surroundings
from airflow_provider_batchad.identity.tokens import TokenCallback
from airflow_provider_batchad.local.client_settings import (
    CLOUD_NAME,
    client_environment,
    describe_cloud,
    describe_connection,
)
from airflow_provider_batchad.local.config import BATCH_RESOURCE, LocalAzureConfig
from airflow_provider_batchad.local.entra.tokens import Principal
from airflow_provider_batchad.local.machine.identity import APP_SERVICE_PATH
from airflow_provider_batchad.local.server import LocalAzure


@dataclass
class SigningIn:
    """What a platform engineer has: local Azure, and a connection to it.

    :param seen: every secret and token that was registered.
    """

    azure: LocalAzure
    seen: list[str] = field(default_factory=list)

    def connection(self, *, cloud: dict[str, str] | None = None, **changes: Any) -> BatchConnection:
        """The recommended connection with some fields changed, stored names as keys."""
        given = describe_connection(self.azure)
        given["password"] = None
        extra = given["extra"]
        for name, value in changes.items():
            (given if name in ("host", "login", "password") else extra)[name] = value
        keys = {**describe_cloud(self.azure), **(cloud or {})}
        return BatchConnection.parse(
            conn_id="batchad_default",
            host=given["host"],
            login=given["login"],
            password=given["password"],
            extra=extra,
            clouds=parse_custom_clouds(json.dumps({CLOUD_NAME: keys})),
        )

    def callback(
        self,
        *,
        clock: Callable[[], float] = time.time,
        retries: int = 0,
        cloud: dict[str, str] | None = None,
        surroundings: Surroundings | None = None,
        **changes: Any,
    ) -> TokenCallback:
        return TokenCallback.for_connection(
            self.connection(cloud=cloud, **changes),
            on_secret=self.seen.append,
            retries=retries,
            clock=clock,
            surroundings=surroundings,
        )

    def principal_of(self, token: str) -> Principal:
        """Whose token it is, as Batch checks it."""
        return self.azure.tokens.verify(token, audience=BATCH_RESOURCE, tenant_id=self.azure.config.tenant.id)

    def count(self, service: str, operation: str) -> int:
        return self.azure.ledger.counts().get(service, {}).get(operation, 0)

    @property
    def client_id(self) -> str:
        return self.azure.config.applications[0].client_id

    @property
    def secret(self) -> str:
        application = self.azure.directory.application(self.client_id)
        assert application is not None
        return application.secrets[-1].value


@contextmanager
def running(monkeypatch: pytest.MonkeyPatch, config: LocalAzureConfig | None = None) -> Iterator[SigningIn]:
    """Local Azure, on a machine that has its managed identities."""
    # azure-keyvault-secrets remembers challenges by host and port, and ports are used again; so it is with
    # what a role does not allow.
    http_challenge_cache.clear()
    optional._refused.clear()
    with LocalAzure(config) as azure:
        be_the_machine(monkeypatch, azure)
        yield SigningIn(azure)


@contextmanager
def connected(monkeypatch: pytest.MonkeyPatch, config: LocalAzureConfig | None = None) -> Iterator[SigningIn]:
    """The same, and this process has an Airflow's connection to it: ``batchad_default``."""
    with running(monkeypatch, config) as signing_in:
        for name, value in client_environment(signing_in.azure).items():
            monkeypatch.setenv(name, value)
        yield signing_in


def be_the_machine(monkeypatch: pytest.MonkeyPatch, azure: LocalAzure) -> None:
    """Give this process local Azure's managed identities, as App Service would."""
    monkeypatch.setenv("IDENTITY_ENDPOINT", azure.endpoints.identity + APP_SERVICE_PATH)
    monkeypatch.setenv("IDENTITY_HEADER", azure.identity_header)
