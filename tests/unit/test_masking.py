from __future__ import annotations

import asyncio

from airflow.providers.common.compat.sdk import redact

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
