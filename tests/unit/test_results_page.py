"""What `docs/results.md` says of verdicts, codes and sizes is in the code, and all of that is on the page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_batchad.hooks.blobs import READER_ROLE
from airflow_provider_batchad.jobs import logs, output_names, output_values, outputs, streaming, waiting
from airflow_provider_batchad.jobs.failure_codes import MEANINGS as TASK_MEANINGS
from airflow_provider_batchad.jobs.outcome import Ending
from airflow_provider_batchad.jobs.output_container import OutputContainer
from airflow_provider_batchad.jobs.pool_codes import MEANINGS as POOL_MEANINGS
from airflow_provider_batchad.jobs.service_codes import MEANINGS as SERVICE_MEANINGS
from airflow_provider_batchad.operators.report import SHOWN
from airflow_provider_batchad.operators.submit_job import DEFAULT_MAX_OUTPUT_BYTES
from tests.unit.test_report import outcome

PAGE = (Path(__file__).parents[2] / "docs" / "results.md").read_text()
KIB = 1024


def rows_of(heading: str) -> list[list[str]]:
    """The cells of the tables whose first heading this is."""
    tables = re.findall(
        rf"^\| {re.escape(heading)} \|.*\n\|[ -|]+\|\n((?:\|.*\n)+)", PAGE, flags=re.MULTILINE
    )
    return [
        [cell.strip() for cell in row.strip("|").split(" | ")] for rows in tables for row in rows.splitlines()
    ]


def test_every_way_to_end_has_its_row() -> None:
    assert [row[0].strip("`") for row in rows_of("how it ended")] == [ending.value for ending in Ending]


def test_every_key_of_the_summary_is_on_the_page() -> None:
    named = [name for row in rows_of("key") for name in re.findall(r"`(\w+)`", row[0])]
    assert sorted(named) == sorted(outcome().summary())


def test_every_code_stands_in_the_row_of_its_class() -> None:
    meanings = {**POOL_MEANINGS, **TASK_MEANINGS}
    known = {(code, meaning.kind.value) for code, meaning in SERVICE_MEANINGS.items()}
    known |= {(code, meaning.blame.value) for code, meaning in meanings.items()}
    named = {(code, row[0]) for row in rows_of("class") for code in re.findall(r"`(\w+)`", row[1])}
    assert named == known


@pytest.mark.parametrize(
    "said",
    [
        f"`max_output_bytes` ({DEFAULT_MAX_OUTPUT_BYTES // KIB} KiB)",
        f"more than {output_values.MAX_DEPTH} lists and objects",
        f"longer than {2 * outputs.SEARCHED_LOG_BYTES // KIB // KIB} MiB",
        f"at most {streaming.MOST_BYTES_A_LOOK // KIB} KiB a look",
        f"at most {streaming.MOST_BYTES_AT_THE_END // KIB // KIB} MiB of each",
        f"the last {logs.TAIL_BYTES // KIB} KiB of stderr",
        f"after {waiting.TOLERANCE.seconds // 60} minutes",
        "the first ten failures" if SHOWN == 10 else "another number of failures",
        *(f'"{name}"' for name in output_names.LOGS),
    ],
)
def test_every_size_on_the_page_is_that_of_the_code(said: str) -> None:
    assert said in PAGE


def test_the_outputs_of_the_page_are_taken() -> None:
    [source] = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    names: dict[str, Any] = {"POOL_IDENTITY": "/subscriptions/1"}
    exec(source, names)  # noqa: S102 - the page's own lines
    url = "https://myaccount.blob.core.windows.net/results/folder/a/summary.json"
    found = OutputContainer.of(names["outputs"], "folder")
    assert found.read_back
    assert found.urls(["a"]) == [url]
    assert READER_ROLE in PAGE
