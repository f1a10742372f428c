"""Four workers killed amid the life of their jobs; ``make nightly`` has every point, victim and sequel."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.airflow.conftest import Deployment
from tests.airflow.kill_points import Kill, report, run_cases

pytestmark = pytest.mark.timeout(600)

KILLS = (
    Kill("after create, before its answer", "task", "sync", "retry"),
    Kill("amid adding tasks", "task", "deferred", "clear"),
    Kill("before waiting", "task", "deferred", "last"),
    Kill("after the job's end", "task", "sync", "retry"),
)


def test_a_killed_worker_makes_no_task_run_twice(deployment: Deployment, tmp_path: Path) -> None:
    assert report(run_cases(deployment, KILLS, tmp_path / "cases", seconds=300)) == []
