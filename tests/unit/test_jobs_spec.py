from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_batchad.jobs.schema import SpecificationError
from airflow_provider_batchad.jobs.spec import build_job, wall_clock_limit
from airflow_provider_batchad.jobs.tasks import TaskSpec

TASKS = [{"id": "a", "command_line": "true"}]


def build(**arguments: Any) -> Any:
    return build_job(**{"pool_id": "cpu", "tasks": None, "command_line": None, "job": None, **arguments})


def test_a_command_line_makes_a_job_of_one_task() -> None:
    spec = build(command_line="true")
    assert spec.body == {"poolInfo": {"poolId": "cpu"}}
    assert spec.task_ids == ("task",)
    assert json.loads(next(iter(spec.tasks)).body) == {"id": "task", "commandLine": "true"}


def test_tasks_keep_their_order_and_unnamed_ones_are_counted() -> None:
    spec = build(tasks=[{"command_line": "x"}, {"id": "b", "command_line": "y"}, {"command_line": "z"}])
    assert spec.task_ids == ("task-0", "b", "task-2")
    assert [json.loads(task.body)["commandLine"] for task in spec.tasks] == ["x", "y", "z"]


def test_tasks_may_come_from_a_generator() -> None:
    assert build(tasks=({"command_line": str(n)} for n in range(3))).task_ids == (
        "task-0",
        "task-1",
        "task-2",
    )


def test_text_beyond_ascii_goes_as_utf_8() -> None:
    assert "echo 天気".encode() in next(iter(build(command_line="echo 天気").tasks)).body


def test_a_pool_may_be_said_by_the_job() -> None:
    pool_info = {"auto_pool_specification": {"pool_lifetime_option": "job"}}
    spec = build(pool_id=None, command_line="true", job={"pool_info": pool_info})
    assert spec.body["poolInfo"] == {"autoPoolSpecification": {"poolLifetimeOption": "job"}}
    assert spec.uses_auto_pool
    assert not build(command_line="true").uses_auto_pool


