"""One look now and then at each pool whose jobs are waited for, on a fake clock."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_batchad.errors import Unreachable
from airflow_provider_batchad.jobs.pool_watch import PoolWaiter, PoolWatch
from airflow_provider_batchad.jobs.rest import BatchRequest, BatchResponse, Steps, ask, run

LOOK = BatchRequest(operation="List Pool Node Counts", method="GET", path="/nodecounts")


class Pools:
    """What is wrong with each pool, and who was told what, when."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.trouble: dict[str, str | None] = {}
        self.asked: list[tuple[float, str]] = []
        self.said: list[tuple[str, str]] = []
        self.ended: list[Exception] = []
        self.is_out = False
        self.watch = PoolWatch(clock=lambda: self.seconds, look_at=self._look_at)

    def follow(self, name: str, pool_id: str = "cpu", interval: float = 30.0) -> PoolWaiter:
        def say(text: str) -> None:
            self.said.append((name, text))

        waiter = PoolWaiter(pool_id=pool_id, interval=interval, say=say, tell=self.ended.append)
        self.watch.add(waiter)
        return waiter

    def pass_time(self, seconds: float) -> None:
        until = self.seconds + seconds
        while (due := self.watch.due()) <= until:
            self.seconds = max(self.seconds, due)
            run(self.watch.look(), self._send, lambda _: None)
        self.seconds = until

    def _look_at(self, pool_id: str) -> Steps[str | None]:
        self.asked.append((self.seconds, pool_id))
        yield from ask(LOOK)
        return self.trouble.get(pool_id)

    def _send(self, request: BatchRequest) -> BatchResponse:
        if self.is_out:
            raise Unreachable("Nothing answered.", step="batch")
        return BatchResponse(status=200, headers={}, content=b"{}")


@pytest.fixture
def pools() -> Pools:
    return Pools()


def test_a_pool_is_looked_at_after_two_intervals_and_every_twentieth_however_many_wait(pools: Pools) -> None:
    for number in range(1000):
        pools.follow(f"w{number}", pool_id=("cpu", "CPU")[number % 2])
    pools.pass_time(59)
    assert pools.asked == []
    pools.pass_time(40 * 30)
    assert [seconds for seconds, _ in pools.asked] == [60, 660]


def test_each_is_told_once_for_each_change(pools: Pools) -> None:
    for name in ("v", "w"):
        pools.follow(name)
    pools.follow("other", pool_id="gpu")
    pools.pass_time(700)
    assert pools.said == []
    pools.trouble["cpu"] = "It has no nodes."
    pools.pass_time(1300)
    pools.trouble["cpu"] = None
    pools.pass_time(1300)
    mended = "Pool 'cpu' can run tasks again."
    told = [("v", "It has no nodes."), ("w", "It has no nodes."), ("v", mended), ("w", mended)]
    assert pools.said == told


def test_a_look_that_fails_is_left_to_the_next_one(pools: Pools) -> None:
    pools.follow("w")
    pools.trouble["cpu"] = "It has no nodes."
    pools.is_out = True
    pools.pass_time(100)
    pools.is_out = False
    pools.pass_time(600)
    assert pools.said == [("w", "It has no nodes.")]
    assert len(pools.asked) == 2


def test_nothing_is_asked_for_a_pool_that_nobody_waits_for(pools: Pools) -> None:
    left, stays = pools.follow("left"), pools.follow("stays", pool_id="gpu")
    pools.watch.remove(left)
    pools.pass_time(60)
    assert pools.asked == [(60, "gpu")]
    pools.watch.remove(stays)
    assert (len(pools.watch), pools.watch.due()) == (0, float("inf"))


def test_one_who_leaves_during_a_look_is_told_nothing(pools: Pools) -> None:
    waiter = pools.follow("left")
    pools.trouble["cpu"] = "It has no nodes."
    pools.seconds = 60
    steps: Any = pools.watch.look()
    next(steps)
    pools.watch.remove(waiter)
    with pytest.raises(StopIteration):
        steps.send(BatchResponse(status=200, headers={}, content=b"{}"))
    assert pools.said == []


def test_an_unexpected_end_is_told_to_all(pools: Pools) -> None:
    for name in ("v", "w"):
        pools.follow(name)
    pools.watch.end_all(RuntimeError("ended"))
    assert (len(pools.ended), len(pools.watch)) == (2, 0)
