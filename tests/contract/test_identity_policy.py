"""The token policy in Microsoft's Batch clients, synchronous and asynchronous, against local Azure."""

from __future__ import annotations

import asyncio
import base64
import json
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from azure.batch import BatchClient
from azure.batch.aio import BatchClient as AsyncBatchClient
from azure.core.exceptions import ClientAuthenticationError, ResourceNotFoundError
from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.rest import HttpRequest

from airflow_provider_batchad.errors import ForeignHostRefused, Unreachable
from airflow_provider_batchad.identity.credential import (
    AsyncCallbackCredential,
    AsyncTokenCallback,
    AsyncTokenPolicy,
    CallbackCredential,
    TokenPolicy,
)
from airflow_provider_batchad.identity.tokens import AccessToken, TokenCallback
from airflow_provider_batchad.local.config import AssignmentConfig, LocalAzureConfig
from airflow_provider_batchad.local.faults import FaultRule
from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.batch_fixtures import eventually
from tests.contract.signing_in import SigningIn, running

CLAIMS = '{"access_token":{"xms_cc":{"values":["CP1"]}}}'
CHALLENGE = (
    'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", '
    f'error="insufficient_claims", claims="{base64.urlsafe_b64encode(CLAIMS.encode()).decode().rstrip("=")}"'
)
REFUSED = {"status": 401}
CHALLENGED = {"status": 401, "headers": {"WWW-Authenticate": CHALLENGE}}

Ask = Callable[..., Any]


@pytest.fixture
def signing_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[SigningIn]:
    config = LocalAzureConfig(
        port=0,
        assignments=(
            AssignmentConfig(
                principal="airflow-batch", role="Azure Batch Data Contributor", resource="batch"
            ),
            AssignmentConfig(principal="airflow-worker", role="Key Vault Secrets User", resource="keyvault"),
        ),
    )
    with running(monkeypatch, config) as signing_in:
        yield signing_in


@pytest.fixture
def callback(signing_in: SigningIn) -> TokenCallback:
    return signing_in.callback(clock=signing_in.azure.clock.time)


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest, signing_in: SigningIn, callback: TokenCallback) -> Ask:
    """Calls one method of a Batch client that has the policy; a listing is read to its end."""
    url, ca_file = signing_in.azure.endpoints.batch, str(signing_in.azure.ca_file)
    options = {"connection_verify": ca_file, "retry_backoff_factor": 0.0}

    def ask_sync(method: str, *args: Any, **keywords: Any) -> Any:
        credential, policy = CallbackCredential(callback), TokenPolicy(callback, url)
        with BatchClient(url, credential, authentication_policy=policy, **options) as client:
            answer = getattr(client, method)(*args, **keywords)
            return list(answer) if method.startswith("list_") else answer

    async def ask_async(method: str, *args: Any, **keywords: Any) -> Any:
        credential, policy = AsyncCallbackCredential(callback), AsyncTokenPolicy(callback, url)
        async with AsyncBatchClient(url, credential, authentication_policy=policy, **options) as client:
            answer = getattr(client, method)(*args, **keywords)
            return [one async for one in answer] if method.startswith("list_") else await answer

    if request.param == "sync":
        return ask_sync
    return lambda *args, **keywords: asyncio.run(ask_async(*args, **keywords))


def requests_of(signing_in: SigningIn) -> int:
    return sum(signing_in.azure.ledger.counts().get("batch", {}).values())


def last_token(signing_in: SigningIn) -> dict[str, Any]:
    return jwt.decode(signing_in.seen[-1], options={"verify_signature": False})


def test_request_goes_with_the_callbacks_token(signing_in, ask):
    assert ask("get_pool", "cpu").id == "cpu"
    assert ask("get_pool", "cpu").id == "cpu"
    assert signing_in.count("entra", "Token") == 1


def test_tokens_that_run_out_on_the_way_are_replaced_again_and_again(signing_in, ask):
    signing_in.azure.directory.token_lifetime_seconds = 2.0
    # Longer than a token's life, as in a process that is too busy to send what it has prepared.
    slow = FaultRule(service="batch", operation="Get Pool", delay_seconds=3.0, times=2)
    signing_in.azure.faults.add(slow)
    assert ask("get_pool", "cpu").id == "cpu"
    assert signing_in.count("batch", "Get Pool") == 3


def test_token_that_runs_out_between_requests_is_renewed_once(signing_in, ask):
    signing_in.azure.directory.token_lifetime_seconds = 5.0
    for _ in range(4):
        ask("get_pool", "cpu")
        signing_in.azure.clock.advance(3)
    assert signing_in.count("entra", "Token") == 2


