"""Many more Airflow tasks than the account has places for active jobs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.full_accounts import check_releases, full_account, run_all


@pytest.mark.nightly
@pytest.mark.timeout(900)
async def test_three_hundred_for_a_hundred_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with full_account(monkeypatch, tmp_path, 100) as account:
        results = await run_all(account, 300, slots=8, poll_interval=5.0, within=800)
        assert [result["succeeded"] for result in results] == [1] * 300
        assert len(set(account.own_jobs())) == 300
        check_releases(account)
