"""Summarise one year of daily weather into ``summary.json``."""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import sys
from pathlib import Path


def summarise(csv_file: Path) -> dict[str, object]:
    """The figures of one file.

    :raises ValueError: if it holds no day, or days of several years.
    :raises KeyError: if a column is missing.
    """
    with csv_file.open(newline="") as stream:
        days = list(csv.DictReader(stream))
    years = sorted({day["date"][:4] for day in days})
    if len(years) != 1:
        raise ValueError(
            f"{csv_file} holds days of {len(years)} years: {', '.join(years) or 'no day at all'}"
        )
    rain = [float(day["precipitation"]) for day in days]
    wettest = max(days, key=lambda day: float(day["precipitation"]))
    hottest = max(days, key=lambda day: float(day["temp_max"]))
    coldest = min(days, key=lambda day: float(day["temp_min"]))
    return {
        "year": int(years[0]),
        "days": len(days),
        "wet_days": sum(amount > 0 for amount in rain),
        "precipitation_mm": round(sum(rain), 1),
        "wettest_day": wettest["date"],
        "mean_temp_max_c": round(statistics.mean(float(day["temp_max"]) for day in days), 1),
        "hottest_c": float(hottest["temp_max"]),
        "hottest_day": hottest["date"],
        "coldest_c": float(coldest["temp_min"]),
        "coldest_day": coldest["date"],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("csv_file", type=Path)
    parser.add_argument("--output", type=Path, default=Path("summary.json"))
    arguments = parser.parse_args()
    try:
        summary = summarise(arguments.csv_file)
    except (OSError, KeyError, ValueError) as error:
        print(f"Cannot summarise {arguments.csv_file}: {error!r}", file=sys.stderr)
        return 2
    arguments.output.write_text(json.dumps(summary, indent=1) + "\n")
    print(f"{summary['year']}: {summary['days']} days, {summary['precipitation_mm']} mm")
    return 0


if __name__ == "__main__":
    sys.exit(main())
