"""A process that Airflow ends asks it once why, and waits for the answer for a while, not for ever."""

from __future__ import annotations

import signal
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_batchad.operators import kill_switch

WITHOUT_ANSWER = """
import threading
from types import SimpleNamespace
from airflow_provider_batchad.operators import kill_switch

kill_switch.ANSWER_SECONDS = 0.2
ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1)
ti.get_task_states = lambda **_: threading.Event().wait()
kill_switch.why_unwanted({"ti": ti})
"""


def test_a_process_whose_supervisor_never_answers_ends() -> None:
    ended = subprocess.run([sys.executable, "-c", WITHOUT_ANSWER], check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("state", "reason"),
    [("failed", "Airflow: the task was set to failed."), ("running", None), (None, None)],
)
def test_one_that_is_answered_lives(
    monkeypatch: pytest.MonkeyPatch, state: str | None, reason: str | None
) -> None:
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(kill_switch, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(kill_switch.os, "kill", lambda *given: killed.append(given))
    alarms: list[Any] = []
    make = kill_switch.threading.Timer
    monkeypatch.setattr(
        kill_switch.threading, "Timer", lambda *given: alarms.append(make(*given)) or alarms[-1]
    )
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=None)
    ti.get_task_states = lambda **_: {"r": {"t": state}} if state else {}
    context: Any = {"ti": ti}
    assert kill_switch.why_unwanted(context) == reason
    [alarm] = alarms
    alarm.join()
    assert not killed


def test_one_that_airflow_refuses_to_answer_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise RuntimeError("no")

    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, get_task_states=refuse)
    monkeypatch.setattr(kill_switch, "ANSWER_SECONDS", 0.05)
    context: Any = {"ti": ti}
    with pytest.raises(RuntimeError, match="no"):
        kill_switch.why_unwanted(context)
