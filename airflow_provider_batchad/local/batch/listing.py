"""What each list can be filtered by, and which members each resource has that ``$select`` may name.

Source of the filters: "OData Filters in Azure Batch" of the REST reference, whose sets are closed. Its newer
edition allows ``ne`` for states. For tasks it says ``lastModifiedTime``, where every other list and the task
itself say ``lastModified``: both are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.local.batch.filters import Kind, Property

if TYPE_CHECKING:
    from airflow_provider_batchad.local.batch.applications import SupportedImage
    from airflow_provider_batchad.local.batch.job import Job
    from airflow_provider_batchad.local.batch.job_schedule import JobSchedule
    from airflow_provider_batchad.local.batch.node import Node
    from airflow_provider_batchad.local.batch.pool import Pool
    from airflow_provider_batchad.local.batch.preparation import JobOnNode, NodeTask
    from airflow_provider_batchad.local.batch.run_record import RunRecord
    from airflow_provider_batchad.local.batch.task import Execution, Task

_EQUAL: Final = frozenset({"eq", "ne"})
_ORDER: Final = _EQUAL | {"gt", "ge", "lt", "le"}
_TEXT: Final = _ORDER | {"startswith"}


def _moment(read: Callable[[Any], int]) -> Property[Any]:
    return Property(kind="moment", operators=_ORDER, read=lambda entity: read(entity) or None)


def _property(kind: Kind, operators: frozenset[str], read: Callable[[Any], object]) -> Property[Any]:
    return Property(kind=kind, operators=operators, read=read)


def _execution(read: Callable[[Execution], object]) -> Callable[[Task], object]:
    return lambda task: None if task.execution is None else read(task.execution)


def _start_task(read: Callable[[RunRecord], object]) -> Callable[[Node], object]:
    return lambda node: None if node.start_task_info is None else read(node.start_task_info)


JOB_FILTER: Final[Mapping[str, Property[Job]]] = {
    "id": _property("text", _TEXT, lambda job: job.key),
    "state": _property("text", _EQUAL, lambda job: job.state.value),
    "stateTransitionTime": _moment(lambda job: job.transition),
    "creationTime": _moment(lambda job: job.created),
    "lastModified": _moment(lambda job: job.modified),
    "executionInfo/startTime": _moment(lambda job: job.start),
    "executionInfo/endTime": _moment(lambda job: job.end),
    "executionInfo/poolId": _property("text", _TEXT, lambda job: job.pool_id.lower()),
}
TASK_FILTER: Final[Mapping[str, Property[Task]]] = {
    "id": _property("text", _TEXT, lambda task: task.id.lower()),
    "state": _property("text", _EQUAL, lambda task: task.state.value),
    "stateTransitionTime": _moment(lambda task: task.transition),
    "creationTime": _moment(lambda task: task.created),
    "lastModified": _moment(lambda task: task.modified),
    "lastModifiedTime": _moment(lambda task: task.modified),
    "executionInfo/startTime": _property("moment", _ORDER, _execution(lambda run: run.start or None)),
    "executionInfo/endTime": _property("moment", _ORDER, _execution(lambda run: run.end or None)),
    "executionInfo/exitCode": _property("number", _ORDER, _execution(lambda run: run.exit_code)),
    "executionInfo/result": _property(
        "text", _EQUAL, _execution(lambda run: run.result and run.result.value)
    ),
}
_NODE_TASK_FILTERS: Final[dict[str, tuple[Kind, frozenset[str], Callable[[NodeTask], object]]]] = {
    "state": ("text", _EQUAL, lambda run: run.state),
    "result": ("text", _EQUAL, lambda run: run.result and run.result.value),
    "startTime": ("moment", _ORDER, lambda run: run.start or None),
    "endTime": ("moment", _ORDER, lambda run: run.end or None),
    "exitCode": ("number", _ORDER, lambda run: run.exit_code),
}


def _node_task(name: str, read: Callable[[JobOnNode], NodeTask | None]) -> dict[str, Property[JobOnNode]]:
    def of(inner: Callable[[Any], object]) -> Callable[[JobOnNode], object]:
        return lambda place: None if (run := read(place)) is None else inner(run)

    return {
        f"{name}/{member}": _property(kind, operators, of(inner))
        for member, (kind, operators, inner) in _NODE_TASK_FILTERS.items()
    }


PREPARATION_FILTER: Final[Mapping[str, Property[JobOnNode]]] = {
    "nodeId": _property("text", _TEXT, lambda place: place.node.id),
    "poolId": _property("text", _TEXT, lambda place: place.node.pool_id.lower()),
    **_node_task("jobPreparationTaskExecutionInfo", lambda place: place.preparation),
    **_node_task("jobReleaseTaskExecutionInfo", lambda place: place.release),
}
POOL_FILTER: Final[Mapping[str, Property[Pool]]] = {
    "id": _property("text", _TEXT, lambda pool: pool.id.lower()),
    "state": _property("text", _EQUAL, lambda pool: pool.state.value),
    "stateTransitionTime": _moment(lambda pool: pool.transition),
    "allocationState": _property("text", _EQUAL, lambda pool: pool.allocation.value),
    "allocationStateTransitionTime": _moment(lambda pool: pool.allocation_transition),
    "creationTime": _moment(lambda pool: pool.created),
    "enableAutoScale": _property("truth", _EQUAL, lambda pool: pool.autoscale is not None),
    "lastModified": _moment(lambda pool: pool.modified),
    "vmSize": _property("text", _EQUAL, lambda pool: pool.vm_size.lower()),
    "enableInterNodeCommunication": _property(
        "truth", _EQUAL, lambda pool: pool.properties["enableInterNodeCommunication"]
    ),
}
NODE_FILTER: Final[Mapping[str, Property[Node]]] = {
    "state": _property("text", _EQUAL, lambda node: node.state.value),
    "stateTransitionTime": _moment(lambda node: node.transition),
    "lastBootTime": _moment(lambda node: node.booted),
    "allocationTime": _moment(lambda node: node.allocated),
    "startTaskInfo/state": _property("text", frozenset({"eq"}), _start_task(lambda info: info.state)),
    "startTaskInfo/result": _property(
        "text", _EQUAL, _start_task(lambda info: info.result and info.result.value)
    ),
    "startTaskInfo/exitCode": _property("number", _ORDER, _start_task(lambda info: info.exit_code)),
    "startTaskInfo/startTime": _property("moment", _ORDER, _start_task(lambda info: info.start or None)),
    "startTaskInfo/endTime": _property("moment", _ORDER, _start_task(lambda info: info.end or None)),
}
JOB_OF_SCHEDULE_FILTER: Final[Mapping[str, Property[Job]]] = {
    name: allowed for name, allowed in JOB_FILTER.items() if name != "id"
}
SCHEDULE_FILTER: Final[Mapping[str, Property[JobSchedule]]] = {
    "id": _property("text", _TEXT, lambda schedule: schedule.key),
    "state": _property("text", _EQUAL, lambda schedule: schedule.state.value),
    "stateTransitionTime": _moment(lambda schedule: schedule.transition),
    "creationTime": _moment(lambda schedule: schedule.created),
    "lastModified": _moment(lambda schedule: schedule.modified),
}
IMAGE_FILTER: Final[Mapping[str, Property[SupportedImage]]] = {
    "osType": _property("text", _EQUAL, lambda image: image.os_type),
    "verificationType": _property(
        "text", _EQUAL, lambda image: "verified" if image.verified else "unverified"
    ),
    "nodeAgentSKUId": _property("text", _EQUAL, lambda image: image.node_agent),
}
NODE_COUNT_FILTER: Final[Mapping[str, Property[Pool]]] = {
    "poolId": _property("text", frozenset({"eq"}), lambda pool: pool.id.lower()),
}
FILE_FILTER: Final[Mapping[str, Property[str]]] = {
    "name": _property("text", frozenset({"startswith"}), lambda name: name.lower()),
}


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_COMMON: Final = _names("id url eTag lastModified creationTime state stateTransitionTime displayName stats")
_PREVIOUS: Final = frozenset({"previousState", "previousStateTransitionTime"})
JOB_MEMBERS: Final = (
    _COMMON
    | _PREVIOUS
    | _names(
        "usesTaskDependencies priority allowTaskPreemption maxParallelTasks constraints jobManagerTask "
        "jobPreparationTask jobReleaseTask commonEnvironmentSettings poolInfo onAllTasksComplete "
        "onTaskFailure networkConfiguration metadata executionInfo"
    )
)
TASK_MEMBERS: Final = (
    _COMMON
    | _PREVIOUS
    | _names(
        "exitConditions commandLine containerSettings resourceFiles outputFiles environmentSettings "
        "affinityInfo constraints requiredSlots userIdentity executionInfo nodeInfo multiInstanceSettings "
        "dependsOn applicationPackageReferences"
    )
)
SUBTASK_MEMBERS: Final = _PREVIOUS | _names(
    "id nodeInfo startTime endTime exitCode containerInfo failureInfo state stateTransitionTime result"
)
POOL_MEMBERS: Final = _COMMON | _names(
    "allocationState allocationStateTransitionTime vmSize virtualMachineConfiguration resizeTimeout "
    "resizeErrors currentDedicatedNodes currentLowPriorityNodes targetDedicatedNodes "
    "targetLowPriorityNodes enableAutoScale autoScaleFormula autoScaleEvaluationInterval autoScaleRun "
    "enableInterNodeCommunication networkConfiguration startTask applicationPackageReferences "
    "taskSlotsPerNode taskSchedulingPolicy userAccounts metadata mountConfiguration identity "
    "upgradePolicy"
)
PREPARATION_MEMBERS: Final = _names(
    "poolId nodeId nodeUrl jobPreparationTaskExecutionInfo jobReleaseTaskExecutionInfo"
)
SCHEDULE_MEMBERS: Final = _COMMON | _PREVIOUS | _names("schedule jobSpecification executionInfo metadata")
NODE_MEMBERS: Final = _names(
    "id url state schedulingState stateTransitionTime lastBootTime allocationTime ipAddress ipv6Address "
    "affinityId vmSize totalTasksRun runningTasksCount runningTaskSlotsCount totalTasksSucceeded "
    "recentTasks startTask startTaskInfo errors isDedicated endpointConfiguration nodeAgentInfo "
    "virtualMachineInfo"
)
