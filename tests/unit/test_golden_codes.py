from __future__ import annotations

import pytest

from airflow_provider_batchad.jobs.failure_codes import MEANINGS as TASK_MEANINGS
from airflow_provider_batchad.jobs.service_codes import MEANINGS as SERVICE_MEANINGS
from airflow_provider_batchad.jobs.service_codes import Kind, is_authors_error, service_meaning_of
from airflow_provider_batchad.local.batch.errors import FAULTS
from airflow_provider_batchad.local.batch.failures import _FAILURES
from tests.unit.golden_codes import FOLDER, TABLES, UNKNOWN, text_of


@pytest.mark.parametrize("table", TABLES)
def test_what_each_code_says_is_what_was_agreed(table: str) -> None:
    agreed = (FOLDER / f"{table}.txt").read_text()
    assert text_of(table) == agreed, (
        "if it is to change: python -m tests.unit.golden_codes, and read the diff"
    )


def test_every_table_that_is_kept_is_checked() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(TABLES)


def test_an_unknown_code_of_batch_is_shown_raw_with_its_request_id() -> None:
    [shown] = [text for text in text_of("batch").split("\nS") if text.startswith("omethingNew")]
    assert f"HTTP 400 {UNKNOWN} - The service says so. [request-id 66-39]" in shown
    assert service_meaning_of(UNKNOWN) is None


def test_codes_are_compared_without_case() -> None:
    assert is_authors_error("poolnotfound")
    assert not is_authors_error("ServerBusy")
    assert not is_authors_error(None)


def test_whatever_batch_says_to_try_again_for_is_no_authors_error() -> None:
    for code, fault in FAULTS.items():
        meaning = service_meaning_of(code)
        if meaning is not None and fault.status >= 429:
            assert meaning.kind is Kind.RETRY, code
        if meaning is not None and meaning.kind is Kind.AUTHOR:
            assert 400 <= fault.status < 429, code


def test_every_refusal_of_local_azure_that_this_package_can_meet_is_explained() -> None:
    # What is about pools, nodes and schedules, which this package does not change, or about its own requests.
    foreign = ("Pool", "Node", "JobSchedule", "Application", "AutoScaling", "TooManyEnable")
    own = {
        "InvalidHeaderValue",
        "InvalidQueryParameterValue",
        "InvalidUri",
        "MissingContentLengthHeader",
        "MissingRequiredQueryParameter",
        "OperationNotValidOnNode",
        "UnsupportedHttpVerb",
        "JobPreparationTaskOrReleaseTaskNotSpecified",
        "JobWithSameIdExists",
    }
    # A refusal of rights: what is missing is said from the operation. The others end a task or a file.
    by_operation = {"AuthorizationFailure", "Forbidden", "IOError", "TaskNotCompleted", "TaskCompleted"}
    left = {code for code in FAULTS if not code.startswith(foreign)} - own - by_operation - {"TaskSucceeded"}
    assert sorted(left - set(SERVICE_MEANINGS)) == []


def test_every_failure_of_a_task_that_local_azure_knows_is_explained() -> None:
    assert sorted(set(_FAILURES) - set(TASK_MEANINGS)) == []
