"""Every way to sign in by sync and async by clouds, each to the end of a real request to Batch.

Of Microsoft's clouds this proves what can be proved without them: that each service is asked for a token for
that cloud's own resource, and takes no other. Which hosts are asked, ``test_identity_ways_hosts.py`` shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest

from airflow_provider_batchad.clouds import AzureCloud
from airflow_provider_batchad.connection import BatchConnection
from airflow_provider_batchad.hooks.clients import async_batch_client, batch_client
from airflow_provider_batchad.identity.tokens import TokenCallback
from tests.contract.ways import CLOUDS, WAYS, Machine, running_machine


@pytest.fixture(params=CLOUDS, ids=lambda cloud: cloud.name)
def cloud(request: pytest.FixtureRequest) -> AzureCloud:
    return request.param


@pytest.fixture
def machine(request: pytest.FixtureRequest, cloud: AzureCloud, tmp_path: Path) -> Iterator[Machine]:
    with running_machine(request, tmp_path, cloud) as machine:
        yield machine


def list_jobs(connection: BatchConnection, callback: TokenCallback) -> list[object]:
    with batch_client(connection, callback, impatient=True) as client:
        return list(client.list_jobs())


async def list_jobs_async(connection: BatchConnection, callback: TokenCallback) -> list[object]:
    async with async_batch_client(connection, callback) as client:
        return [job async for job in client.list_jobs()]


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("way", WAYS)
async def test_jobs_are_listed(machine: Machine, cloud: AzureCloud, way: str, mode: str) -> None:
    prepare, principal = WAYS[way]
    changes = prepare(machine)
    signing_in = machine.signing_in
    signing_in.azure.ledger.clear()
    connection, callback = machine.connection(**changes), machine.callback(**changes)
    assert signing_in.azure.ledger.counts() == {}
    jobs = list_jobs(connection, callback) if mode == "sync" else await list_jobs_async(connection, callback)
    assert jobs == []
    (entry,) = signing_in.azure.ledger.entries(service="batch")
    assert (entry.operation, entry.status, entry.principal) == ("List Jobs", 200, principal)
    token = callback().token
    assert jwt.decode(token, options={"verify_signature": False})["aud"] == cloud.batch_resource
    assert token in signing_in.seen


def test_resource_of_one_cloud_is_unknown_in_another(machine: Machine, cloud: AzureCloud) -> None:
    from airflow_provider_batchad.errors import SignInError

    other = next(one for one in CLOUDS if one.batch_resource != cloud.batch_resource)
    keys = {**machine.cloud, "batch_resource": other.batch_resource}
    with pytest.raises(SignInError) as caught:
        machine.signing_in.callback(cloud=keys)()
    assert caught.value.code == "AADSTS500011"
