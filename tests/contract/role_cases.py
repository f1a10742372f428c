"""Each operator's arguments: which change what it needs of a role, and which do not; with values of each.

What an author adds to an operator is to be added to one of the two tables, or the tests of roles fail.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from airflow.providers.common.compat.sdk import AirflowSkipException
from azure.batch import models

from airflow_provider_batchad import operators
from airflow_provider_batchad.local.config import LocalAzureConfig, PoolConfig
from tests.contract.blob_storage import NODE

_MACHINE: Final = {
    "image_reference": {
        "publisher": "canonical",
        "offer": "0001-com-ubuntu-server-jammy",
        "sku": "22_04-lts",
    },
    "node_agent_sku_id": "batch.node.ubuntu 22.04",
}
_POOL: Final = {"vm_size": "standard_d2s_v3", "virtual_machine_configuration": _MACHINE}
_OWN_POOL: Final = {"pool_lifetime_option": "job", "pool": {**_POOL, "target_dedicated_nodes": 1}}
_OWN_POOL_ON_THE_WIRE: Final[dict[str, Any]] = {
    "poolLifetimeOption": "job",
    "pool": {
        "vmSize": "standard_d2s_v3",
        "virtualMachineConfiguration": {
            "imageReference": _MACHINE["image_reference"],
            "nodeAgentSKUId": _MACHINE["node_agent_sku_id"],
        },
        "targetDedicatedNodes": 1,
    },
}
POOLS: Final = (
    PoolConfig(id="cpu", nodes=2, slots=4, identities=(NODE.name,)),
    *(PoolConfig(id=name, nodes=1) for name in ("spot", "dedicated", "both", "unwanted")),
)
_WRITES: Final = "/bin/sh -c 'echo 1 > out.txt'"
_SAYS: Final = '/bin/echo \'::{"outputs": {"rows": 1}}::\''
# Fails in a first try and succeeds in the next.
_SECOND_TIME: Final = "/bin/sh -c 'mkdir \"$AZ_BATCH_NODE_SHARED_DIR/seen\" && exit 1 || exit 0'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value of an argument.

    :param given: the argument, with those that it cannot be without.
    :param tries: the last of so many tries succeeds.
    :param ends: what the task ends with where it does not return.
    """

    label: str
    given: Mapping[str, Any]
    tries: int = 1
    ends: type[Exception] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """Those of one operator's constructor.

    :param base: what it cannot be without.
    :param changing: argument → values; the first asks for the least, the last for the most.
    :param same: argument → values that all need the same.
    """

    base: Mapping[str, Any]
    changing: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    same: Mapping[str, tuple[Value, ...]]


def _each(name: str, *values: Any, **beside: Any) -> tuple[Value, ...]:
    return tuple(Value(label=f"{name}={value!r}", given={**beside, name: value}) for value in values)


def _job(label: str, job: Any) -> Value:
    return Value(label=f"job: {label}", given={"job": job, "pool_id": None})


def _model() -> Any:
    pool = models.BatchPoolSpecification(_OWN_POOL_ON_THE_WIRE["pool"])
    own = models.BatchAutoPoolSpecification(pool_lifetime_option="job", pool=pool)
    return {"pool_info": models.BatchPoolInfo(auto_pool_specification=own)}


def _two_tasks(**_: Any) -> Iterator[dict[str, str]]:
    yield {"id": "a", "command_line": "true"}
    yield {"id": "b", "command_line": "true"}


_TASKS: Final = (
    Value(label="tasks: a list", given={"tasks": [*_two_tasks()], "command_line": None}),
    Value(label="tasks: a function", given={"tasks": _two_tasks, "command_line": None}),
    Value(
        label="tasks: with dependencies, files and exit conditions",
        given={
            "command_line": None,
            "job": {"uses_task_dependencies": True},
            "tasks": [
                {
                    "id": "a",
                    "command_line": "true",
                    "exit_conditions": {"default": {"dependency_action": "satisfy"}},
                },
                {"id": "b", "command_line": "true", "depends_on": {"task_ids": ["a"]}},
            ],
        },
    ),
)
_REJECTED: Final = {
    "command_line": None,
    "max_failed_tasks": 1,
    "tasks": [
        {"id": "good", "command_line": "true"},
        {"id": "bad", "command_line": "true", "exit_conditions": {"default": {"job_action": "terminate"}}},
    ],
}
_CONTAINER: Final = {
    "container_url": "{{ storage }}/results",
    "files": "out.txt",
    "identity_resource_id": LocalAzureConfig().identity_scope(NODE),
}

