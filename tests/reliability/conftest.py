"""One Airflow for all nightly tests of what ends a job: they freeze and end its parts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.airflow.kill_points import all_kills
from tests.reliability.end_of_life_airflow import Parts, running


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    with running(tmp_path_factory.mktemp("airflow"), applications=len(all_kills()) + 1) as parts:
        yield parts
