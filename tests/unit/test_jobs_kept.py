from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_batchad.jobs.kept import without_kept
from airflow_provider_batchad.jobs.outcome import read_outcome
from airflow_provider_batchad.jobs.outputs import read_outputs
from airflow_provider_batchad.jobs.rest import run
from airflow_provider_batchad.jobs.spec import JobSpec, build_job
from tests.unit.batch_model import BatchModel
from tests.unit.tries import PREFIX, plan_of, spec_of, submit_to


@pytest.fixture
def model() -> BatchModel:
    return BatchModel()


def job_of(number: int) -> str:
    return f"{PREFIX}3-{number}"


def fail(model: BatchModel, number: int, spec: JobSpec, *task_ids: str) -> None:
    model.exit_codes = dict.fromkeys(task_ids, 1)
    submit_to(model, plan_of(number, keeps_successes=True), spec)
    model.settle()


def tasks_in(model: BatchModel, number: int) -> list[str]:
    return list(model.jobs[job_of(number)].tasks)


def test_a_retry_runs_the_failed_tasks_alone(model: BatchModel) -> None:
    fail(model, 1, spec_of(10_000), "t7", "t300", "t9999")
    model.sent.clear()
    done = submit_to(model, plan_of(2, keeps_successes=True), spec_of(10_000))
    assert tasks_in(model, 2) == ["t7", "t300", "t9999"]
    assert (done.job_id, done.attached, done.earlier) == (job_of(2), False, (job_of(1),))
    assert len(done.kept) == 9_997
    assert model.operations.count("Create Task Collection") == 1


def test_unless_told_a_retry_runs_all_tasks(model: BatchModel) -> None:
    fail(model, 1, spec_of(3), "t1")
    done = submit_to(model, plan_of(2), spec_of(3))
    assert tasks_in(model, 2) == ["t0", "t1", "t2"]
    assert (done.earlier, done.kept) == ((), {})


def test_successes_are_kept_over_several_tries_and_counted_once(model: BatchModel) -> None:
    fail(model, 1, spec_of(5), "t1", "t2", "t3")
    fail(model, 2, spec_of(5), "t2", "t3")
    fail(model, 3, spec_of(5), "t3")
    model.exit_codes = {}
    done = submit_to(model, plan_of(4, keeps_successes=True), spec_of(5))
    model.settle()
    assert [tasks_in(model, number) for number in (2, 3, 4)] == [["t1", "t2", "t3"], ["t2", "t3"], ["t3"]]
    outcome = run(read_outcome(done.job_id, spec_of(5).task_ids, done.kept), model.send, lambda _: None)
    assert outcome.succeeded()
    assert (outcome.submitted, outcome.succeeded_tasks) == (5, 5)
    assert {task: outcome.job_of(task) for task in ("t0", "t1", "t2", "t3")} == {
        "t0": job_of(1),
        "t1": job_of(2),
        "t2": job_of(3),
        "t3": job_of(4),
    }
    assert model.ran == {"t0": 1, "t1": 2, "t2": 3, "t3": 4, "t4": 1}


def test_a_try_after_the_one_that_mended_the_rest_attaches_to_it(model: BatchModel) -> None:
    fail(model, 1, spec_of(3), "t1")
    fail(model, 2, spec_of(3))
    done = submit_to(model, plan_of(3, keeps_successes=True), spec_of(3))
    assert (done.job_id, done.attached, done.earlier) == (job_of(2), True, (job_of(1),))
    assert set(done.kept) == {"t0", "t2"}


def test_a_try_after_a_crash_adds_what_is_missing_and_no_more(model: BatchModel) -> None:
    fail(model, 1, spec_of(4), "t1", "t3")
    submit_to(model, plan_of(2, keeps_successes=True), spec_of(4))
    job = model.jobs[job_of(2)]
    job.body["onAllTasksComplete"] = "noaction"
    del job.tasks["t3"]
    done = submit_to(model, plan_of(3, keeps_successes=True), spec_of(4))
    assert (done.job_id, done.attached) == (job_of(2), True)
    assert tasks_in(model, 2) == ["t1", "t3"]
    assert job.sealed


def test_a_clear_keeps_nothing(model: BatchModel) -> None:
    fail(model, 1, spec_of(3), "t1")
    done = submit_to(model, plan_of(2, epoch=5, first_try=2, keeps_successes=True), spec_of(3))
    assert list(model.jobs[done.job_id].tasks) == ["t0", "t1", "t2"]


def test_what_somebody_deleted_is_run_again(model: BatchModel) -> None:
    fail(model, 1, spec_of(3), "t1")
    del model.jobs[job_of(1)]
    submit_to(model, plan_of(2, keeps_successes=True), spec_of(3))
    assert tasks_in(model, 2) == ["t0", "t1", "t2"]


