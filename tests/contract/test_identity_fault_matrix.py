"""Entra ID and Key Vault broken in every way, at first use and at a renewal, sync and async."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Iterator

import pytest

from airflow_provider_batchad.errors import SignInError, Unreachable
from tests.contract.fault_matrix import FAULTS, LONG, Asker, Fault, Switchboard, dead_port
from tests.contract.signing_in import SigningIn, running

# Half a minute of real time: nothing hangs, and no wait is slept.
BOUND_SECONDS = 30.0
TRIES = 3
STEPS = {"entra": "token", "keyvault": "vault"}

every_fault = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
every_service = pytest.mark.parametrize("service", ["keyvault", "entra"], ids=["vault", "token"])
every_way = pytest.mark.parametrize("way", ["sync", "async"])


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[SigningIn, Switchboard]]:
    patch = pytest.MonkeyPatch()
    with dead_port() as port, running(patch) as signing_in:
        switchboard = Switchboard(port)
        switchboard.install(patch)
        try:
            yield signing_in, switchboard
        finally:
            patch.undo()


@pytest.fixture
def asker(shared: tuple[SigningIn, Switchboard], way: str) -> Asker:
    signing_in, switchboard = shared
    signing_in.seen.clear()
    # Key Vault's client knows the challenge from here on, so that each reading is one request.
    signing_in.callback()()
    signing_in.azure.ledger.clear()
    return Asker(signing_in, switchboard, way)


def check_failure(asker: Asker, service: str, fault: Fault, error: Unreachable, asked: int) -> None:
    assert type(error) is Unreachable
    assert not isinstance(error, SignInError)
    assert error.step == STEPS[service]
    assert error.retryable
    assert error.remedy
    assert (fault.entra if service == "entra" else "did not answer") in error.message
    told = "".join(traceback.format_exception(error))
    assert asker.signing_in.seen
    assert [len(secret) for secret in asker.signing_in.seen if secret in told] == []
    if fault.waits is None:
        assert (asked, asker.sleeps) == (1, [])
        assert error.retry_after_seconds == float(LONG)
        return
    least, most = fault.waits
    assert asked == TRIES
    assert len(asker.sleeps) == TRIES - 1
    assert all(least <= wait <= most for wait in asker.sleeps)
    assert (error.retry_after_seconds is not None) == (least > 0)


@every_way
@every_service
@every_fault
@pytest.mark.parametrize("renewal", [False, True], ids=["first use", "renewal without a valid token"])
def test_without_a_token_it_is_unreachable_after_bounded_tries(asker, service, fault, renewal, monkeypatch):
    if renewal:
        asker.ask()
        asker.now += 2 * 86_400
        if service == "keyvault":
            asker.rotate()
    started = time.monotonic()
    with asker.broken(service, fault, monkeypatch) as times_asked:
        with pytest.raises(Unreachable) as caught:
            asker.ask()
        asked = times_asked()
    assert time.monotonic() - started < BOUND_SECONDS
    check_failure(asker, service, fault, caught.value, asked)
    if fault.rule is None:
        assert service not in asker.signing_in.azure.ledger.counts() or renewal
    asker.now += 301
    assert asker.signing_in.principal_of(asker.ask()).name == "airflow-batch"


@every_way
@every_service
@every_fault
def test_valid_token_serves_on_and_nobody_is_waited_for(asker, service, fault, monkeypatch, caplog):
    first = asker.ask()
    asker.now = asker.callback().expires_on - 60
    if service == "keyvault":
        asker.rotate()
    started = time.monotonic()
    with (
        caplog.at_level(logging.WARNING, logger="airflow_provider_batchad"),
        asker.broken(service, fault, monkeypatch) as times_asked,
    ):
        assert {asker.ask() for _ in range(5)} == {first}
        assert times_asked() == 1
    assert time.monotonic() - started < BOUND_SECONDS
    assert asker.sleeps == []
    assert "the present one is good for another 60 s" in caplog.text
    assert [len(secret) for secret in asker.signing_in.seen if secret in caplog.text] == []
    asker.now += 301
    second = asker.ask()
    assert second != first
    assert asker.signing_in.principal_of(second).name == "airflow-batch"
