"""What a run leaves behind: its clean-up, its log, and what it tells of the job."""

from __future__ import annotations

import pytest

from airflow_provider_batchad.errors import JobFailed
from tests.contract.batch_fixtures import eventually, shell
from tests.contract.operator_runs import context_of, operator_of
from tests.peer.peer_runs import Both, beside

pytestmark = pytest.mark.peer

SIGNATURE = "a-signature-that-opens-the-blob"
SAID = "said-before-the-end"


def gone(both: Both) -> None:
    """Whoever cleans up finds that somebody else did."""
    both.break_("Delete Job", status=404, code="JobNotFound")


def test_peer_clean_up_that_finds_nothing_fails_a_success(both: Both) -> None:
    gone(both)
    seen = both.peer.run(should_delete_job=True)
    assert "'status': 'success'" in seen.log
    assert (seen.error, "JobNotFound" in seen.sentence) == ("ResourceNotFoundError", True)


def test_our_clean_up_that_finds_nothing_leaves_a_success(both: Both) -> None:
    gone(both)
    operator = operator_of(cleanup="delete")
    assert operator.execute(context_of(operator))["succeeded"] == 1
    assert both.statuses("Delete Job") == [404]


def test_peer_takes_a_deletion_that_it_could_not_follow_for_done(both: Both) -> None:
    both.break_("Delete Job", status=202)
    both.break_("Get Job", status=403)
    seen = both.peer.run(should_delete_job=True)
    both.azure.faults.clear()
    assert 403 in both.statuses("Get Job")
    assert seen.error is None
    assert both.state_of() == "active"


def test_our_deletion_that_is_refused_is_told_and_one_that_is_taken_is_only_called_asked_for(
    both: Both, capsys: pytest.CaptureFixture[str]
) -> None:
    both.break_("Delete Job", status=403, times=1)
    for number, run_id in enumerate(("refused", "taken")):
        operator = operator_of(cleanup="delete")
        context = context_of(operator)
        context["ti"].run_id = run_id
        assert operator.execute(context)["succeeded"] == 1
        logged = capsys.readouterr().out
        assert [("was not deleted" in logged), ("Asked for the deletion of" in logged)] == [
            number == 0,
            number == 1,
        ]


def test_peer_log_of_each_poll_holds_the_signatures_of_the_tasks_files(both: Both) -> None:
    absent = f"{both.azure.endpoints.storage}/absent?sig={SIGNATURE}"
    files = [{"http_url": absent, "file_path": "x"}]
    both.peer_job("empty")
    seen = both.peer.run(batch_task_resource_files=files, timeout=0.01)
    assert seen.error == "RuntimeError"
    assert "still running" in seen.log
    assert SIGNATURE in seen.log


def test_our_log_holds_no_signature(both: Both, capsys: pytest.CaptureFixture[str]) -> None:
    absent = f"{both.azure.endpoints.storage}/absent?sig={SIGNATURE}"
    task = {"command_line": "true", "resource_files": [{"http_url": absent, "file_path": "x"}]}
    operator = operator_of(command_line=None, tasks=[task])
    with pytest.raises(JobFailed) as failed:
        operator.execute(context_of(operator))
    logged = capsys.readouterr().out
    assert "absent?sig=***" in logged
    assert SIGNATURE not in f"{logged} {failed.value}"


FAILING = shell(f"echo {SAID} >&2; exit 37")


def test_peer_failure_has_no_exit_code_no_output_and_no_link(both: Both) -> None:
    seen = both.peer.run(batch_task_command_line=FAILING)
    assert seen.error == "RuntimeError"
    told = f"{seen.sentence} {seen.log}".lower()
    assert [word for word in ("exit code", "exit_code", "exitcode", SAID) if word in told] == []
    assert both.peer.run("connection").answer["links"] == []
    assert both.peer.run(batch_job_id="good").answer["returned"] is None


def test_our_failure_has_exit_code_and_output_and_our_success_a_summary(
    both: Both, capsys: pytest.CaptureFixture[str]
) -> None:
    operator = operator_of(command_line=FAILING)
    context = context_of(operator)
    with pytest.raises(JobFailed, match="37"):
        operator.execute(context)
    assert SAID in capsys.readouterr().out
    pushed = context["ti"].xcom_push.__self__
    assert pushed["batch_job_id"] == both.only_job()
    assert pushed["batch_job_url"]
    assert [type(link).__name__ for link in operator.operator_extra_links] == ["AzureBatchJobLink"]
    good = operator_of()
    assert good.execute(context_of(good, number=2))["exit_codes"] == {"0": 1}


def waiting_lines(log: str) -> list[str]:
    return [line for line in log.splitlines() if "Waiting for n" in line]


def test_peer_log_has_a_line_for_each_task_at_each_look(both: Both) -> None:
    both.peer_job("empty")
    for number in range(20):
        both.neighbour("peer", f"n{number}", "/bin/sleep 600")
    process = both.peer.start(deferrable=False)
    eventually(lambda: len(waiting_lines(process.log)) == 40, seconds=120)
    assert len(both.entries("List Tasks")) == 2
    process.end()


def test_our_log_has_a_line_for_each_change(both: Both, capsys: pytest.CaptureFixture[str]) -> None:
    wait = both.folder / "go on"
    command = shell(f"until test -e '{wait}'; do sleep 0.1; done")
    tasks = [{"id": f"n{number}", "command_line": command} for number in range(20)]
    operator = operator_of(command_line=None, tasks=tasks, poll_interval=0.05)
    with beside(operator.execute, context_of(operator)) as running:
        both.until("Get Job", 30)
        wait.touch()
        assert running.result(60)["succeeded"] == 20
    logged = capsys.readouterr().out
    about = [line for line in logged.splitlines() if "Batch job" in line]
    assert 0 < len(about) < 20