def test_refused_token_is_answered_once_with_a_fresh_one(signing_in, ask):
    signing_in.azure.faults.add(FaultRule(service="batch", times=1, **REFUSED))
    assert ask("get_pool", "cpu").id == "cpu"
    assert requests_of(signing_in) == 2
    assert signing_in.count("entra", "Token") == 2


def test_fresh_token_that_is_refused_too_is_the_answer(signing_in, ask):
    signing_in.azure.faults.add(FaultRule(service="batch", **REFUSED))
    with pytest.raises(ClientAuthenticationError):
        ask("get_pool", "cpu")
    assert requests_of(signing_in) == 2
    assert signing_in.count("entra", "Token") == 2


def test_claims_challenge_is_answered_with_its_claims(signing_in, ask):
    signing_in.azure.faults.add(FaultRule(service="batch", times=1, **CHALLENGED))
    assert ask("get_pool", "cpu").id == "cpu"
    assert last_token(signing_in)["xms_cc"] == ["CP1"]
    assert requests_of(signing_in) == 2


def test_claims_challenge_is_answered_once(signing_in, ask):
    signing_in.azure.faults.add(FaultRule(service="batch", **CHALLENGED))
    with pytest.raises(ClientAuthenticationError):
        ask("get_pool", "cpu")
    assert requests_of(signing_in) == 2


def test_challenge_after_a_refusal_is_answered_as_well(signing_in, ask):
    signing_in.azure.faults.add(FaultRule(service="batch", times=1, **REFUSED))
    signing_in.azure.faults.add(FaultRule(service="batch", times=1, **CHALLENGED))
    assert ask("get_pool", "cpu").id == "cpu"
    assert requests_of(signing_in) == 3
    assert last_token(signing_in)["xms_cc"] == ["CP1"]


def test_refusal_is_answered_once_however_often_the_request_is_tried(signing_in, ask):
    """A Retry-After makes azure-core send a request again whatever its status."""
    headers = {"Retry-After": "0"}
    signing_in.azure.faults.add(FaultRule(service="batch", status=401, headers=headers))
    with pytest.raises(ClientAuthenticationError):
        ask("get_pool", "cpu", retry_total=3)
    assert signing_in.count("entra", "Token") == 2


def test_each_attempt_asks_for_its_token(signing_in, ask, callback):
    signing_in.azure.directory.token_lifetime_seconds = 5.0
    first = callback()
    signing_in.azure.clock.advance(6)
    signing_in.azure.faults.add(FaultRule(service="batch", status=503, times=2))
    assert ask("get_pool", "cpu").id == "cpu"
    assert signing_in.count("entra", "Token") == 2
    assert callback().token != first.token


def test_refused_download_is_asked_again(signing_in, ask):
    """A streamed answer that nobody reads must not keep its connection."""
    signing_in.azure.faults.add(FaultRule(service="batch", times=1, **REFUSED))
    with pytest.raises(ResourceNotFoundError):
        ask("download_task_file", "no-job", "no-task", "stdout.txt")
    assert requests_of(signing_in) == 2


def test_paging_link_to_another_host_is_refused_before_anything_is_sent(signing_in, ask):
    with LocalAzure() as stranger:
        link = f"{stranger.endpoints.batch}/jobs?$skiptoken=1"
        body = json.dumps({"value": [], "odata.nextLink": link})
        signing_in.azure.faults.add(FaultRule(service="batch", status=200, body=body))
        with pytest.raises(ForeignHostRefused, match="localhost"):
            ask("list_jobs")
        assert stranger.ledger.counts() == {}


@pytest.mark.parametrize("to", ["another port", "another name", "http"])
def test_redirect_elsewhere_is_refused(signing_in, ask, to):
    own = signing_in.azure.endpoints.batch
    location = {
        "another port": signing_in.azure.endpoints.storage,
        "another name": own.replace("localhost", "127.0.0.1"),
        "http": own.replace("https", "http"),
    }[to]
    headers = {"Location": f"{location}/pools/cpu?api-version=2025-06-01"}
    signing_in.azure.faults.add(FaultRule(service="batch", status=307, headers=headers))
    with pytest.raises(ForeignHostRefused):
        ask("get_pool", "cpu")
    assert requests_of(signing_in) == 1
    assert "storage" not in signing_in.azure.ledger.counts()


def test_request_of_ones_own_is_held_to_the_account_as_well(signing_in, ask):
    foreign = HttpRequest("GET", f"{signing_in.azure.endpoints.storage}/x")
    with pytest.raises(ForeignHostRefused):
        ask("send_request", foreign)
    own = HttpRequest(
        "GET",
        f"{signing_in.azure.endpoints.batch}/pools/cpu?api-version=2025-06-01",
        headers={"Authorization": "Bearer canary"},
    )
    assert ask("send_request", own).status_code == 200
    assert requests_of(signing_in) == 1


