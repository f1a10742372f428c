from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_batchad.jobs.failure_codes import MEANINGS, meaning_of
from airflow_provider_batchad.jobs.timing import Timing, measure
from airflow_provider_batchad.jobs.verdict import Policy, exit_codes


@pytest.mark.parametrize(
    ("given", "codes"), [(None, set()), (99, {99}), ([98, 99], {98, 99}), ((), set()), ({-9}, {-9})]
)
def test_exit_codes_are_given_as_one_or_as_several(given: Any, codes: set[int]) -> None:
    assert exit_codes("skip_on_exit_code", given) == codes


@pytest.mark.parametrize("given", [0, [1, 0], True, "99", ["99"], 1.5, b"9"])
def test_what_is_no_exit_code_of_a_failure_is_refused_by_name(given: Any) -> None:
    with pytest.raises(ValueError, match=r"^skip_on_exit_code: expected exit codes"):
        exit_codes("skip_on_exit_code", given)


def test_a_code_cannot_mean_two_things() -> None:
    with pytest.raises(ValueError, match="skip_on_exit_code, fail_on_exit_code: 3, 4 cannot mean both"):
        Policy(skip_on_exit_code=frozenset({3, 4, 5}), fail_on_exit_code=frozenset({3, 4}))


@pytest.mark.parametrize("given", [-1, True, 1.5, "1", None])
def test_a_number_of_failures_that_is_none_is_refused_by_name(given: Any) -> None:
    with pytest.raises(ValueError, match="max_failed_tasks: expected 0 or more"):
        Policy(max_failed_tasks=given)


def test_codes_are_known_without_case_and_unknown_ones_are_nothing() -> None:
    assert meaning_of("blobnotfound") is MEANINGS["BlobNotFound"]
    assert meaning_of("SomethingNew") is None
    assert meaning_of(None) is None


def test_every_meaning_is_two_sentences() -> None:
    for code, meaning in MEANINGS.items():
        for text in (meaning.what, meaning.advice):
            assert text.endswith("."), code
            assert text[0].isupper() or text.startswith("max_"), code


def run_of(start: float, seconds: float) -> dict[str, str]:
    begun = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=start)
    return {
        "startTime": begun.isoformat(),
        # The service writes seven digits.
        "endTime": f"{(begun + timedelta(seconds=seconds)):%Y-%m-%dT%H:%M:%S.%f}7Z",
    }


def test_times_are_measured_from_the_services_own() -> None:
    executions = {f"t{n}": run_of(2 + n, n) for n in range(1, 8)}
    executions["queued"] = {}
    timing = measure("2026-03-01T00:00:00Z", executions)
    assert timing.waited_seconds == 3.0
    assert timing.ran_seconds == pytest.approx(13.0)
    assert timing.task_seconds == pytest.approx(28.0)
    assert [task_id for task_id, _ in timing.slowest] == ["t7", "t6", "t5", "t4", "t3"]


def test_a_job_of_which_nothing_ran_has_no_times() -> None:
    assert measure("nonsense", {"t0": {}, "t1": {"startTime": 5}}) == Timing()
