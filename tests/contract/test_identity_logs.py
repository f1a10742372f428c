"""Microsoft's clients write nothing at INFO, and no secret at DEBUG, whatever level anybody gave them."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterable, Iterator

import pytest

from airflow_provider_batchad.errors import SignInError, Unreachable
from airflow_provider_batchad.hooks.batch import AzureBatchAdHook
from airflow_provider_batchad.hooks.resolve import quieten_sdks
from airflow_provider_batchad.local.faults import FaultRule
from airflow_provider_batchad.local.pytest_plugin import local_azure_environment
from airflow_provider_batchad.local.server import LocalAzure
from tests.contract.signing_in import SigningIn, running

__all__ = ["local_azure_environment"]

CANARY = "canary-3f6b0c1d-unparsable"
# What a user may name in Airflow's [logging] namespace_levels.
LOUD = (
    "azure",
    "azure.core.pipeline.policies.http_logging_policy",
    "azure.identity._internal.aad_client_base",
    "azure.identity._internal.decorators",
    "azure.keyvault",
    "msal",
    "msal.application",
    "msal.managed_identity",
    "msal.token_cache",
    "urllib3.connectionpool",
)


@pytest.fixture
def signing_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[SigningIn]:
    with running(monkeypatch) as signing_in:
        yield signing_in


def give_levels(names: Iterable[str], level: int) -> Iterator[None]:
    kept = {name: logging.getLogger(name).level for name in names}
    for name in kept:
        logging.getLogger(name).setLevel(level)
    yield
    for name, was in kept.items():
        logging.getLogger(name).setLevel(was)


@pytest.fixture
def loud() -> Iterator[None]:
    yield from give_levels(LOUD, logging.DEBUG)


@pytest.fixture
def untouched() -> Iterator[None]:
    """As Airflow finds them: the search for canaries gives them levels for the whole session."""
    known = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in ("azure", "msal")]
    yield from give_levels(known, logging.NOTSET)


def answers() -> Iterator[dict[str, object]]:
    """Answers that nobody can read, each with something secret in it."""
    for body in (f"<html>{CANARY}</html>", f'{{"access_token": "{CANARY}"', f'["{CANARY}"]'):
        yield {"status": 200, "body": body, "headers": {"Content-Type": "application/json"}}
    yield {"status": 200, "body": f'{{"access_token": "{CANARY}", "expires_in": "x"}}'}
    yield {"status": 503, "body": CANARY}


@pytest.mark.parametrize("service", ["entra", "keyvault", "identity"])
@pytest.mark.usefixtures("loud")
def test_no_log_repeats_an_answer_that_nobody_can_read(signing_in, service, caplog):
    quieten_sdks()
    with caplog.at_level(logging.DEBUG):
        for rule in answers():
            fault = signing_in.azure.faults.add(FaultRule(service=service, **rule))
            # What the managed identity's endpoint says in vain is taken for a refusal.
            with pytest.raises((Unreachable, SignInError)) as caught:
                signing_in.callback()()
            assert CANARY not in "".join(traceback.format_exception(caught.value))
            signing_in.azure.faults.remove(fault.id)
        assert signing_in.callback()()
    assert "urllib3" in {record.name.partition(".")[0] for record in caplog.records}
    told = caplog.text
    assert CANARY not in told
    assert [len(secret) for secret in signing_in.seen if secret in told] == []


@pytest.mark.usefixtures("untouched")
def test_sdks_are_quiet_at_info(local_azure_environment: LocalAzure, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO):
        passed, message = AzureBatchAdHook().test_connection()
    assert passed, message
    said = [record for record in caplog.records if record.name.partition(".")[0] in ("azure", "msal")]
    assert [f"{record.name} {record.levelname}" for record in said] == []