@pytest.mark.parametrize(
    ("arguments", "path", "problem"),
    [
        ({}, "tasks", "either 'tasks' or 'command_line'"),
        ({"tasks": TASKS, "command_line": "x"}, "tasks", "either 'tasks' or 'command_line'"),
        ({"tasks": []}, "tasks", "a job without tasks would end at once"),
        ({"tasks": "abc"}, "tasks", "expected a list of tasks, not a str"),
        ({"tasks": TASKS[0]}, "tasks", "expected a list of tasks, not a dict"),
        ({"tasks": 5}, "tasks", "expected a list of tasks, not a int"),
        ({"tasks": ["x"]}, "tasks[0]", "expected the fields of a BatchTaskCreateOptions"),
        ({"tasks": [{"id": "a"}]}, "tasks[0].command_line", "is required"),
        ({"tasks": [{"id": "a.b", "command_line": "x"}]}, "tasks[0].id", "letters, digits, hyphens"),
        ({"tasks": [{"id": "a" * 65, "command_line": "x"}]}, "tasks[0].id", "1 to 64"),
        ({"tasks": [{"id": "", "command_line": "x"}]}, "tasks[0].id", "not ''"),
        ({"tasks": [{"id": "a\n", "command_line": "x"}]}, "tasks[0].id", "letters"),
        (
            {"tasks": [*TASKS, {"id": "A", "command_line": "x"}]},
            "tasks[1].id",
            "'A' is the id of tasks[0] too (case does not tell ids apart)",
        ),
        ({"pool_id": None, "tasks": TASKS}, "pool_id", "say which pool runs the job"),
        ({"pool_id": "  ", "tasks": TASKS}, "pool_id", "expected the id of a pool"),
        ({"tasks": TASKS, "job": {"pool_info": {"pool_id": "x"}}}, "job.pool_info", "is given twice"),
        ({"tasks": TASKS, "job": {"poolInfo": {"pool_id": "x"}}}, "job.poolInfo", "is given twice"),
        ({"tasks": TASKS, "job": {"id": "mine"}}, "job.id", "is set by this package"),
        ({"tasks": TASKS, "job": {"onAllTasksComplete": "noaction"}}, "job.onAllTasksComplete", "leave it"),
        ({"tasks": TASKS, "job": {"priorty": 1}}, "job.priorty", "did you mean 'priority'?"),
        ({"tasks": TASKS, "job": {"metadata": {"airflow_x": "1"}}}, "job.metadata", "choose another"),
        ({"tasks": TASKS, "job": "{}"}, "job", "expected the fields of a job (a dict), not a str"),
        ({"tasks": TASKS, "job": [1]}, "job", "not a list"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(arguments: dict[str, Any], path: str, problem: str) -> None:
    with pytest.raises(SpecificationError) as caught:
        build(**arguments)
    assert (caught.value.path, problem in caught.value.problem) == (path, True)


def test_azure_batchs_own_models_are_taken() -> None:
    from azure.batch import models

    task = models.BatchTaskCreateOptions(
        id="t",
        command_line="true",
        resource_files=[models.ResourceFile(http_url="https://x/y", file_path="y")],
        constraints=models.BatchTaskConstraints(max_wall_clock_time=timedelta(hours=1)),
    )
    spec = build(tasks=[task])
    assert json.loads(next(iter(spec.tasks)).body) == {
        "id": "t",
        "commandLine": "true",
        "resourceFiles": [{"httpUrl": "https://x/y", "filePath": "y"}],
        "constraints": {"maxWallClockTime": "PT01H00M00S"},
    }


@dataclass
class Files:
    http_url: str
    file_path: str | None = None


@dataclass
class Step:
    command_line: str
    resource_files: list[Files]
    id: str | None = None


def test_dataclasses_are_taken_by_the_names_of_their_fields() -> None:
    spec = build(tasks=[Step(command_line="true", resource_files=[Files(http_url="https://x/y")])])
    assert json.loads(next(iter(spec.tasks)).body) == {
        "id": "task-0",
        "commandLine": "true",
        "resourceFiles": [{"httpUrl": "https://x/y"}],
    }
    with pytest.raises(SpecificationError) as caught:
        build(tasks=[*TASKS, Step(command_line="true", resource_files=[Files(http_url=5)])])  # type: ignore[arg-type]  # what is wrong is named
    assert caught.value.path == "tasks[1].resource_files[0].http_url"


def test_ready_tasks_are_taken_and_checked() -> None:
    ready = TaskSpec.of("a", {"id": "a", "commandLine": "true"})
    assert list(build(tasks=[ready]).tasks) == [ready]
    with pytest.raises(SpecificationError, match=r"tasks\[0\]\.command_line: is required"):
        build(tasks=[TaskSpec.of("a", {"id": "a"})])


@pytest.mark.parametrize("wrong", [{1, 2}, "\ud800"])
def test_what_json_cannot_say_is_named_by_its_task(wrong: object) -> None:
    settings = {"extensions": [{"name": "x", "publisher": "p", "type": "t", "settings": {"a": wrong}}]}
    image = {"virtual_machine_configuration": {"node_agent_sku_id": "x", "image_reference": {}, **settings}}
    pool = {"pool": {"vm_size": "a", **image}, "pool_lifetime_option": "job"}
    with pytest.raises(SpecificationError, match="JSON cannot say"):
        build(pool_id=None, tasks=TASKS, job={"pool_info": {"auto_pool_specification": pool}})
    if isinstance(wrong, str):
        with pytest.raises(SpecificationError, match=r"tasks\[1\]: holds something that JSON cannot say"):
            build(tasks=[*TASKS, {"command_line": wrong}])


def test_the_digest_tells_specifications_apart_and_stays_the_same() -> None:
    one = build(tasks=TASKS)
    assert one.digest == build(tasks=TASKS).digest
    assert one.digest != build(tasks=TASKS, pool_id="gpu").digest
    assert one.digest != build(tasks=[{"id": "a", "command_line": "false"}]).digest


def test_the_wall_clock_limit_leaves_the_other_constraints() -> None:
    spec = build(tasks=TASKS, job={"constraints": {"max_task_retry_count": 3}})
    assert wall_clock_limit(spec, timedelta(days=7)) == {
        "maxTaskRetryCount": 3,
        "maxWallClockTime": "P7DT0H0M0S",
    }
    assert "maxWallClockTime" not in spec.body["constraints"]
