from __future__ import annotations

import asyncio

import pytest
from airflow.providers.common.compat.sdk import redact

from airflow_provider_batchad.errors import Unreachable
from airflow_provider_batchad.hooks import masking
from airflow_provider_batchad.hooks.masking import masker, masker_on_loop


def test_a_value_is_masked_when_the_call_returns() -> None:
    masker()("canary-4c1d-sync")
    assert redact("see canary-4c1d-sync") == "see ***"


async def test_a_thread_beside_a_loop_registers_through_the_loop() -> None:
    loop = asyncio.get_running_loop()
    seen = []

    def read_a_secret() -> None:
        masker_on_loop(loop)("canary-9e27-loop")
        seen.append(redact("see canary-9e27-loop"))

    await asyncio.to_thread(read_a_secret)
    assert seen == ["see ***"]


def test_a_loop_that_is_busy_is_no_refusal_and_the_secret_is_not_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(masking, "_SECONDS_TO_TELL", 0.0)
    loop = asyncio.new_event_loop()
    try:
        with pytest.raises(Unreachable, match="the event loop is busy") as caught:
            masker_on_loop(loop)("canary-77aa-stuck")
        # The word that nobody waits for any more is taken back.
        loop.run_until_complete(asyncio.sleep(0))
    finally:
        loop.close()
    assert "canary" not in str(caught.value)
    assert caught.value.retryable
