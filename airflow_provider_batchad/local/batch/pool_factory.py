"""From the body of a pool, or of an auto pool, to the properties that are kept, and what is refused."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.local.batch.autoscale import MAX_FORMULA_LENGTH, FormulaRefused, check_syntax
from airflow_provider_batchad.local.batch.errors import BatchError, invalid_property
from airflow_provider_batchad.local.batch.wire.machines import check_machine
from airflow_provider_batchad.local.batch.wire.networks import check_network
from airflow_provider_batchad.local.batch.wire.pools import (
    AutoPoolSpecification,
    PoolSpecification,
    PoolUpdate,
    StartTask,
)
from airflow_provider_batchad.local.batch.wire.types import refuse_unsupported

if TYPE_CHECKING:
    from airflow_provider_batchad.local.config import ManagedIdentityConfig, PoolConfig

DEFAULT_RESIZE_TIMEOUT: Final = "PT15M"
DEFAULT_INTERVAL: Final = "PT15M"
# What a pool is made with and then has in other places.
SIZE_MEMBERS: Final = (
    "resizeTimeout",
    "targetDedicatedNodes",
    "targetLowPriorityNodes",
    "enableAutoScale",
    "autoScaleFormula",
    "autoScaleEvaluationInterval",
)
# BatchPoolUpdateOptions: of all other members, "This field can be updated only when the pool is empty".
ALWAYS_UPDATABLE: Final = frozenset({"startTask", "applicationPackageReferences", "metadata"})
_UBUNTU: Final = {
    "imageReference": {
        "publisher": "canonical",
        "offer": "0001-com-ubuntu-server-jammy",
        "sku": "22_04-lts",
        "version": "latest",
    },
    "nodeAgentSKUId": "batch.node.ubuntu 22.04",
}


def build_pool(spec: PoolSpecification) -> dict[str, Any]:
    """A pool's members with the service's defaults, as the recorded answers have them.

    :raises BatchError: it asks for what the service refuses, or for what local Azure does not act out.
    """
    _check_size(spec)
    if spec.virtual_machine_configuration is None:
        raise BatchError("MissingRequiredProperty", (("PropertyName", "virtualMachineConfiguration"),))
    given = show_members(spec)
    given.pop("id", None)
    members: dict[str, Any] = {
        "resizeTimeout": DEFAULT_RESIZE_TIMEOUT,
        "enableAutoScale": False,
        "enableInterNodeCommunication": False,
        "taskSlotsPerNode": 1,
        "taskSchedulingPolicy": {"nodeFillType": "Spread", "jobDefaultOrder": "none"},
    }
    if spec.enable_auto_scale:
        members["autoScaleEvaluationInterval"] = DEFAULT_INTERVAL
    else:
        members |= {"targetDedicatedNodes": 0, "targetLowPriorityNodes": 0}
    return members | given


def build_auto_pool(spec: AutoPoolSpecification) -> dict[str, Any]:
    """An auto pool's specification, with the service's defaults.

    :raises BatchError: there is no pool in it, or one that is refused.
    """
    if spec.pool is None:
        raise BatchError("MissingRequiredProperty", (("PropertyName", "pool"),))
    given = spec.to_wire()
    return {"keepAlive": False, **given, "pool": build_pool(spec.pool)}


def build_configured(
    config: PoolConfig, identities: Iterable[tuple[str, ManagedIdentityConfig]]
) -> dict[str, Any]:
    """A pool that exists from the start.

    :param identities: by their resource IDs. Resource Manager alone gives them to a pool.
    """
    members = build_pool(
        PoolSpecification.model_validate(
            {
                "vmSize": config.vm_size,
                "virtualMachineConfiguration": _UBUNTU,
                "taskSlotsPerNode": config.slots,
                "targetDedicatedNodes": config.nodes,
            }
        )
    )
    held = [
        {"resourceId": resource_id, "clientId": one.client_id, "principalId": one.object_id}
        for resource_id, one in identities
    ]
    # BatchPoolIdentity
    return members | ({"identity": {"type": "UserAssigned", "userAssignedIdentities": held}} if held else {})


def show_members(pool: PoolUpdate) -> dict[str, Any]:
    """What a body says of a pool, as it is kept and shown.

    :raises BatchError: local Azure does not act it out, or the account may not have it.
    """
    refuse_unsupported(pool, "mount_configuration")
    if pool.virtual_machine_configuration is not None:
        check_machine(pool.virtual_machine_configuration)
    members = pool.to_wire()
    image = members.get("virtualMachineConfiguration", {}).get("imageReference", {})
    if "publisher" in image:
        image.setdefault("version", "latest")
    if pool.vm_size is not None:
        members["vmSize"] = pool.vm_size.lower()
    if pool.network_configuration is not None:
        check_network(pool.network_configuration)
        members["networkConfiguration"] = {
            "dynamicVNetAssignmentScope": "none",
            "enableAcceleratedNetworking": False,
            **members["networkConfiguration"],
        }
    if pool.start_task is not None:
        members["startTask"] = show_start_task(pool.start_task)
    if "taskSchedulingPolicy" in members:
        members["taskSchedulingPolicy"].setdefault("jobDefaultOrder", "none")
    for account in members.get("userAccounts", ()):
        account.setdefault("elevationLevel", "nonadmin")
    return members


def show_start_task(task: StartTask) -> dict[str, Any]:
    """A start task with the service's defaults.

    :raises BatchError: it wants a container.
    """
    refuse_unsupported(task, "container_settings")
    return {
        "userIdentity": {"autoUser": {"scope": "pool", "elevationLevel": "nonadmin"}},
        "maxTaskRetryCount": 0,
        "waitForSuccess": True,
        **task.to_wire(),
    }


def check_formula(formula: str) -> None:
    """Whether an autoscale formula is taken.

    :raises BatchError: it is too long, or cannot be read.
    """
    if len(formula) > MAX_FORMULA_LENGTH:
        raise BatchError("AutoScalingFormulaTooLong")
    try:
        check_syntax(formula)
    except FormulaRefused as refusal:
        raise BatchError("AutoScalingFormulaSyntaxError", (("Message", str(refusal)),)) from None


def _check_size(spec: PoolSpecification) -> None:
    if not spec.enable_auto_scale:
        for name, value in (
            ("autoScaleFormula", spec.auto_scale_formula),
            ("autoScaleEvaluationInterval", spec.auto_scale_evaluation_interval),
        ):
            if value is not None:
                raise invalid_property(name, value, f"{name} cannot be specified without enableAutoScale")
        return
    for name, count in (
        ("targetDedicatedNodes", spec.target_dedicated_nodes),
        ("targetLowPriorityNodes", spec.target_low_priority_nodes),
    ):
        if count is not None:
            raise invalid_property(name, count, f"{name} cannot be specified with enableAutoScale")
    if spec.auto_scale_formula is None:
        raise BatchError("MissingRequiredProperty", (("PropertyName", "autoScaleFormula"),))
    check_formula(spec.auto_scale_formula)
