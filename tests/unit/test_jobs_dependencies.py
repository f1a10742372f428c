from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_batchad.jobs.schema import SpecificationError
from airflow_provider_batchad.jobs.spec import JobSpec, build_job


def build(*tasks: tuple[str, dict[str, Any] | None], **job: Any) -> JobSpec:
    given = [
        {"id": task_id, "command_line": "true", **({"depends_on": depends} if depends else {})}
        for task_id, depends in tasks
    ]
    return build_job(pool_id="cpu", tasks=given, command_line=None, job=job or None)


def test_a_job_with_dependencies_says_so_by_itself() -> None:
    assert build(("a", None), ("b", {"task_ids": ["A"]})).body["usesTaskDependencies"] is True
    assert "usesTaskDependencies" not in build(("a", None)).body


def test_a_job_that_says_the_contrary_is_refused() -> None:
    with pytest.raises(SpecificationError, match=r"job\.uses_task_dependencies: is False"):
        build(("a", None), ("b", {"task_ids": ["a"]}), uses_task_dependencies=False)


@pytest.mark.parametrize(
    ("depends", "said"),
    [
        (
            {"task_ids": ["1", "x"]},
            r"tasks\[2\]\.depends_on\.task_ids\[1\]: no task of this job has the id 'x'",
        ),
        (
            {"task_id_ranges": [{"start": 1, "end": 4}]},
            r"task_id_ranges\[0\]: no task of this job has the id 3",
        ),
        ({"task_id_ranges": [{"start": 2, "end": 1}]}, r"task_id_ranges\[0\]: starts at 2, after its end"),
        ({"task_id_ranges": [{"start": 1, "end": 2_000_000_000}]}, r"no task of this job has the id 3"),
    ],
)
def test_a_dependency_on_a_task_that_there_is_not_is_refused_with_its_path(
    depends: dict[str, Any], said: str
) -> None:
    with pytest.raises(SpecificationError, match=said):
        build(("1", None), ("002", None), ("last", depends))


def test_tasks_that_wait_for_each_other_are_refused() -> None:
    with pytest.raises(SpecificationError, match="wait for each other, so that none starts: "):
        build(("a", {"task_ids": ["b"]}), ("b", {"task_ids": ["c"]}), ("c", {"task_ids": ["A"]}))
    with pytest.raises(SpecificationError, match="wait for each other"):
        build(("1", None), ("2", {"task_id_ranges": [{"start": 1, "end": 2}]}))


def test_a_job_manager_may_add_what_others_wait_for() -> None:
    manager = {"id": "manager", "command_line": "true"}
    assert build(("a", {"task_ids": ["later"]}), job_manager_task=manager).can_block


def test_a_large_range_is_checked_and_costs_little() -> None:
    tasks: list[tuple[str, dict[str, Any] | None]] = [(str(n), None) for n in range(1, 20_001)]
    spec = build(*tasks, ("merge", {"task_id_ranges": [{"start": 1, "end": 20_000}]}))
    assert len(spec.task_ids) == 20_001


def test_a_job_can_block_by_dependencies_or_by_its_preparation() -> None:
    assert build(("a", None), ("b", {"task_ids": ["a"]})).can_block
    assert build(("a", None), job_preparation_task={"command_line": "true"}).can_block
    assert not build(("a", None)).can_block
