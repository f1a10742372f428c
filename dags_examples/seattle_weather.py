"""Four years of Seattle's weather, one Batch task a year.

Each day, one Batch job with a task for each year from 2012 to 2015. A task runs `summarise_weather.py` on
its year's slice of the daily record, which the node gets as a resource file, and writes `summary.json`; the
operator brings these back, and the last step makes one table of them.

On your own Azure Batch account, change the connection `batchad_default` and two params:

* `pool_id`: a pool of Linux nodes with Python 3.8 or later;
* `inputs_url`: a folder that its nodes can read by https, with the files of `dags_examples/inputs` in it.

Data: NOAA, National Centers for Environmental Information; public domain (`dags_examples/inputs/README.md`).
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, Param, task

from airflow_provider_batchad.operators import AzureBatchSubmitJobOperator

YEARS = range(2012, 2016)
PROGRAM = "summarise_weather.py"


def resource_file(name: str) -> dict[str, str]:
    return {"http_url": f"{{{{ params.inputs_url }}}}/{name}", "file_path": name}


@task
def make_table(summaries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a year, in order; also in this task's log."""
    rows = sorted(summaries, key=lambda summary: summary["year"])
    for cells in [rows[0].keys(), *(row.values() for row in rows)]:
        print(*(f"{cell!s:>16}" for cell in cells))
    return rows


with DAG(
    "seattle_weather",
    schedule="@daily",
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    doc_md=__doc__,
    tags=["azure", "batch", "example"],
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    params={
        "pool_id": Param(
            "cpu", type="string", description="The pool of the Batch account that runs the tasks."
        ),
        "inputs_url": Param(
            os.environ.get("SEATTLE_WEATHER_INPUTS_URL", "https://localhost:10447"),
            type="string",
            format="uri",
            description="The folder with the files of dags_examples/inputs, without a slash at its end.",
        ),
    },
):
    summarise = AzureBatchSubmitJobOperator(
        task_id="summarise",
        pool_id="{{ params.pool_id }}",
        tasks=[
            {
                "id": f"y{year}",
                "command_line": f"python3 {PROGRAM} seattle-weather-{year}.csv",
                "resource_files": [resource_file(PROGRAM), resource_file(f"seattle-weather-{year}.csv")],
            }
            for year in YEARS
        ],
        outputs="summary.json",
        deferrable=True,
        execution_timeout=timedelta(minutes=30),
    )
    make_table(summarise.output)
