"""Nodes of local Batch: start tasks, reboots, scheduling, users, files, as Microsoft's client sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from azure.batch import BatchClient, models
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from tests.contract.batch_fixtures import Batch, eventually, shell
from tests.contract.pool_fixtures import code_of, create_pool, nodes_in, pool_when, steady


def start(command_line: str, **options: Any) -> models.BatchStartTask:
    return models.BatchStartTask(command_line=shell(command_line), **options)


def one_node(batch: Batch, pool_id: str, state: str = "idle") -> models.BatchNode:
    (node,) = nodes_in(batch, pool_id, state)
    return node


def read_file(batch: Batch, pool_id: str, node_id: str, path: str) -> str:
    return b"".join(batch.client.download_node_file(pool_id, node_id, path)).decode()


def test_start_task_runs_on_each_node_before_its_tasks(batch: Batch) -> None:
    pool_id = create_pool(
        batch,
        nodes=2,
        start_task=start(
            "echo ready > $AZ_BATCH_NODE_SHARED_DIR/flag; env; pwd",
            environment_settings=[models.EnvironmentSetting(name="A", value="b")],
        ),
    )
    job_id = batch.create_job(pool_id)
    task = batch.run(job_id, "t", shell("cat $AZ_BATCH_NODE_SHARED_DIR/flag"))
    assert task.execution_info.exit_code == 0
    assert batch.read(job_id, "t") == b"ready\n"
    for node in nodes_in(batch, pool_id, "idle"):
        info = node.start_task_info
        assert (info.state, info.exit_code, info.result, info.retry_count) == ("completed", 0, "success", 0)
        assert info.start_time <= info.end_time
        assert node.start_task.wait_for_success
        assert node.start_task.user_identity.auto_user.scope == "pool"
        output = read_file(batch, pool_id, node.id, "startup/stdout.txt")
        assert "A=b" in output
        assert f"AZ_BATCH_POOL_ID={pool_id}" in output
        assert "AZ_BATCH_JOB_ID" not in output
        assert output.strip().endswith("/startup/wd")


def test_failed_start_task_keeps_tasks_away_until_it_succeeds(batch: Batch) -> None:
    pool_id = create_pool(batch, start_task=start("exit 3", max_task_retry_count=2))
    job_id = batch.create_job(pool_id)
    batch.add(job_id, "t")
    node = one_node(batch, pool_id, "starttaskfailed")
    info = node.start_task_info
    assert (info.exit_code, info.result, info.retry_count) == (3, "failure", 2)
    assert info.failure_info.code == "FailureExitCode"
    assert [error.code for error in node.errors] == ["StartTaskFailed"]
    condition = "startTaskInfo/exitCode eq 3 and state eq 'starttaskfailed'"
    found = batch.client.list_nodes(pool_id, filter=condition)
    assert [one.id for one in found] == [node.id]
    counts = next(iter(batch.client.list_pool_node_counts(filter=f"poolId eq '{pool_id}'")))
    assert counts.dedicated.start_task_failed == 1
    assert batch.client.get_task(job_id, "t").state == "active"
    batch.client.update_pool(pool_id, models.BatchPoolUpdateOptions(start_task=start("exit 0")))
    batch.client.begin_reboot_node(
        pool_id, node.id, {"nodeRebootOption": "requeue"}, polling_interval=0.02
    ).result()
    assert batch.finished(job_id, "t").execution_info.exit_code == 0


def test_start_task_that_is_not_waited_for_runs_beside_tasks(batch: Batch) -> None:
    pool_id = create_pool(batch, start_task=start("sleep 100", wait_for_success=False))
    job_id = batch.create_job(pool_id)
    batch.run(job_id, "t", "/bin/true")
    node = one_node(batch, pool_id)
    assert eventually(lambda: batch.client.get_node(pool_id, node.id).start_task_info).state == "running"
    batch.client.begin_delete_pool(pool_id, polling_interval=0.02).result()


@pytest.mark.parametrize("verb", ["reboot", "reimage"])
def test_restarted_node_comes_back_with_or_without_its_files(batch: Batch, verb: str) -> None:
    pool_id = create_pool(batch)
    job_id = batch.create_job(pool_id)
    node = one_node(batch, pool_id)
    batch.run(job_id, "before", shell("echo kept > $AZ_BATCH_NODE_SHARED_DIR/file"))
    batch.add(job_id, "t", "/bin/sleep 100")
    batch.running(job_id, "t")
    options = {
        "reboot": {"nodeRebootOption": "terminate"},
        "reimage": {"nodeReimageOption": "terminate"},
    }[verb]
    poller = getattr(batch.client, f"begin_{verb}_node")(pool_id, node.id, options, polling_interval=0.02)
    again: Callable[..., Any] = getattr(batch.client, f"begin_{verb}_node")
    with pytest.raises(ResourceExistsError) as raised:
        again(pool_id, node.id, options)
    assert code_of(raised) == (409, f"NodeBeing{verb.capitalize()}{'ed' if verb == 'reboot' else 'd'}")
    poller.result()
    back = one_node(batch, pool_id)
    assert back.last_boot_time > node.last_boot_time
    assert batch.finished(job_id, "t").execution_info.failure_info.code == "TaskEnded"
    answer = batch.send("GET", f"/pools/{pool_id}/nodes/{node.id}/files/shared%2Ffile")
    assert answer.status_code == (200 if verb == "reboot" else 404)


def test_node_without_scheduling_is_offline_and_takes_no_task(batch: Batch) -> None:
    pool_id = create_pool(batch)
    node = one_node(batch, pool_id)
    options = {"nodeDisableSchedulingOption": "requeue"}
    batch.client.disable_node_scheduling(pool_id, node.id, options)
    disabled = batch.client.get_node(pool_id, node.id)
    assert (disabled.state, disabled.scheduling_state) == ("offline", "disabled")
    with pytest.raises(ResourceExistsError) as raised:
        batch.client.disable_node_scheduling(pool_id, node.id, options)
    assert code_of(raised) == (409, "NodeAlreadyInTargetSchedulingState")
    job_id = batch.create_job(pool_id)
    batch.add(job_id, "t")
    assert batch.client.get_task(job_id, "t").state == "active"
    batch.client.enable_node_scheduling(pool_id, node.id)
    batch.finished(job_id, "t")


def test_deallocated_node_starts_again(batch: Batch) -> None:
    pool_id = create_pool(batch)
    node = one_node(batch, pool_id)
    with pytest.raises(ResourceExistsError) as raised:
        batch.client.begin_start_node(pool_id, node.id)
    assert code_of(raised) == (409, "OperationNotValidOnNode")
    batch.client.begin_deallocate_node(
        pool_id,
        node.id,
        {"nodeDeallocateOption": "requeue"},
        polling_interval=0.02,
    ).result()
    assert batch.client.get_node(pool_id, node.id).state == "deallocated"
    batch.client.begin_start_node(pool_id, node.id, polling_interval=0.02).result()
    one_node(batch, pool_id)


def test_removed_nodes_leave_their_pool_smaller(batch: Batch) -> None:
    pool_id = create_pool(batch, nodes=3)
    nodes = nodes_in(batch, pool_id, "idle")
    steady(batch, pool_id)
    batch.client.begin_remove_nodes(
        pool_id, models.BatchNodeRemoveOptions(node_ids=[nodes[1].id]), polling_interval=0.02
    ).result()
    pool = pool_when(batch, pool_id, lambda pool: pool.current_dedicated_nodes == 2)
    assert pool.target_dedicated_nodes == 2
    assert {node.id for node in batch.client.list_nodes(pool_id)} == {nodes[0].id, nodes[2].id}
    steady(batch, pool_id)
    with pytest.raises(ResourceNotFoundError) as raised:
        batch.client.begin_remove_nodes(pool_id, models.BatchNodeRemoveOptions(node_ids=[nodes[1].id]))
    assert code_of(raised) == (404, "NodeNotFound")


def test_node_removed_after_its_tasks_data_were_kept_long_enough(own_batch: Batch) -> None:
    batch = own_batch
    pool_id = create_pool(batch)
    job_id = batch.create_job(pool_id)
    batch.run(job_id, "t", "/bin/true")
    steady(batch, pool_id)
    node = one_node(batch, pool_id)
    batch.client.begin_resize_pool(
        pool_id,
        models.BatchPoolResizeOptions(
            target_dedicated_nodes=0,
            node_deallocation_option="retaineddata",
            resize_timeout="P30D",  # type: ignore[arg-type]  # the service's own form; a timedelta loses its days
        ),
    )
    eventually(lambda: batch.client.get_node(pool_id, node.id).state == "leavingpool")
    batch.azure.clock.advance(7 * 86_400 + 1)
    pool_when(batch, pool_id, lambda pool: pool.current_dedicated_nodes == 0)


def test_users_of_a_node(batch: Batch) -> None:
    node = next(iter(batch.client.list_nodes("cpu")))
    user = models.BatchNodeUserCreateOptions(name="Somebody", password="Tr0ub4dor&3")
    batch.client.create_node_user("cpu", node.id, user)
    with pytest.raises(ResourceExistsError) as raised:
        batch.client.create_node_user("cpu", node.id, user)
    assert code_of(raised) == (409, "NodeUserExists")
    batch.client.replace_node_user(
        "cpu", node.id, "somebody", models.BatchNodeUserReplaceOptions(password="other")
    )
    batch.client.delete_node_user("cpu", node.id, "Somebody")
    with pytest.raises(ResourceNotFoundError) as missing:
        batch.client.delete_node_user("cpu", node.id, "Somebody")
    assert code_of(missing) == (404, "NodeUserNotFound")
    settings = batch.client.get_node_remote_login_settings("cpu", node.id)
    endpoint = node.endpoint_configuration.inbound_endpoints[-1]
    assert (settings.remote_login_ip_address, settings.remote_login_port) == (
        endpoint.public_ip_address,
        endpoint.frontend_port,
    )


def test_files_of_a_node(batch: Batch) -> None:
    pool_id = create_pool(batch, start_task=start("echo hello > hello.txt"))
    node = one_node(batch, pool_id)
    names = [file.name for file in batch.client.list_node_files(pool_id, node.id)]
    assert names == ["applications", "fsmounts", "shared", "startup", "volatile", "workitems"]
    path = "startup/wd/hello.txt"
    properties = batch.client.get_node_file_properties(pool_id, node.id, path)
    assert (properties.content_length, properties.is_directory) == (6, False)
    assert read_file(batch, pool_id, node.id, path) == "hello\n"
    batch.client.delete_node_file(pool_id, node.id, path)
    assert (
        batch.send("HEAD", f"/pools/{pool_id}/nodes/{node.id}/files/startup%2Fwd%2Fhello.txt").status_code
        == 404
    )


def test_endpoints_of_the_pool_are_its_nodes(batch: Batch) -> None:
    nat_pool = models.BatchInboundNatPool(
        name="web",
        protocol="tcp",
        backend_port=80,
        frontend_port_range_start=15000,
        frontend_port_range_end=15100,
    )
    pool_id = create_pool(
        batch,
        network_configuration=models.NetworkConfiguration(
            endpoint_configuration=models.BatchPoolEndpointConfiguration(inbound_nat_pools=[nat_pool])
        ),
    )
    node = one_node(batch, pool_id)
    assert [
        (endpoint.name, endpoint.protocol, endpoint.frontend_port, endpoint.backend_port)
        for endpoint in node.endpoint_configuration.inbound_endpoints
    ] == [("web.0", "tcp", 15000, 80), ("SSHRule.0", "tcp", 50000, 22)]
    shown = batch.send("GET", f"/pools/{pool_id}").json()["networkConfiguration"]
    assert shown["dynamicVNetAssignmentScope"] == "none"


def test_task_in_a_container_runs_in_no_pool(batch: Batch) -> None:
    container = models.BatchContainerConfiguration(type="dockerCompatible")
    machine = models.VirtualMachineConfiguration(
        image_reference=models.BatchVmImageReference(publisher="a", offer="b", sku="c"),
        node_agent_sku_id="batch.node.ubuntu 22.04",
        container_configuration=container,
    )
    batch.client.create_pool(
        models.BatchPoolCreateOptions(
            id="containers", vm_size="small", virtual_machine_configuration=machine, target_dedicated_nodes=1
        )
    )
    settings = models.BatchTaskContainerSettings(image_name="alpine")
    for pool_id, code in (("cpu", "ContainerPoolNotSupported"), ("containers", "CommandLaunchFailed")):
        job_id = batch.create_job(pool_id)
        task = batch.run(job_id, "t", "/bin/true", container_settings=settings)
        assert task.execution_info.failure_info.code == code


@pytest.mark.parametrize(
    "ask",
    [
        lambda client, node: client.upload_node_logs(
            "cpu",
            node,
            models.UploadBatchServiceLogsOptions(
                container_url="https://x", start_time="2026-01-01T00:00:00Z"
            ),
        ),
        lambda client, node: list(client.list_node_extensions("cpu", node)),
        lambda client, _: list(client.list_pool_usage_metrics()),
    ],
)
def test_what_is_left_out_is_not_known(batch: Batch, ask: Callable[[BatchClient, str], object]) -> None:
    node = next(iter(batch.client.list_nodes("cpu")))
    with pytest.raises(HttpResponseError) as raised:
        ask(batch.client, node.id)
    assert code_of(raised) == (400, "InvalidUri")


def test_supported_images_and_applications(batch: Batch) -> None:
    images = list(batch.client.list_supported_images(filter="osType eq 'linux'", max_results=2))
    assert len(images) > 2
    assert all(image.os_type == "linux" and image.node_agent_sku_id for image in images)
    assert any(image.verification_type == "verified" for image in images)
    assert list(batch.client.list_applications()) == []
    with pytest.raises(ResourceNotFoundError) as raised:
        batch.client.get_application("no-such-application")
    assert code_of(raised) == (404, "ApplicationNotFound")
