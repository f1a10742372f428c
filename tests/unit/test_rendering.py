from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import jinja2
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator
from airflow.sdk import DAG
from airflow.sdk.execution_time.task_runner import _serialize_rendered_fields
from azure.batch import models
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchad.jobs.tasks import TaskSpec
from airflow_provider_batchad.operators import AzureBatchSubmitJobOperator
from airflow_provider_batchad.operators.arguments import specification_of
from airflow_provider_batchad.operators.rendering import _pieces

CONTEXT: dict[str, Any] = {"ds": "2026-03-01", "params": {"n": 7}, "text": "{{ ds }}"}
PIECES = st.sampled_from(
    [
        *("{{ ds }}", "{{ params.n }}", "{{ text }}", "{{ params['n'] + 1 }}", "{{ '}' }}", "{{ '}}' }}"),
        *(
            "{{- ds }}",
            "{{ ds -}}",
            "{{+ ds +}}",
            "{{ {'a': 1}.a }}",
            "{{ '{{' }}",
            "{% if params.n %}yes{% endif %}",
        ),
        *("{# not this #}", "{% raw %}{{ ds }}{% endraw %}", "{% set a = 1 %}{{ a }}", "{{ ds | upper }}"),
        *("python3 x.py ", "{", "}", '{"a": ', "}}", " ", "\n", "\r\n", "%}", "天気"),
    ]
)


def operator_of(**arguments: Any) -> AzureBatchSubmitJobOperator:
    with DAG("d", **arguments.pop("dag", {})):
        return AzureBatchSubmitJobOperator(task_id="t", pool_id="cpu", **arguments)


def outcome(render: Any, *arguments: Any) -> Any:
    try:
        return render(*arguments)
    except jinja2.TemplateError as error:
        return type(error)


@given(st.lists(PIECES, max_size=6).map("".join))
def test_text_with_a_marker_renders_as_airflow_renders_it(text: str) -> None:
    operator = operator_of(command_line="x")
    plain = BaseOperator(task_id="plain")
    env = operator.get_template_env()
    if not any(marker in text for marker in ("{{", "{%", "{#")):
        assert operator.render_template(text, CONTEXT, env) == text
        return
    assert outcome(operator.render_template, text, CONTEXT, env) == outcome(
        plain.render_template, text, CONTEXT, env
    )


@pytest.mark.parametrize("native", [{"render_template_as_native_obj": True}, {}])
def test_native_values_stay_what_they_are(native: dict[str, Any]) -> None:
    for operator in (operator_of(command_line="x", dag=native), operator_of(command_line="x", **native)):
        env = operator.get_template_env()
        assert operator.render_template("{{ params.n }}", CONTEXT, env) == (7 if native else "7")
        assert operator.render_template("{{ params.n }}{{ params.n }}", CONTEXT, env) == (
            77 if native else "77"
        )


def test_ten_thousand_tasks_compile_each_expression_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = [
        {"id": f"t{n}", "command_line": f"run {n} {{{{ ds }}}}", "environment_settings": {"DAY": "{{ ds }}"}}
        for n in range(10_000)
    ]
    operator = operator_of(tasks=tasks)
    env = operator.get_template_env()
    compiled: list[str] = []
    compile_it = type(env).from_string

    def from_string(self: Any, source: str) -> Any:
        compiled.append(source)
        return compile_it(self, source)

    monkeypatch.setattr(type(env), "from_string", from_string)
    operator.render_template_fields(CONTEXT, env)  # type: ignore[arg-type]  # a part of a context
    assert compiled == ["{{ ds }}"]
    assert operator.tasks[17] == {  # type: ignore[index]  # rendered by now
        "id": "t17",
        "command_line": "run 17 2026-03-01",
        "environment_settings": {"DAY": "2026-03-01"},
    }


def test_what_another_task_returned_is_not_rendered_again() -> None:
    operator = operator_of(command_line="x")
    returned = {"command_line": "{{ ds }}"}
    env = operator.get_template_env()
    assert operator.render_template([returned], CONTEXT, env, {id(returned)}) == [returned]


def test_airflow_stores_a_summary_of_many_tasks_and_the_whole_of_few() -> None:
    for number in (20, 21):
        tasks = [{"id": f"t{n}", "command_line": "{{ ds }}"} for n in range(number)]
        operator = operator_of(tasks=tasks)
        operator.render_template_fields(CONTEXT)  # type: ignore[arg-type]  # a part of a context
        stored: Any = _serialize_rendered_fields(operator)["tasks"]
        shown = [{"id": f"t{n}", "command_line": "2026-03-01"} for n in range(3)]
        if number == 20:
            assert stored[:3] == shown
            assert len(stored) == 20
        else:
            assert stored == {"number_of_tasks": 21, "first_tasks": shown}
        assert len(specification_of(operator).task_ids) == number


