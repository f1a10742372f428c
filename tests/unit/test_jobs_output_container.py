from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from azure.batch import models

from airflow_provider_batchad.jobs.output_container import OutputContainer
from airflow_provider_batchad.jobs.spec import build_job
from airflow_provider_batchad.operators.arguments import container_of, output_names_of, specification_of
from tests.contract.operator_runs import context_of, operator_of

URL = "https://acc.blob.core.windows.net/results"
IDENTITY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i"
GIVEN = {"container_url": URL, "files": "sub/r 1.json", "identity_resource_id": IDENTITY}


@dataclass(frozen=True)
class Task:
    command_line: str


def container(**changes: Any) -> OutputContainer:
    return OutputContainer.of({**GIVEN, **changes}, "etl-0123-2")


def upload(path: str, pattern: str = "sub/r 1.json") -> dict[str, Any]:
    destination = {"containerUrl": URL, "path": path, "identityReference": {"resourceId": IDENTITY}}
    return {
        "filePattern": pattern,
        "destination": {"container": destination},
        "uploadOptions": {"uploadCondition": "tasksuccess"},
    }


def test_each_task_is_told_to_leave_its_files_beside_those_of_its_own() -> None:
    own = {
        "file_pattern": "log",
        "destination": {"container": {"container_url": URL}},
        "upload_options": {"upload_condition": "taskcompletion"},
    }
    tasks = [
        {"id": "a", "command_line": "x", "output_files": [own]},
        models.BatchTaskCreateOptions(id="b", command_line="x"),
        Task("x"),
    ]
    spec = build_job(pool_id="cpu", tasks=container().with_output_files(tasks), command_line=None, job=None)
    files = [task.load()["outputFiles"] for task in spec.tasks]
    assert [len(one) for one in files] == [2, 1, 1]
    assert files[0][1] == upload("etl-0123-2/a/sub/r 1.json")
    assert files[1] == [upload("etl-0123-2/b/sub/r 1.json")]
    assert files[2] == [upload("etl-0123-2/task-2/sub/r 1.json")]
    assert models.BatchTaskCreateOptions(files[1][0])["destination"]["container"]["containerUrl"] == URL


def test_the_urls_are_in_the_order_of_the_tasks_and_none_for_tasks_that_failed() -> None:
    assert container().urls(["b", "a"], failed=["a"]) == [f"{URL}/etl-0123-2/b/sub/r%201.json", None]
    several = container(files=["r.json", "./t.csv"])
    folder = f"{URL}/etl-0123-2/a"
    assert several.urls(["a"]) == [{"r.json": f"{folder}/r.json", "t.csv": f"{folder}/t.csv"}]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"container_url": None}, "outputs.container_url: is required"),
        ({"files": []}, "outputs.files: is required"),
        ({"identity_resource_id": ""}, "outputs.identity_resource_id: is required"),
        ({"identity_resource_id": "me"}, "outputs.identity_resource_id: expected /subscriptions/"),
        ({"read_back": "yes"}, "outputs.read_back: expected True or False"),
        ({"sas": "x"}, "outputs.sas: expected container_url"),
        ({"container_url": f"{URL}?sv=1&sig=CANARY"}, "outputs.container_url: expected no signature"),
        (
            {"container_url": "http://acc.blob.core.windows.net/results"},
            "outputs.container_url: expected https",
        ),
        ({"container_url": "https://acc.blob.core.windows.net/"}, "outputs.container_url: expected https"),
        (
            {"container_url": "https://u:p@acc.blob.core.windows.net/r"},
            "outputs.container_url: expected https",
        ),
        ({"files": "*.json"}, "outputs.files: expected the names of files"),
        ({"files": "::stdout::"}, "outputs.files: expected the names of files"),
        ({"files": "../r.json"}, "below the task's working directory"),
    ],
)
def test_what_is_wrong_is_named_and_no_signature_repeated(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match="outputs") as caught:
        container(**changes)
    assert problem in str(caught.value)
    assert "CANARY" not in str(caught.value)


def test_an_operator_leaves_them_in_a_folder_of_its_task_instance_for_all_tries() -> None:
    operator = operator_of(outputs=GIVEN)
    contexts = [context_of(operator, number=number) for number in (1, 2)]
    specs = [specification_of(operator, context) for context in contexts]
    assert specs[0].digest == specs[1].digest
    [found] = {container_of(operator, context) for context in contexts}
    assert found is not None
    [task] = specs[0].tasks
    assert task.load()["outputFiles"] == [upload(f"{found.folder}/task/sub/r 1.json")]
    assert output_names_of(operator) == ()


def test_urls_that_xcom_should_not_hold_are_refused_before_anything_is_sent() -> None:
    tasks = [{"command_line": "x"} for _ in range(20)]
    outputs = {**GIVEN, "read_back": False}
    operator = operator_of(outputs=outputs, tasks=tasks, command_line=None, max_output_bytes=1000)
    found = container_of(operator)
    assert found is not None
    size = len(json.dumps(found.urls([f"task-{n}" for n in range(20)])))
    assert size > 1000
    with pytest.raises(AirflowFailException, match=r"URLs of 20 task.* max_output_bytes"):
        specification_of(operator)
    operator.max_output_bytes = size
    assert len(specification_of(operator).task_ids) == 20


def test_a_wrong_container_fails_for_good_by_its_key() -> None:
    operator = operator_of(outputs={**GIVEN, "files": "*"})
    with pytest.raises(AirflowFailException, match=r"^outputs\.files: "):
        specification_of(operator, context_of(operator))
