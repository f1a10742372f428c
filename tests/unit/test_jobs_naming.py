from __future__ import annotations

import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_batchad.jobs.naming import (
    Attempt,
    TaskInstanceName,
    first_try,
    job_id,
    job_prefix,
    parse_attempt,
    run_prefix,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
NAMES = st.builds(
    TaskInstanceName,
    deployment=TEXT,
    dag_id=TEXT,
    run_id=TEXT,
    run_started=TEXT,
    task_id=TEXT,
    map_index=st.integers(-1, 100_000),
    nonce=TEXT,
)
ATTEMPTS = st.builds(Attempt, epoch=st.integers(0, 99_999), number=st.integers(0, 99_999))
NAME = TaskInstanceName(
    deployment="prod",
    dag_id="Weather.ETL",
    run_id="scheduled__2026-03-01T00:00:00+00:00",
    run_started="2026-03-02T00:00:01.5+00:00",
    task_id="group.summarise",
)


@given(name=NAMES, attempt=ATTEMPTS)
def test_every_id_is_one_that_batch_takes_and_is_read_back(name: TaskInstanceName, attempt: Attempt) -> None:
    prefix = job_prefix(name)
    made = job_id(prefix, attempt)
    assert re.fullmatch(r"[a-z0-9_-]{1,64}", made)
    assert parse_attempt(prefix, made) == attempt
    assert parse_attempt(prefix, made.upper()) == attempt


@given(one=NAMES, other=NAMES)
def test_other_names_have_other_prefixes(one: TaskInstanceName, other: TaskInstanceName) -> None:
    assert (job_prefix(one) == job_prefix(other)) == (one == other)


@given(
    texts=st.lists(st.text("ab:1", max_size=3), min_size=6, max_size=6),
    i=st.integers(0, 4),
    cut=st.integers(0),
)
def test_a_character_that_moves_to_the_next_part_makes_another_name(
    texts: list[str], i: int, cut: int
) -> None:
    fields = ["deployment", "dag_id", "run_id", "run_started", "task_id", "nonce"]
    joined = texts[i] + texts[i + 1]
    moved = list(texts)
    at = cut % (len(joined) + 1)
    moved[i], moved[i + 1] = joined[:at], joined[at:]
    one = TaskInstanceName(**dict(zip(fields, texts, strict=True)))  # type: ignore[arg-type]
    other = TaskInstanceName(**dict(zip(fields, moved, strict=True)))  # type: ignore[arg-type]
    assert (job_prefix(one) == job_prefix(other)) == (texts == moved)


@given(prefix=NAMES.map(job_prefix), one=ATTEMPTS, other=ATTEMPTS)
def test_other_tries_have_other_ids(prefix: str, one: Attempt, other: Attempt) -> None:
    assert (job_id(prefix, one) == job_id(prefix, other)) == (one == other)


def test_an_id_says_the_dag_and_the_task() -> None:
    made = job_id(job_prefix(NAME), Attempt(epoch=2, number=1))
    assert re.fullmatch(r"weather-etl-group-summarise-[0-9a-f]{16}-2-1", made)


def test_the_name_stays_the_same_over_releases() -> None:
    assert job_prefix(NAME) == "weather-etl-group-summarise-facb1b2a93ff9d12-"


@pytest.mark.parametrize(
    "change",
    [
        {"deployment": "test"},
        {"dag_id": "weather.ETL"},
        {"run_id": "manual"},
        {"run_started": "2026-03-02T00:00:02+00:00"},
        {"run_after": "2026-03-02T00:00:00+00:00"},
        {"task_id": "group-summarise"},
        {"map_index": 0},
        {"nonce": "1"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_part_of_the_name_tells_jobs_apart(change: dict[str, object]) -> None:
    other = dataclasses.replace(NAME, **change)  # type: ignore[arg-type]
    assert job_prefix(other) != job_prefix(NAME)


@pytest.mark.parametrize("change", [{"run_started": "2026-03-02T00:00:02+00:00"}, {"nonce": "1"}])
def test_each_start_of_a_run_begins_alike(change: dict[str, str]) -> None:
    other = dataclasses.replace(NAME, **change)  # type: ignore[arg-type]
    assert run_prefix(other) == run_prefix(NAME)
    assert job_prefix(other).startswith(run_prefix(NAME))


def test_a_name_without_a_letter_still_makes_an_id() -> None:
    name = dataclasses.replace(NAME, dag_id="天気", task_id="予報")
    assert job_prefix(name).startswith("job-")


@pytest.mark.parametrize("rest", ["", "3", "3-", "-1", "3-1-2", "3_1", "a-1", "3-1 "])
def test_an_id_that_only_begins_alike_is_no_try_of_ours(rest: str) -> None:
    prefix = job_prefix(NAME)
    assert parse_attempt(prefix, prefix + rest) is None


def test_an_id_of_another_task_instance_is_no_try_of_ours() -> None:
    assert parse_attempt(job_prefix(NAME), "other-0123456789abcdef-3-1") is None


@pytest.mark.parametrize(
    ("max_tries", "retries", "expected"),
    [
        (0, 0, 1),  # a first run without retries
        (3, 3, 1),  # a first run with three
        (4, 2, 3),  # cleared after its second try
        (1, 0, 2),  # cleared after one try, the retries lowered to none
        (2, 5, 1),  # the retries raised since
    ],
)
def test_the_first_try_of_an_epoch_follows_from_what_a_clear_sets(
    max_tries: int, retries: int, expected: int
) -> None:
    assert first_try(max_tries=max_tries, retries=retries) == expected
