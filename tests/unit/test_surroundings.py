"""What the Airflow configuration and the process say about signing in."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import CommsDecoder
from airflow.sdk.execution_time.supervisor import InProcessSupervisorComms

from airflow_provider_batchad.hooks.surroundings import find_surroundings


def supervised(monkeypatch: pytest.MonkeyPatch, kind: type) -> None:
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", kind.__new__(kind), raising=False)


def test_script_is_attended():
    assert find_surroundings().unattended is None


def test_task_of_a_worker_is_not(monkeypatch):
    supervised(monkeypatch, CommsDecoder)
    assert find_surroundings().unattended == "a process that Airflow runs by itself"


def test_triggerer_is_not(monkeypatch):
    from airflow.jobs.triggerer_job_runner import TriggerCommsDecoder

    supervised(monkeypatch, TriggerCommsDecoder)
    assert find_surroundings().unattended is not None


def test_what_a_task_starts_is_not_attended_either(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CTX_DAG_ID", "etl")
    assert find_surroundings().unattended == "a process that an Airflow task started"
    supervised(monkeypatch, InProcessSupervisorComms)
    assert find_surroundings().unattended is None


def test_dag_under_test_is_attended(monkeypatch):
    supervised(monkeypatch, InProcessSupervisorComms)
    assert find_surroundings().unattended is None


def test_configuration_may_allow_it(monkeypatch):
    supervised(monkeypatch, CommsDecoder)
    monkeypatch.setenv("AIRFLOW__BATCHAD__INTEGRATED_UNATTENDED", "True")
    assert find_surroundings().unattended is None


def test_directories_are_the_configurations(monkeypatch):
    assert (find_surroundings().federated_dir, find_surroundings().login_dir) == (None, None)
    monkeypatch.setenv("AIRFLOW__BATCHAD__FEDERATED_DIR", "/var/run/tokens")
    monkeypatch.setenv("AIRFLOW__BATCHAD__LOGIN_DIR", "~/logins")
    found = find_surroundings()
    assert (found.federated_dir, found.login_dir) == (Path("/var/run/tokens"), Path.home() / "logins")


@pytest.mark.parametrize("option", ["federated_dir", "login_dir"])
def test_directory_that_depends_on_where_a_process_started_is_refused(monkeypatch, option):
    monkeypatch.setenv(f"AIRFLOW__BATCHAD__{option.upper()}", "tokens")
    with pytest.raises(ValueError, match=rf"\[batchad\] {option}"):
        find_surroundings()
