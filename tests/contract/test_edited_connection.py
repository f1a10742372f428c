"""A secret in the Airflow connection itself is replaced there while hooks use the old one: sync and async."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchad.errors import BatchAdError, CredentialRefused
from airflow_provider_batchad.hooks import AzureBatchAdAsyncHook, AzureBatchAdHook
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.local.client_settings import describe_connection
from airflow_provider_batchad.local.config import LocalAzureConfig
from tests.contract.signing_in import SigningIn, connected

LIST = requests.list_jobs(select="id", page_size=1)


class Admin:
    """Edits the connection in Airflow and the application in Entra ID."""

    def __init__(self, signing_in: SigningIn, monkeypatch: pytest.MonkeyPatch) -> None:
        self.signing_in = signing_in
        self._monkeypatch = monkeypatch

    def save(self, secret: str, **changes: Any) -> None:
        connection = describe_connection(self.signing_in.azure) | {"password": secret} | changes
        for name in ("vault_url", "vault_credential_name", "vault_sign_in"):
            del connection["extra"][name]
        self._monkeypatch.setenv("AIRFLOW_CONN_BATCHAD_DEFAULT", json.dumps(connection))

    def replace_secret(self) -> str:
        """A new one at Entra ID; the old one and all tokens end."""
        azure = self.signing_in.azure
        old = azure.directory.application(self.signing_in.client_id).secrets[-1]
        new = azure.directory.add_secret(self.signing_in.client_id)
        azure.directory.revoke_secret(self.signing_in.client_id, old.key_id)
        azure.clock.advance(3700)
        return new.value


@pytest.fixture
def admin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Admin]:
    with connected(monkeypatch, LocalAzureConfig(port=0, state_dir=tmp_path)) as signing_in:
        admin = Admin(signing_in, monkeypatch)
        admin.save(signing_in.secret)
        yield admin


@pytest.fixture(params=["sync", "async"])
def use(request: pytest.FixtureRequest) -> Callable[[Callable[[], object]], int]:
    """Ask Batch, do something, and ask again with the same hook; the status of the last answer."""

    def use_sync(meanwhile: Callable[[], object]) -> int:
        with AzureBatchAdHook() as hook:
            hook.send(LIST)
            meanwhile()
            return hook.send(LIST).status

    async def use_async(meanwhile: Callable[[], object]) -> int:
        async with AzureBatchAdAsyncHook() as hook:
            await hook.send(LIST)
            meanwhile()
            return (await hook.send(LIST)).status

    return use_sync if request.param == "sync" else lambda meanwhile: asyncio.run(use_async(meanwhile))


def statuses(admin: Admin) -> list[int]:
    entries = admin.signing_in.azure.ledger.entries(service="entra", operation="Token")
    return [entry.status for entry in entries]


def test_a_new_secret_in_the_connection_is_found_when_the_old_one_is_refused(admin, use):
    assert use(lambda: admin.save(admin.replace_secret())) == 200
    assert statuses(admin) == [200, 401, 200]


def test_a_connection_that_still_has_the_old_secret_says_that_it_is_refused(admin, use):
    with pytest.raises(CredentialRefused):
        use(admin.replace_secret)
    assert statuses(admin) == [200, 401]


@pytest.mark.parametrize("changes", [{"login": "99999999-9999-9999-9999-999999999999"}, {"host": "nowhere"}])
def test_a_connection_that_is_another_one_by_now_or_none_is_not_taken(admin, use, changes):
    with pytest.raises(BatchAdError) as caught:
        use(lambda: admin.save(admin.replace_secret(), **changes))
    assert isinstance(caught.value, CredentialRefused)
    assert statuses(admin) == [200, 401]
