"""As ``recorded_stages``: pools, nodes, job schedules, applications."""

from __future__ import annotations

from typing import Any

from tests.contract.batch_fixtures import Batch, eventually
from tests.contract.recorded_stages import Stage, at, node, with_ended_task

MACHINE = {
    "imageReference": {
        "publisher": "Canonical",
        "offer": "0001-com-ubuntu-server-jammy",
        "sku": "22_04-lts",
        "version": "latest",
    },
    "nodeAgentSKUId": "batch.node.ubuntu 22.04",
}
CLASSIC_IMAGE = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/test/providers/Microsoft.Compute/"
    "images/FakeImage"
)
ENDPOINT = {
    "name": "TestEndpointConfig",
    "protocol": "tcp",
    "backendPort": 443,
    "frontendPortRangeStart": 15_000,
    "frontendPortRangeEnd": 15_100,
}


def pool_body(batch: Batch, **members: Any) -> dict[str, Any]:
    return {
        "id": batch.new_id().replace("job", "pool"),
        "vmSize": "Standard_D2s_v3",
        "virtualMachineConfiguration": MACHINE,
        "targetDedicatedNodes": 0,
        **members,
    }


def new_pool(batch: Batch, **members: Any) -> str:
    """The path of a pool of the stage's own, once it has its size."""
    body = pool_body(batch, **members)
    assert batch.send("POST", "/pools", body).status_code == 201
    path = f"/pools/{body['id']}"
    eventually(lambda: batch.send("GET", path).json()["allocationState"] == "steady")
    return path


def new_node(batch: Batch) -> str:
    path = new_pool(batch, targetDedicatedNodes=1)
    ready = eventually(lambda: batch.send("GET", f"{path}/nodes?$filter=state eq 'idle'").json()["value"])
    return f"{path}/nodes/{ready[0]['id']}"


def with_user(batch: Batch) -> str:
    path = new_node(batch)
    user = {"name": "somebody", "password": "Passw0rd!", "isAdmin": False}
    assert batch.send("POST", f"{path}/users", user).status_code == 201
    return f"{path}/users/somebody"


def new_schedule(batch: Batch) -> str:
    """The path of a job schedule whose first run lies far ahead."""
    schedule_id = batch.new_id().replace("job", "schedule")
    body = {
        "id": schedule_id,
        "schedule": {"doNotRunUntil": "2090-12-25T08:00:00Z", "startWindow": "PT6M"},
        "jobSpecification": {"poolInfo": {"poolId": "cpu"}},
    }
    assert batch.send("POST", "/jobschedules", body).status_code == 201
    return f"/jobschedules/{schedule_id}"


def autoscaled(batch: Batch) -> str:
    body = {"enableAutoScale": True, "autoScaleFormula": "$TargetDedicatedNodes=0"}
    return new_pool(batch, targetDedicatedNodes=None, **body)


def only_schedule(batch: Batch, _: str) -> tuple[str, object]:
    path = new_schedule(batch)
    return f"/jobschedules?$filter=id eq '{path.rsplit('/', 1)[1]}'", None


def being_deleted(batch: Batch, _: str) -> tuple[str, object]:
    path = new_pool(batch)
    assert batch.send("DELETE", path).status_code == 202
    return path, None


def being_resized(batch: Batch, _: str) -> tuple[str, object]:
    path = new_pool(batch)
    assert batch.send("POST", f"{path}/resize", {"targetDedicatedNodes": 2}).status_code == 202
    return f"{path}/stopresize", None


def packaged_task(batch: Batch, _: str) -> tuple[str, object]:
    path = f"/jobs/{batch.create_job(pool='empty')}/tasks"
    body = {
        "id": "t",
        "commandLine": "/bin/true",
        "applicationPackageReferences": [{"applicationId": "tool"}],
    }
    assert batch.send("POST", path, body).status_code == 201
    return f"{path}/t", None


def new_task(**members: Any) -> Stage:
    body = {"id": "t", "commandLine": "/bin/true", **members}
    return lambda batch, _: (f"/jobs/{batch.create_job(pool='empty')}/tasks", body)


def nodes_with_endpoints(batch: Batch, _: str) -> tuple[str, object]:
    pools = {"inboundNATPools": [ENDPOINT]}
    path = new_pool(batch, targetDedicatedNodes=1, networkConfiguration={"endpointConfiguration": pools})
    eventually(lambda: batch.send("GET", f"{path}/nodes?$filter=state eq 'idle'").json()["value"])
    return f"{path}/nodes", None


def used_node(batch: Batch, _: str) -> tuple[str, object]:
    with_ended_task(batch)
    assert node(batch)
    return "/pools/cpu/nodes", None