def test_refused_request_has_lost_the_token_that_it_came_with(callback):
    policy = TokenPolicy(callback, "https://acct.westeurope.batch.azure.com")
    request = HttpRequest("GET", "https://evil.example/jobs", headers={"Authorization": "Bearer canary"})
    with pytest.raises(ForeignHostRefused):
        policy.send(PipelineRequest(request, PipelineContext(None)))
    assert "Authorization" not in request.headers


@pytest.mark.parametrize(
    "url",
    [
        "http://acct.westeurope.batch.azure.com/jobs",
        "https://acct.westeurope.batch.azure.com:444/jobs",
        "https://acct.westeurope.batch.azure.com.evil.example/jobs",
        "https://acct.westeurope.batch.azure.com@evil.example/jobs",
        "https://other.westeurope.batch.azure.com/jobs",
        "https:///jobs",
    ],
)
def test_only_the_accounts_own_origin_gets_a_token(url):
    asked = []
    policy = TokenPolicy(
        TokenCallback(lambda *question: asked.append(question)), "https://acct.westeurope.batch.azure.com"
    )
    with pytest.raises(ForeignHostRefused):
        policy.send(PipelineRequest(HttpRequest("GET", url), PipelineContext(None)))
    assert asked == []


def test_error_of_the_callback_comes_through_as_it_is(signing_in, ask):
    signing_in.azure.faults.add(FaultRule(service="entra", status=503))
    with pytest.raises(Unreachable):
        ask("get_pool", "cpu")
    assert requests_of(signing_in) == 0


def test_credential_serves_azure_cores_own_policy(signing_in, callback):
    url, ca_file = signing_in.azure.endpoints.batch, str(signing_in.azure.ca_file)
    with BatchClient(url, CallbackCredential(callback), connection_verify=ca_file) as client:
        assert client.get_pool("cpu").id == "cpu"
    token = CallbackCredential(callback).get_token("https://batch.core.windows.net//.default")
    assert token.token == callback().token
    assert token.expires_on == int(callback().expires_on)


async def test_async_credential_serves_azure_cores_own_policy(signing_in, callback):
    url, ca_file = signing_in.azure.endpoints.batch, str(signing_in.azure.ca_file)
    async with AsyncCallbackCredential(callback) as credential:
        async with AsyncBatchClient(url, credential, connection_verify=ca_file) as client:
            assert (await client.get_pool("cpu")).id == "cpu"
        assert (await credential.get_token("scope")).token == callback().token


async def test_two_hundred_coroutines_share_one_question(signing_in, callback):
    ask = AsyncTokenCallback(callback)
    tokens = await asyncio.gather(*(ask() for _ in range(200)))
    assert {token.token for token in tokens} == {callback().token}
    assert signing_in.count("entra", "Token") == 1


async def test_loop_goes_on_while_a_token_is_asked_for(signing_in, callback):
    rule = signing_in.azure.faults.add(FaultRule(service="entra", operation="Token", hold=True))
    ask = AsyncTokenCallback(callback)
    waiting = [asyncio.create_task(ask()) for _ in range(3)]
    await asyncio.to_thread(eventually, lambda: signing_in.azure.faults.hits(rule.id))
    assert not any(task.done() for task in waiting)
    waiting[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    signing_in.azure.faults.remove(rule.id)
    first, second = await asyncio.gather(*waiting[1:])
    assert first is second
    assert signing_in.count("entra", "Token") == 1


async def test_failure_reaches_every_coroutine_and_the_next_asks_anew():
    asked = []

    def request(claims: str | None, rejected: str | None) -> AccessToken:
        asked.append(claims)
        raise Unreachable("Nobody answered.", step="token")

    ask = AsyncTokenCallback(TokenCallback(request))
    answers = await asyncio.gather(*(ask() for _ in range(20)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {Unreachable}
    assert len(asked) == 1
    with pytest.raises(Unreachable):
        await ask()
    assert len(asked) == 2


def test_nothing_of_it_is_pickled_or_shows_its_token(callback):
    callback()
    url = "https://acct.westeurope.batch.azure.com"
    for thing in (
        CallbackCredential(callback),
        AsyncCallbackCredential(callback),
        AsyncTokenCallback(callback),
        TokenPolicy(callback, url),
        AsyncTokenPolicy(callback, url),
    ):
        assert callback().token not in f"{thing!r} {vars(thing)!r}"
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(thing)
