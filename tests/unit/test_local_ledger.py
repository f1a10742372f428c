from __future__ import annotations

from typing import Any

from airflow_provider_batchad.local.faults import FaultRule, FaultRules
from airflow_provider_batchad.local.ledger import Ledger


def record(ledger: Ledger, **fields: Any) -> None:
    whole: dict[str, Any] = {
        "time": 0.0,
        "service": "batch",
        "operation": "Get Job",
        "method": "GET",
        "path": "/jobs/j",
        "principal": None,
        "actions": (),
        "status": 200,
        "code": None,
        "request_bytes": 0,
        "response_bytes": 2,
        "seconds": 0.001,
        "fault": None,
    }
    ledger.record(**(whole | fields))


def test_old_entries_fall_out_and_stay_counted() -> None:
    ledger = Ledger(size=2)
    for _ in range(5):
        record(ledger)
    assert [entry.sequence for entry in ledger.entries()] == [4, 5]
    assert ledger.counts() == {"batch": {"Get Job": 5}}
    ledger.clear()
    record(ledger)
    assert [entry.sequence for entry in ledger.entries()] == [6]
    assert ledger.counts() == {"batch": {"Get Job": 1}}


def test_entries_are_found_by_what_they_are() -> None:
    ledger = Ledger(size=10)
    record(ledger, operation="Create Job", principal="a", status=403)
    record(ledger, service="entra", operation="Token")
    assert len(ledger.entries(operation="create job")) == 1
    assert len(ledger.entries(principal="a", status=403)) == 1
    assert len(ledger.entries(principal="a", status=200)) == 0
    assert [entry.service for entry in ledger.entries(after=1)] == ["entra"]


def take(rules: FaultRules) -> bool:
    found = rules.take(when="before", service="batch", operation="Get Job", principal=None)
    return found is not None


def test_probability_is_repeatable_by_its_seed() -> None:
    def draw(seed: int) -> list[bool]:
        rules = FaultRules()
        rules.add(FaultRule(status=503, probability=0.5, seed=seed))
        return [take(rules) for _ in range(64)]

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)
    assert 16 < sum(draw(1)) < 48


def test_rule_that_is_used_up_lets_the_next_one_take() -> None:
    rules = FaultRules()
    first = rules.add(FaultRule(status=503, times=1))
    second = rules.add(FaultRule(operation="get *", status=500))
    assert [take(rules) for _ in range(3)] == [True, True, True]
    assert (rules.hits(first.id), rules.hits(second.id)) == (1, 2)
    rules.clear()
    assert not rules
    assert not take(rules)
