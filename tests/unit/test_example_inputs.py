from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

INPUTS = Path(__file__).parents[2] / "dags_examples" / "inputs"
YEARS = range(2012, 2016)
# Of seattle-weather.csv in vega_datasets 0.9.0.
ORIGINAL_SHA256 = "62f0609f787158128aa2bd102967173a4953122dd4f872bf1d502cae1037df0b"


def slice_of(year: int) -> Path:
    return INPUTS / f"seattle-weather-{year}.csv"


def summarise(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(INPUTS / "summarise_weather.py"), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_slices_put_together_are_the_original_file() -> None:
    heading, *_ = slice_of(2012).read_bytes().splitlines(keepends=True)
    rows = [row for year in YEARS for row in slice_of(year).read_bytes().splitlines(keepends=True)[1:]]
    assert len(rows) == 1461
    assert hashlib.sha256(b"".join([heading, *rows])).hexdigest() == ORIGINAL_SHA256


def test_a_slice_holds_the_days_of_its_year_alone() -> None:
    for year in YEARS:
        _, *rows = slice_of(year).read_text().splitlines()
        assert {row[:4] for row in rows} == {str(year)}
        assert len(rows) == (366 if year == 2012 else 365)


def test_the_program_summarises_a_year(tmp_path: Path) -> None:
    answer = summarise([str(slice_of(2012))], tmp_path)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert json.loads((tmp_path / "summary.json").read_text()) == {
        "year": 2012,
        "days": 366,
        "wet_days": 177,
        "precipitation_mm": 1226.0,
        "wettest_day": "2012/11/19",
        "mean_temp_max_c": 15.3,
        "hottest_c": 34.4,
        "hottest_day": "2012/08/16",
        "coldest_c": -3.3,
        "coldest_day": "2012/01/15",
    }


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("date,precipitation,temp_max,temp_min,wind,weather\n", "no day at all"),
        ("date,temp_max\n2012/01/01,5.0\n", "precipitation"),
        ("date,precipitation,temp_max,temp_min,wind,weather\n2012/01/01,much,1,0,0,sun\n", "'much'"),
    ],
)
def test_the_program_ends_with_2_and_the_reason_for_a_file_that_it_cannot_read(
    tmp_path: Path, content: str, says: str
) -> None:
    (tmp_path / "bad.csv").write_text(content)
    answer = summarise(["bad.csv"], tmp_path)
    assert answer.returncode == 2
    assert says in answer.stderr
    assert not (tmp_path / "summary.json").exists()
