"""SIGKILL at every named point of a job's life: of the task's process or its supervisor, in both modes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.airflow.kill_points import MODES, NEXT, POINTS, VICTIMS, all_kills, report, run_cases
from tests.reliability.end_of_life_airflow import Parts

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(2400)]


def test_every_point_victim_mode_and_sequel_is_tried() -> None:
    assert len(all_kills()) == len(POINTS) * len(VICTIMS) * len(MODES) * len(NEXT) == 96


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_worker_killed_anywhere_makes_no_task_run_twice(parts: Parts, tmp_path: Path, victim: str) -> None:
    kills = [kill for kill in all_kills() if kill.victim == victim]
    first = VICTIMS.index(victim) * len(kills)
    cases = run_cases(parts, kills, tmp_path / "cases", first=first, seconds=900)
    assert report(cases) == []
