"""What the example's table must be: worked out from the same files by another way than the Batch tasks go."""

from __future__ import annotations

import csv
import sqlite3
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).resolve().parents[1] / "dags_examples"
INPUTS = EXAMPLES / "inputs"

_SUMMARY = """
SELECT CAST(substr(date, 1, 4) AS INTEGER) AS year,
       count(*) AS days,
       sum(precipitation > 0) AS wet_days,
       round(sum(precipitation), 1) AS precipitation_mm,
       (SELECT date FROM day AS other WHERE substr(other.date, 1, 4) = substr(day.date, 1, 4)
        ORDER BY precipitation DESC, date LIMIT 1) AS wettest_day,
       round(avg(temp_max), 1) AS mean_temp_max_c,
       max(temp_max) AS hottest_c,
       (SELECT date FROM day AS other WHERE substr(other.date, 1, 4) = substr(day.date, 1, 4)
        ORDER BY temp_max DESC, date LIMIT 1) AS hottest_day,
       min(temp_min) AS coldest_c,
       (SELECT date FROM day AS other WHERE substr(other.date, 1, 4) = substr(day.date, 1, 4)
        ORDER BY temp_min, date LIMIT 1) AS coldest_day
FROM day GROUP BY substr(date, 1, 4) ORDER BY year
"""


def expected_table(folder: Path = INPUTS) -> list[dict[str, Any]]:
    """One row a year, from all ``seattle-weather-*.csv`` of the folder."""
    database = sqlite3.connect(":memory:")
    database.row_factory = sqlite3.Row
    database.execute("CREATE TABLE day (date TEXT, precipitation REAL, temp_max REAL, temp_min REAL)")
    for path in sorted(folder.glob("seattle-weather-*.csv")):
        with path.open(newline="") as stream:
            database.executemany(
                "INSERT INTO day VALUES (:date, :precipitation, :temp_max, :temp_min)", csv.DictReader(stream)
            )
    return [dict(row) for row in database.execute(_SUMMARY)]


def differences(table: object) -> list[str]:
    """What is wrong with a table, in sentences; nothing for the right one."""
    expected = expected_table()
    if not isinstance(table, list) or [row.get("year") for row in table] != [row["year"] for row in expected]:
        return [f"The table should have one row for each of {[row['year'] for row in expected]}: {table!r}."]
    return [
        f"{right['year']}: {name} is {row.get(name)!r}, and the data say {right[name]!r}."
        for row, right in zip(table, expected, strict=True)
        for name in right
        if row.get(name) != right[name]
    ]