def test_the_summary_is_json_and_short_whatever_the_tasks_are() -> None:
    model = models.BatchTaskCreateOptions(id="m", command_line="x", required_slots=2)
    limits = {"constraints": {"max_wall_clock_time": timedelta(hours=1)}}
    operator = operator_of(tasks=[model, {"command_line": "x", **limits}] * 11)
    operator.render_template_fields(CONTEXT)  # type: ignore[arg-type]  # a part of a context
    first = operator.tasks.serialize()["first_tasks"]  # type: ignore[union-attr]  # rendered by now
    assert first[0] == {"id": "m", "commandLine": "x", "requiredSlots": 2}
    assert first[1]["constraints"] == {"max_wall_clock_time": "<timedelta>"}
    operator = operator_of(tasks=[{"command_line": "x" * 5000}] * 30)
    operator.render_template_fields(CONTEXT)  # type: ignore[arg-type]  # a part of a context
    assert operator.tasks.serialize() == {"number_of_tasks": 30}  # type: ignore[union-attr]  # the same


def test_a_function_yields_tasks_each_time_they_are_read() -> None:
    def make(context: Any, jinja_env: Any) -> Iterator[dict[str, str]]:
        for number in range(3):
            yield {"command_line": f"run {number} {context['ds']} {{{{ not rendered }}}}"}

    operator = operator_of(tasks=make)
    operator.render_template_fields(CONTEXT)  # type: ignore[arg-type]  # a part of a context
    specs = [specification_of(operator), specification_of(operator)]
    assert specs[0].task_ids == specs[1].task_ids == ("task-0", "task-1", "task-2")
    assert b"run 2 2026-03-01 {{ not rendered }}" in list(specs[0].tasks)[2].body
    assert "made by" in str(_serialize_rendered_fields(operator)["tasks"])


@pytest.mark.parametrize("made", ["text", {"command_line": "x"}, None, 5])
def test_a_function_that_gives_no_tasks_is_named(made: object) -> None:
    operator = operator_of(tasks=lambda context, jinja_env: made)
    operator.render_template_fields(CONTEXT)  # type: ignore[arg-type]  # a part of a context
    with pytest.raises(AirflowFailException, match="tasks: the function gave a"):
        specification_of(operator)


def test_pieces_are_text_and_expressions_in_turn() -> None:
    assert _pieces("a {{ b }}{{ c }} d") == ["a ", "{{ b }}", "", "{{ c }}", " d"]
    assert _pieces("{{{ b }}") is None


@dataclass(frozen=True)
class File:
    http_url: str
    file_path: str | None = None


@dataclass(frozen=True)
class Task:
    id: str
    command_line: str
    resource_files: tuple[File, ...] = ()


def test_models_and_dataclasses_are_templated_as_dicts_are() -> None:
    limits = models.BatchTaskConstraints(max_wall_clock_time=timedelta(hours=1))
    model = models.BatchTaskCreateOptions(
        id="a",
        command_line="x {{ ds }}",
        constraints=limits,
        resource_files=[models.ResourceFile(http_url="https://x/{{ ds }}")],
    )
    ready = TaskSpec.of("c", {"id": "c", "commandLine": "{{ left as it is }}"})
    ours = Task("b", "x {{ ds }}", (File("https://x/{{ ds }}"),))
    pool = models.BatchPoolInfo(pool_id="{{ params.n }}")
    with DAG("d"):
        operator = AzureBatchSubmitJobOperator(
            task_id="t", tasks=[model, ours, ready], job=models.BatchJobCreateOptions(id="j", pool_info=pool)
        )
    del operator.job["id"]
    operator.render_template_fields(CONTEXT)
    spec = specification_of(operator)
    files = {"resourceFiles": [{"httpUrl": "https://x/2026-03-01"}]}
    assert spec.body["poolInfo"] == {"poolId": "7"}
    assert [task.load() for task in spec.tasks] == [
        {
            "id": "a",
            "commandLine": "x 2026-03-01",
            "constraints": {"maxWallClockTime": "PT01H00M00S"},
            **files,
        },
        {"id": "b", "commandLine": "x 2026-03-01", **files},
        {"id": "c", "commandLine": "{{ left as it is }}"},
    ]
    assert model.command_line == "x {{ ds }}"
