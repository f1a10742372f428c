"""The managed identities of a pool, in every place that Batch takes a reference to one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from azure.batch import models

from airflow_provider_batchad.local.config import ManagedIdentityConfig, PoolConfig
from airflow_provider_batchad.local.faults import FaultRule
from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.batch_fixtures import Batch, failure, info, shell
from tests.contract.blob_storage import NODE, OTHER, WRITES, config_with, container_url
from tests.contract.pool_fixtures import nodes_in
from tests.contract.state_fixtures import started
from tests.contract.test_local_batch_transfers import output, put
from tests.contract.test_local_storage_identity import WRITER, reference

POOLS = (
    PoolConfig(id="cpu", identities=(NODE.name,)),
    *(PoolConfig(id=name, nodes=0, slots=1, identities=(NODE.name,)) for name in ("many", "good", "bad")),
)
CONFIG = config_with(WRITES, WRITER, pools=POOLS)


@pytest.fixture(scope="module")
def batch() -> Iterator[Batch]:
    with LocalAzure(CONFIG) as azure:
        batch = Batch(azure)
        yield batch
        batch.close()


@pytest.fixture
def container(batch: Batch) -> str:
    """A container with one blob."""
    name = f"{batch.new_id()}-files"
    batch.azure.storage.containers.create(name)
    put(batch, name, {"in.txt": b"content"})
    return name


def blob(batch: Batch, name: str, identity: ManagedIdentityConfig = NODE) -> models.ResourceFile:
    return models.ResourceFile(
        http_url=f"{container_url(batch.azure, name)}/in.txt",
        file_path="in.txt",
        identity_reference=reference(batch, identity),
    )


def fill(batch: Batch, pool: str, nodes: int, **changes: Any) -> list[models.BatchNode]:
    """Change an empty pool, and give it nodes."""
    batch.client.update_pool(pool, models.BatchPoolUpdateOptions(**changes))
    assert batch.send("POST", f"/pools/{pool}/resize", {"targetDedicatedNodes": nodes}).status_code == 202
    return nodes_in(batch, pool, "idle", "starttaskfailed")


def test_job_manager_fetches_and_sends_as_the_identity(batch: Batch, container: str) -> None:
    url = container_url(batch.azure, container)
    manager = models.BatchJobManagerTask(
        id="manager",
        command_line=shell("cat in.txt in.txt > out.txt"),
        resource_files=[blob(batch, container)],
        output_files=[output(url, "out.txt", path="out.txt", identity_reference=reference(batch))],
    )
    job_id = batch.create_job(job_manager_task=manager)
    assert info(batch.finished(job_id, "manager")).result == "success"
    found = batch.azure.storage.containers.find(container, "out.txt")
    assert found is not None
    assert found.path.read_bytes() == b"contentcontent"


def test_preparation_fetches_as_the_identity(batch: Batch, container: str) -> None:
    preparation = models.BatchJobPreparationTask(
        command_line="/bin/true", resource_files=[blob(batch, container)]
    )
    job_id = batch.create_job(job_preparation_task=preparation)
    batch.run(job_id, "t", shell("cat $AZ_BATCH_JOB_PREP_WORKING_DIR/in.txt"))
    assert batch.read(job_id, "t") == b"content"


def test_common_files_of_many_instances_are_fetched_as_the_identity(batch: Batch, container: str) -> None:
    settings = models.MultiInstanceSettings(
        number_of_instances=2,
        coordination_command_line="/bin/true",
        common_resource_files=[blob(batch, container)],
    )
    fill(batch, "many", 2, enable_inter_node_communication=True)
    job_id = batch.create_job("many")
    batch.run(job_id, "t", shell("cat $AZ_BATCH_TASK_SHARED_DIR/in.txt"), multi_instance_settings=settings)
    assert batch.read(job_id, "t") == b"content"


@pytest.mark.parametrize(("pool", "identity"), [("good", NODE), ("bad", OTHER)])
def test_start_task_fetches_as_an_identity_of_its_pool(
    batch: Batch, container: str, pool: str, identity: ManagedIdentityConfig
) -> None:
    start = models.BatchStartTask(
        command_line=shell("grep content in.txt"), resource_files=[blob(batch, container, identity)]
    )
    [node] = fill(batch, pool, 1, start_task=start)
    assert node.start_task_info is not None
    if identity is NODE:
        assert (node.state, node.start_task_info.result) == ("idle", "success")
    else:
        found = node.start_task_info.failure_info
        assert found is not None
        assert (node.state, found.category, found.code) == (
            "starttaskfailed",
            "ServerError",
            "BlobDownloadMiscError",
        )


@pytest.mark.parametrize("name", ["no-identity", "cpu"])
def test_a_resource_id_that_names_no_identity_fails_the_upload(
    batch: Batch, container: str, name: str
) -> None:
    batch_id = models.BatchNodeIdentityReference(
        resource_id=f"{batch.azure.config.resource_group_scope}/{name}"
    )
    url = container_url(batch.azure, container)
    task = batch.run(
        batch.create_job(),
        "t",
        shell("touch r"),
        output_files=[output(url, "r", identity_reference=batch_id)],
    )
    assert (failure(task).category, failure(task).code) == ("UserError", "FileUploadMiscError")
    assert info(task).exit_code == 0


def test_an_identity_without_the_right_is_refused_by_storage(batch: Batch, container: str) -> None:
    held = batch.azure.roles.assignments(principal_id=NODE.object_id)
    for one in held:
        batch.azure.roles.unassign(one.id)
    url = container_url(batch.azure, container)
    files = [output(url, "r", identity_reference=reference(batch))]
    task = batch.run(batch.create_job(), "t", shell("touch r"), output_files=files)
    assert failure(task).code == "FileUploadMiscError"
    said = {one.name: one.value for one in failure(task).details or ()}
    assert said["Message"] == "403 AuthorizationPermissionMismatch"
    task = batch.run(batch.create_job(), "t", "/bin/true", resource_files=[blob(batch, container)])
    assert failure(task).code == "BlobAccessDenied"
    for one in held:
        batch.azure.roles.add_assignment(one)


class Listener:
    """Somebody else's server on loopback, which notes the headers that it is sent."""

    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []
        noted = self.headers

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                noted.append({name.casefold(): value for name, value in self.headers.items()})
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