@pytest.mark.parametrize(
    ("content", "is_kept"),
    [(b'{"n": 1}', True), (b"1" * 2000, True), (b'{"n": ', False), (None, False)],
    ids=["there", "too large, which running again would not mend", "cut short", "absent"],
)
def test_a_success_without_its_outputs_is_run_again(
    model: BatchModel, content: bytes | None, is_kept: bool
) -> None:
    fail(model, 1, spec_of(2), "t1")
    if content is not None:
        model.jobs[job_of(1)].tasks["t0"].files["wd/r.json"] = content
    plan = replace(plan_of(2, keeps_successes=True), outputs=("r.json",), max_output_bytes=1000)
    submit_to(model, plan, spec_of(2))
    assert tasks_in(model, 2) == (["t1"] if is_kept else ["t0", "t1"])


def test_outputs_come_from_the_job_in_which_each_task_succeeded(model: BatchModel) -> None:
    fail(model, 1, spec_of(2), "t1")
    model.jobs[job_of(1)].tasks["t0"].files["wd/r.txt"] = b"first"
    fail(model, 2, spec_of(2))
    model.jobs[job_of(2)].tasks["t1"].files["wd/r.txt"] = b"second"
    reading = read_outputs(job_of(2), ["t0", "t1"], "r.txt", 100, kept={"t0": job_of(1)})
    assert run(reading, model.send, lambda _: None) == ["first", "second"]


def depending(*tasks: tuple[str, dict[str, Any] | None]) -> JobSpec:
    return build_job(
        pool_id="cpu",
        tasks=[
            {"id": task_id, "command_line": "true", **({"depends_on": depends} if depends else {})}
            for task_id, depends in tasks
        ],
        command_line=None,
        job={"uses_task_dependencies": True},
    )


@pytest.mark.parametrize(
    ("depends", "kept", "left"),
    [
        ({"task_ids": ["A", "b"]}, ["a"], {"taskIds": ["b"]}),
        ({"task_ids": ["a"]}, ["a"], None),
        ({"task_id_ranges": [{"start": 1, "end": 9}]}, ["3"], [(1, 2), (4, 9)]),
        ({"task_id_ranges": [{"start": 1, "end": 9}]}, ["001", "9"], [(2, 8)]),
        ({"task_id_ranges": [{"start": 1, "end": 3}]}, ["1", "2", "3"], None),
        (
            {"task_id_ranges": [{"start": 1, "end": 3}, {"start": 7, "end": 8}]},
            ["2", "7"],
            [(1, 1), (3, 3), (8, 8)],
        ),
        ({"task_id_ranges": [{"start": 1, "end": 3}]}, ["4", "x2"], [(1, 3)]),
        (
            {"task_ids": ["a"], "task_id_ranges": [{"start": 1, "end": 2}]},
            ["1", "2"],
            {"taskIds": ["a"]},
        ),
    ],
)
def test_dependencies_on_what_is_kept_are_dropped(depends: Any, kept: list[str], left: Any) -> None:
    numbers = {n for span in depends.get("task_id_ranges", ()) for n in range(span["start"], span["end"] + 1)}
    numbers -= {int(task_id) for task_id in kept if task_id.isdecimal()}
    named = {name.lower() for name in depends.get("task_ids", ())} - set(kept)
    others = [*kept, *map(str, sorted(numbers)), *sorted(named)]
    spec = depending(*[(task_id, None) for task_id in others], ("last", depends))
    *_, task = without_kept(spec, dict.fromkeys(kept, "job")).tasks
    ranges = [{"start": start, "end": end} for start, end in left] if isinstance(left, list) else None
    assert task.load().get("dependsOn") == ({"taskIdRanges": ranges} if ranges else left)


def test_a_failed_parent_and_the_child_that_it_blocked_run_again_and_the_other_parent_does_not(
    model: BatchModel,
) -> None:
    spec = depending(("good", None), ("bad", None), ("child", {"task_ids": ["good", "bad"]}))
    model.exit_codes = {"bad": 1}
    submit_to(model, plan_of(1, keeps_successes=True), spec)
    job = model.jobs[job_of(1)]
    for task_id in ("good", "bad"):
        model._run(job.tasks[task_id])
    model._end(job, "UserTerminate")
    submit_to(model, plan_of(2, keeps_successes=True), spec)
    assert tasks_in(model, 2) == ["bad", "child"]
    assert model.jobs[job_of(2)].tasks["child"].body["dependsOn"] == {"taskIds": ["bad"]}