SUBMIT_JOB: Final = Arguments(
    base={"pool_id": "cpu", "command_line": "true", "poll_interval": 0.2, "retries": 2},
    changing={
        "cleanup": _each("cleanup", "keep", "delete_on_success", "delete"),
        "job": (
            Value(label="job=None", given={"job": None}),
            _job("of a pool", {"pool_info": {"pool_id": "cpu"}}),
            Value(
                label="job: with a preparation task",
                given={"job": {"priority": 5, "job_preparation_task": {"command_line": "true"}}},
            ),
            _job(
                "own pool, in the words of the wire",
                {"poolInfo": {"autoPoolSpecification": _OWN_POOL_ON_THE_WIRE}},
            ),
            _job("own pool, azure-batch's model", _model()),
            _job("own pool", {"pool_info": {"auto_pool_specification": _OWN_POOL}}),
        ),
    },
    same={
        "batchad_conn_id": (),  # each case has one of its own
        "pool_id": _each("pool_id", "cpu"),
        "command_line": _each("command_line", "true"),
        "tasks": _TASKS,
        "outputs": (
            *_each("outputs", "out.txt", ["out.txt"], command_line=_WRITES),
            *_each("outputs", "::stdout::", command_line=_SAYS),
            Value(label="outputs: a container", given={"outputs": _CONTAINER, "command_line": _WRITES}),
        ),
        "max_output_bytes": _each("max_output_bytes", 100),
        "max_failed_tasks": _each("max_failed_tasks", 1, command_line="false"),
        "retry": (
            *_each("retry", "all_tasks"),
            Value(
                label="retry='failed_tasks'",
                given={
                    "retry": "failed_tasks",
                    "tasks": [*_two_tasks(), {"id": "c", "command_line": _SECOND_TIME}],
                    "command_line": None,
                },
                tries=2,
            ),
        ),
        "on_rejected_task": _each("on_rejected_task", "run_others", **_REJECTED),
        "skip_on_exit_code": (
            Value(
                label="skip_on_exit_code=3",
                given={"skip_on_exit_code": 3, "command_line": "/bin/sh -c 'exit 3'"},
                ends=AirflowSkipException,
            ),
        ),
        "fail_on_exit_code": _each("fail_on_exit_code", [3, 4]),
        "allow_secrets_in_job": _each("allow_secrets_in_job", True),
        "wait_for_completion": _each("wait_for_completion", False),
        "poll_interval": _each("poll_interval", 0.1),
        "quota_timeout": _each("quota_timeout", 1.5),
        "cancel_on_kill": _each("cancel_on_kill", False),
        "deferrable": _each("deferrable", True),
    },
)
TABLES: Final[Mapping[str, Arguments]] = {
    "AzureBatchSubmitJobOperator": SUBMIT_JOB,
    "AzureBatchCreatePoolOperator": Arguments(
        base={"specification": {"id": "made", **_POOL}},
        same={
            "batchad_conn_id": (),
            "specification": (
                Value(
                    label="specification: with a start task",
                    given={"specification": {"id": "begun", **_POOL, "start_task": {"command_line": "true"}}},
                ),
            ),
        },
    ),
    "AzureBatchResizePoolOperator": Arguments(
        base={"pool_id": "both", "target_dedicated_nodes": 2, "target_low_priority_nodes": 1},
        same={
            "batchad_conn_id": (),
            "pool_id": _each("pool_id", "both"),
            "target_dedicated_nodes": _each(
                "target_dedicated_nodes", 2, pool_id="dedicated", target_low_priority_nodes=None
            ),
            "target_low_priority_nodes": _each(
                "target_low_priority_nodes", "2", pool_id="spot", target_dedicated_nodes=None
            ),
        },
    ),
    "AzureBatchDeletePoolOperator": Arguments(
        base={"pool_id": "unwanted"},
        same={"batchad_conn_id": (), "pool_id": _each("pool_id", "unwanted")},
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An operator with arguments, on a connection of its own."""

    operator: str
    number: int
    values: tuple[Value, ...]

    @property
    def name(self) -> str:
        return ", ".join(value.label for value in self.values) or "as it is"

    @property
    def conn_id(self) -> str:
        return f"{self.operator}_{self.number}".lower()

    @property
    def kind(self) -> Any:
        return getattr(operators, self.operator)

    @property
    def arguments(self) -> dict[str, Any]:
        given = dict(TABLES[self.operator].base)
        for value in self.values:
            given |= value.given
        return {**given, "batchad_conn_id": self.conn_id}

    def __str__(self) -> str:
        return f"{self.operator.removeprefix('AzureBatch')}: {self.name}"


def _cases_of(operator: str, table: Arguments) -> Iterator[Case]:
    chosen: list[tuple[Value, ...]] = [()]
    chosen += [(value,) for values in table.changing.values() for value in values]
    if table.changing:
        chosen.append(tuple(values[-1] for values in table.changing.values()))
    base = dict(table.base)
    others = [value for values in table.same.values() for value in values]
    chosen += [(value,) for value in others if {**base, **value.given} != base]
    for number, values in enumerate(chosen):
        yield Case(operator=operator, number=number, values=values)


CASES: Final = tuple(case for operator, table in TABLES.items() for case in _cases_of(operator, table))