def test_a_redirect_takes_no_token_along(batch: Batch, container: str, listener: Listener) -> None:
    batch.azure.faults.add(
        FaultRule(service="storage", status=307, headers={"Location": f"{listener.url}/x"}, times=1)
    )
    batch.run(batch.create_job(), "t", "/bin/true", resource_files=[blob(batch, container)])
    [sent] = listener.headers
    assert "authorization" not in sent


@pytest.mark.parametrize("look_alike", ["{storage}@{host}/x", "{storage}.example/x", "http://{host}/x"])
def test_a_look_alike_of_the_storage_service_gets_nothing(
    batch: Batch, listener: Listener, look_alike: str
) -> None:
    url = look_alike.format(storage=batch.azure.endpoints.storage, host=listener.url.removeprefix("http://"))
    given = models.ResourceFile(http_url=url, file_path="x", identity_reference=reference(batch))
    task = batch.run(batch.create_job(), "t", "/bin/true", resource_files=[given])
    assert failure(task).code == "BlobDownloadMiscError"
    assert not listener.headers


def test_a_pool_has_its_identities_after_a_restart(tmp_path: Path) -> None:
    config = config_with(WRITES, WRITER, state_dir=tmp_path / "state")
    for name in ("first", "second"):
        with started(config) as azure:
            batch = Batch(azure)
            url = container_url(azure, "kept")
            files = [output(url, "r", path=name, identity_reference=reference(batch))]
            batch.client.create_job(
                models.BatchJobCreateOptions(id=name, pool_info=models.BatchPoolInfo(pool_id="cpu"))
            )
            task = batch.run(name, "t", shell("touch r"), output_files=files)
            assert info(task).result == "success"
            batch.close()
            assert azure.storage.containers.find("kept", name) is not None
