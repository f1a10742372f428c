from __future__ import annotations

import logging
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_batchad.errors import CredentialRefused, Unreachable
from airflow_provider_batchad.identity.tokens import AccessToken, PrincipalFacts, TokenCallback


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Requester:
    """Counts what it is asked; each token is another one."""

    def __init__(self, clock: Clock, lifetime: float = 3600.0) -> None:
        self.clock = clock
        self.lifetime = lifetime
        self.claims: list[str | None] = []
        self.rejected: list[str | None] = []
        self.failure: BaseException | None = None

    def __call__(self, claims: str | None, rejected: str | None) -> AccessToken:
        self.claims.append(claims)
        self.rejected.append(rejected)
        if self.failure is not None:
            raise self.failure
        return AccessToken(f"token-{len(self.claims)}", self.clock.now + self.lifetime)

    @property
    def count(self) -> int:
        return len(self.claims)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def requester(clock: Clock) -> Requester:
    return Requester(clock)


@pytest.fixture
def callback(requester: Requester, clock: Clock) -> TokenCallback:
    return TokenCallback(requester, clock=clock, spread=lambda: 0.5)


def unreachable(retry_after_seconds: float | None = None) -> Unreachable:
    return Unreachable("Nobody answered.", step="token", retry_after_seconds=retry_after_seconds)


def test_nothing_is_asked_before_the_first_call(callback, requester):
    assert requester.count == 0
    assert callback.ready() is None


def test_one_question_serves_until_the_margin(callback, requester, clock):
    for _ in range(60):
        assert callback().token == "token-1"
        clock.now += 50
    assert requester.count == 1
    clock.now += 100  # 3100 s of 3600: the margin is 15 % of them, 540 s
    assert callback().token == "token-2"


@pytest.mark.parametrize(("spread", "renewed_at"), [(0.0, 3240.0), (1.0, 2880.0)])
def test_renewal_is_spread_over_the_last_tenth_to_fifth(requester, clock, spread, renewed_at):
    callback = TokenCallback(requester, clock=clock, spread=lambda: spread)
    callback()
    clock.now += renewed_at - 1
    callback()
    assert requester.count == 1
    clock.now += 1
    callback()
    assert requester.count == 2


def test_token_of_five_seconds_is_asked_for_once_a_lifetime(callback, requester, clock):
    requester.lifetime = 5.0
    for _ in range(600):  # a minute, ten requests a second
        assert callback().expires_on > clock.now
        clock.now += 0.1
    assert 12 <= requester.count <= 15


def test_valid_token_is_used_when_a_new_one_cannot_be_had(callback, requester, clock, caplog):
    callback()
    clock.now += 3100
    requester.failure = unreachable()
    with caplog.at_level(logging.WARNING):
        assert [callback().token for _ in range(100)] == ["token-1"] * 100
    assert requester.count == 2  # one look, and not one for each request
    assert "token-1" not in caplog.text
    assert "500 s" in caplog.text


def test_renewal_that_failed_is_tried_again_before_the_end(callback, requester, clock):
    callback()
    clock.now += 3100
    requester.failure = unreachable()
    while clock.now < 1_000_000 + 3599:
        callback()
        clock.now += 1
    assert 4 < requester.count < 40
    requester.failure = None
    assert callback().token != "token-1"


def test_renewal_waits_as_long_as_it_was_told(callback, requester, clock):
    callback()
    clock.now += 3100
    requester.failure = unreachable(retry_after_seconds=300)
    callback()
    clock.now += 299
    callback()
    assert requester.count == 2
    clock.now += 2
    callback()
    assert requester.count == 3


def test_refused_credential_does_not_cost_the_valid_token(callback, requester, clock):
    callback()
    clock.now += 3100
    requester.failure = CredentialRefused("expired", step="token")
    assert callback().token == "token-1"
    clock.now += 500
    with pytest.raises(CredentialRefused):
        callback()


def test_failure_without_a_valid_token_is_raised_and_asked_again(callback, requester):
    requester.failure = unreachable()
    for _ in range(2):
        with pytest.raises(Unreachable):
            callback()
    assert requester.count == 2
    requester.failure = None
    assert callback().token == "token-3"


def test_throttled_service_is_left_alone_as_long_as_it_asked(callback, requester, clock):
    requester.failure = unreachable(retry_after_seconds=30)
    with pytest.raises(Unreachable):
        callback()
    clock.now += 10
    with pytest.raises(Unreachable) as caught:
        callback()
    assert caught.value.retry_after_seconds == pytest.approx(20)
    assert requester.count == 1
    clock.now += 21
    requester.failure = None
    assert callback().token == "token-2"