POOL_STAGES: dict[str, Stage] = {
    "add_a_pool_with_a_custom_image_and_get_expected_error": lambda b, _: (
        "/pools",
        pool_body(
            b,
            virtualMachineConfiguration={
                "imageReference": {"virtualMachineImageId": CLASSIC_IMAGE},
                "nodeAgentSKUId": "batch.node.ubuntu 22.04",
            },
        ),
    ),
    "add_a_pool_with_inbound_endpoint_configuration_successfully": lambda b, _: (
        "/pools",
        pool_body(b, networkConfiguration={"endpointConfiguration": {"inboundNATPools": [ENDPOINT]}}),
    ),
    "add_a_task_with_an_application_package_reference_successfully 1": new_task(
        applicationPackageReferences=[{"applicationId": "tool"}]
    ),
    "add_a_task_with_an_application_package_reference_successfully 2": packaged_task,
    "check_if_a_job_schedule_exists_successfully": lambda b, _: (new_schedule(b), None),
    "create_a_new_pool_successfully": lambda b, _: ("/pools", pool_body(b)),
    "create_a_second_pool_successfully": lambda b, _: ("/pools", pool_body(b)),
    "create_a_task_with_container_settings_successfully 1": lambda b, _: (
        "/jobs",
        {"id": b.new_id(), "poolInfo": {"poolId": "cpu"}},
    ),
    "create_a_task_with_container_settings_successfully 2": new_task(
        containerSettings={"imageName": "ubuntu"}
    ),
    "create_a_task_with_container_settings_successfully 3": lambda b, _: (f"/jobs/{b.create_job()}", None),
    "delete_a_compute_node_user_successfully": lambda b, _: (with_user(b), None),
    "delete_a_second_pool_successfully": lambda b, _: (new_pool(b), None),
    "disable_a_job_schedule_successfully": lambda b, _: (f"{new_schedule(b)}/disable", None),
    "disable_scheduling_on_a_compute_node_successfully": lambda b, _: (
        f"{new_node(b)}/disablescheduling",
        None,
    ),
    "enable_autoscale_successfully": lambda b, _: (
        f"{new_pool(b)}/enableautoscale",
        {"autoScaleFormula": "$TargetDedicatedNodes=0"},
    ),
    "evaluate_pool_autoscale_successfully": lambda b, _: (
        f"{autoscaled(b)}/evaluateautoscale",
        {"autoScaleFormula": "$TargetDedicatedNodes=3"},
    ),
    "fail_to_delete_a_non-existant_pool": being_deleted,
    "fail_to_evaluate_invalid_autoscale_formula": lambda b, _: (
        f"{autoscaled(b)}/evaluateautoscale",
        {"autoScaleFormula": "not_a_symbol"},
    ),
    "get_a_job_schedule_reference_successfully": lambda b, _: (new_schedule(b), None),
    "get_application_reference_successfully": at("/applications/tool"),
    "get_the_details_of_a_pool_with_endpoint_configuration_successfully": nodes_with_endpoints,
    "list_applications_successfully": at("/applications"),
    "list_job_schedules_successfully": only_schedule,
    "list_supported_images_successfully": at("/supportedimages"),
    "patch_a_job_schedule_successfully": lambda b, _: (
        new_schedule(b),
        {"schedule": {"doNotRunUntil": "2091-01-01T00:00:00Z"}},
    ),
    "patch_pool_parameters_successfully": lambda b, _: (
        new_pool(b),
        {"metadata": [{"name": "a", "value": "b"}]},
    ),
    "re-list_compute_nodes_successfully": used_node,
    "reimage_a_compute_node_successfully": lambda b, _: (f"{new_node(b)}/reimage", None),
    "start_pool_resizing_successfully": lambda b, _: (f"{new_pool(b)}/resize", {"targetDedicatedNodes": 1}),
    "stop_pool_resizing_successfully": being_resized,
    "update_a_compute_node_user_successfully": lambda b, _: (with_user(b), {"password": "Passw0rd!2"}),
    "update_a_job_schedule_successfully": lambda b, _: (
        new_schedule(b),
        {"jobSpecification": {"poolInfo": {"poolId": "one"}}},
    ),
    "POST /jobs 2025": lambda b, _: (
        "/jobs",
        {
            "id": b.new_id(),
            "poolInfo": {
                "autoPoolSpecification": {
                    "poolLifetimeOption": "job",
                    "pool": {"vmSize": "standard_d2_v2", "virtualMachineConfiguration": MACHINE},
                }
            },
        },
    ),
}