def test_wait_that_a_service_asks_for_is_bounded(callback, requester, clock):
    requester.failure = unreachable(retry_after_seconds=1e9)
    with pytest.raises(Unreachable):
        callback()
    clock.now += 301
    requester.failure = None
    assert callback().token == "token-2"


def test_rejected_token_is_replaced_once(callback, requester):
    first = callback()
    second = callback(rejected=first.token)
    assert second.token == "token-2"
    assert callback(rejected=first.token) is second
    assert callback() is second
    assert requester.count == 2


def test_rejected_token_is_not_used_on_where_a_new_one_cannot_be_had(callback, requester):
    first = callback()
    requester.failure = unreachable()
    with pytest.raises(Unreachable):
        callback(rejected=first.token)


def test_claims_are_passed_on_and_answered_by_a_new_token(callback, requester):
    first = callback()
    second = callback(claims='{"access_token":{}}', rejected=first.token)
    assert requester.claims == [None, '{"access_token":{}}']
    assert callback().token == second.token == "token-2"


def test_second_request_with_the_same_challenge_gets_the_same_answer(callback, requester):
    first = callback()
    answers = {callback(claims="{}", rejected=first.token).token for _ in range(5)}
    assert answers == {"token-2"}
    assert requester.count == 2


def test_challenge_that_names_no_token_is_always_asked(callback, requester):
    callback()
    callback(claims="{}")
    callback(claims="{}")
    assert requester.claims == [None, "{}", "{}"]


def test_ready_answers_only_what_needs_no_question(callback, requester, clock):
    first = callback()
    assert callback.ready() is first
    assert callback.ready(rejected=first.token) is None
    assert callback.ready(claims="{}") is None
    clock.now += 3100
    assert callback.ready() is None
    assert requester.count == 1


class Gate:
    """A requester that lets the test decide when it answers."""

    def __init__(self, inner: Requester) -> None:
        self.inner = inner
        self.entered = threading.Event()
        self.open = threading.Event()

    def __call__(self, claims: str | None, rejected: str | None) -> AccessToken:
        self.entered.set()
        assert self.open.wait(10)
        return self.inner(claims, rejected)


@pytest.fixture
def gate(requester: Requester) -> Gate:
    return Gate(requester)


@pytest.fixture
def gated(gate: Gate, clock: Clock) -> TokenCallback:
    return TokenCallback(gate, clock=clock, spread=lambda: 0.5)


def _ask_together(gated: TokenCallback, gate: Gate, threads: int = 16) -> list[object]:
    started = threading.Barrier(threads)

    def ask() -> object:
        started.wait(10)
        try:
            return gated().token
        except (Unreachable, KeyboardInterrupt) as error:
            return type(error)

    with ThreadPoolExecutor(threads) as pool:
        asked = [pool.submit(ask) for _ in range(threads)]
        assert gate.entered.wait(10)
        gate.open.set()
        return [future.result(10) for future in asked]


def test_threads_share_one_question(gated, gate, requester):
    assert set(_ask_together(gated, gate)) == {"token-1"}
    assert requester.count == 1


def test_threads_that_waited_share_the_failure(gated, gate, requester):
    requester.failure = unreachable(retry_after_seconds=5)
    assert set(_ask_together(gated, gate)) == {Unreachable}
    assert requester.count == 1


def test_thread_that_is_torn_away_leaves_the_question_to_another(gated, gate, requester):
    def torn_away_once(claims: str | None, rejected: str | None) -> AccessToken:
        if requester.count == 0:
            requester.claims.append(claims)
            raise KeyboardInterrupt
        return Requester.__call__(requester, claims, rejected)

    gate.inner = torn_away_once
    answers = _ask_together(gated, gate, threads=8)
    assert answers.count(KeyboardInterrupt) == 1
    assert answers.count("token-2") == 7
    assert requester.count == 2


def test_others_use_the_valid_token_while_one_renews_it(gated, gate, requester, clock):
    gate.open.set()
    gated()
    gate.open.clear()
    gate.entered.clear()
    clock.now += 3100
    with ThreadPoolExecutor(1) as pool:
        renewing = pool.submit(gated)
        assert gate.entered.wait(10)
        assert gated().token == "token-1"
        assert gated.ready() is not None
        gate.open.set()
        assert renewing.result(10).token == "token-2"
    assert requester.count == 2


def test_no_secret_in_representations_and_no_pickle(callback):
    token = callback()
    assert "token-1" not in f"{token!r} {token} {callback!r} {vars(callback)}"
    for thing in (token, callback):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(thing)


def test_principal_is_what_the_sign_in_says(requester):
    facts = PrincipalFacts(sign_in="service_principal", tenant_id="t", client_id="c")
    assert TokenCallback(requester, facts=lambda: facts).principal is facts
