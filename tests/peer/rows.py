"""The differences from Airflow's own operator that are shown: each with a test of it and a test of ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One situation.

    :param peer: what Airflow's own operator does in it, which ``peer_test`` asserts.
    :param ours: what this provider does, which ``our_test`` asserts.
    """

    number: str
    what: str
    peer: str
    peer_test: str
    ours: str
    our_test: str


def _row(number: str, what: str, peer: tuple[str, str], ours: tuple[str, str]) -> Row:
    return Row(
        number=number,
        what=what,
        peer=peer[0],
        peer_test=f"test_peer_{peer[1]}",
        ours=ours[0],
        our_test=f"test_our_{ours[1]}",
    )


ROWS: Final = (
    _row(
        "B1",
        "A person ends the task while a worker waits",
        ("ValueError; the job goes on", "kill_on_a_worker_raises_and_ends_nothing"),
        ("the job is ended, with the reason", "kill_on_a_worker_ends_the_job_with_a_reason"),
    ),
    _row(
        "B2",
        "A person ends the task while it is deferred",
        ("the job goes on", "end_by_a_person_while_it_is_deferred_ends_nothing"),
        ("the job is ended, with the reason", "end_by_a_person_while_it_is_deferred_ends_the_job"),
    ),
    _row(
        "B3",
        "The time is over while the task is deferred",
        (
            "the job goes on, without a limit of its own",
            "timeout_while_it_is_deferred_leaves_the_job_running",
        ),
        ("the job is ended; it had a limit of its own too", "timeout_while_it_is_deferred_ends_the_job"),
    ),
    _row(
        "B4",
        "The time is over while a worker waits",
        (
            "neither ended nor deleted, though deletion was asked for",
            "timeout_on_a_worker_neither_ends_nor_cleans_up",
        ),
        ("the job is ended", "timeout_on_a_worker_ends_the_job"),
    ),
    _row(
        "B5",
        "Airflow retries after a Batch task failed",
        ("the old failure again; nothing runs", "retry_of_a_failed_task_runs_nothing"),
        ("runs again", "retry_of_a_failed_task_runs_it_again"),
    ),
    _row(
        "B6",
        "The job is ended before its task is added",
        ("success; nothing ran", "job_that_is_ended_before_its_task_is_added_is_a_success"),
        ("failure", "job_that_is_ended_before_its_task_is_added_is_a_failure"),
    ),
    _row(
        "B7",
        "Somebody deletes the only task",
        (
            "success on a worker, failure when deferred",
            "job_whose_task_somebody_deletes_succeeds_or_fails_by_where_it_waits",
        ),
        ("failure on both", "job_whose_task_somebody_deletes_is_a_failure_that_names_it"),
    ),
    _row(
        "B8",
        "The account's quota of jobs is reached",
        ("'already exists', then JobNotFound", "full_quota_is_taken_for_a_job_that_exists"),
        (
            "waits, and runs once when there is room",
            "full_quota_is_waited_for_and_the_task_runs_once",
        ),
    ),
    _row(
        "B9",
        "The role allows jobs alone",
        ("403: wants to create the pool", "role_that_may_submit_jobs_is_not_enough"),
        ("runs", "role_that_may_submit_jobs_is_enough"),
    ),
    _row(
        "B10",
        "A neighbour's task runs in the pool",
        ("submits nothing until every node is idle", "on_a_busy_pool_submits_nothing"),
        ("runs in the free slot", "job_on_a_busy_pool_runs_beside_the_neighbours"),
    ),
    _row(
        "B11",
        "The start task failed on every node",
        ("waits for a task that cannot run", "takes_a_pool_without_a_usable_node_for_ready"),
        ("says why while it waits", "pool_without_a_usable_node_is_said_with_the_start_tasks_exit_code"),
    ),
    _row(
        "B12",
        "Deferrable, and the pool is busy",
        ("holds its worker without limit", "holds_a_worker_for_a_pool_beyond_its_timeout_though_deferrable"),
        ("defers at once", "task_defers_whatever_the_pool_does"),
    ),
    _row(
        "B13",
        "A neighbour's task in the same job fails",
        ("failure", "fails_for_a_neighbours_task_in_its_job"),
        ("success", "verdict_is_of_our_tasks_alone"),
    ),
    _row(
        "B14",
        "What one look at a job of 200 tasks brings",
        ("all tasks, whole", "asks_for_every_task_whole_at_each_poll"),
        ("the job's state", "poll_asks_for_the_state_of_the_job"),
    ),
    _row(
        "B15",
        "5 tasks wait in one triggerer",
        ("5 sign-ins", "signs_in_for_each_waiting_task"),
        ("1 sign-in", "waiting_tasks_share_one_sign_in"),
    ),
    _row(
        "B16",
        "40 tasks wait on a service that does not answer",
        ("no thread is left in the triggerer", "slow_service_leaves_the_triggerer_no_thread"),
        ("its threads are free", "slow_service_leaves_the_triggerer_its_threads"),
    ),
    _row(
        "B17",
        "Eight connections in a row are reset",
        ("failure, and the running job is deleted", "deletes_a_running_job_that_it_could_not_ask_for"),
        ("goes on waiting", "task_outwaits_a_service_that_cannot_be_asked"),
    ),
    _row(
        "B18",
        "The secret is replaced while the task waits",
        ("failure", "key_that_is_replaced_while_it_waits_fails_the_task"),
        ("reads the new one", "secret_that_is_replaced_while_it_waits_is_read_again"),
    ),
    _row(
        "B19",
        "A task's file has a signed URL",
        ("the signature is in the log", "log_of_each_poll_holds_the_signatures_of_the_tasks_files"),
        ("it is not", "log_holds_no_signature"),
    ),
    _row(
        "B20",
        "The clean-up finds that the job is gone",
        ("a success becomes a failure", "clean_up_that_finds_nothing_fails_a_success"),
        ("stays a success", "clean_up_that_finds_nothing_leaves_a_success"),
    ),
    _row(
        "B21",
        "A deletion cannot be followed to its end",
        ("taken for done; the job is there", "takes_a_deletion_that_it_could_not_follow_for_done"),
        (
            "says what it asked for, and what was refused",
            "deletion_that_is_refused_is_told_and_one_that_is_taken_is_only_called_asked_for",
        ),
    ),
    _row(
        "B22",
        "Clean-up of what takes minutes to go",
        ("holds the worker until the pool is gone", "waits_on_the_worker_until_its_pool_is_gone"),
        ("asks once; deletes no pools", "clean_up_asks_once_and_waits_for_nothing"),
    ),
    _row(
        "B23",
        "A service principal's id and secret",
        (
            "taken for an account's key; no fields for them",
            "takes_an_applications_id_and_secret_for_an_account_key",
        ),
        ("a field for each; signs in", "form_has_a_field_for_each_and_signs_the_application_in"),
    ),
    _row(
        "B24",
        "The client ID of one managed identity of two",
        ("ignored: signs in as the other", "ignores_which_managed_identity_is_meant"),
        ("signs in as that one", "managed_identity_is_the_one_that_is_meant"),
    ),
    _row(
        "B25",
        "The image's publisher as it is documented",
        ("IndexError", "publisher_as_it_is_documented_finds_no_image"),
        ("taken (a pool for the job; no search for images)", "image_is_taken_as_azure_writes_it"),
    ),
    _row(
        "B26",
        "An existing pool; a pool of spot nodes alone",
        (
            "refused: wants a publisher, and dedicated nodes",
            "wants_an_image_and_dedicated_nodes_even_of_a_pool_that_is_there",
        ),
        ("both run", "job_names_a_pool_or_describes_one_of_spot_nodes_alone"),
    ),
    _row(
        "B27",
        "Three retries of the Batch task",
        ("not sent: ran once", "retries_of_a_batch_task_are_not_sent"),
        ("ran four times", "retries_of_a_batch_task_are_made"),
    ),
    _row(
        "B28",
        "Environment, dependencies, priority, as templates",
        ("no such arguments; six templated fields", "task_takes_no_environment_and_few_fields_are_templates"),
        ("taken and rendered", "task_takes_what_the_rest_api_takes_as_templates"),
    ),
    _row(
        "B29",
        "What a finished job tells",
        ("ids of failed tasks; nothing of a success", "failure_has_no_exit_code_no_output_and_no_link"),
        (
            "exit codes, stderr, link, XCom, summary",
            "failure_has_exit_code_and_output_and_our_success_a_summary",
        ),
    ),
    _row(
        "B30",
        "A job named for its run",
        ("400 from the service", "job_named_for_its_run_is_refused_by_the_service"),
        ("a name that the service takes", "job_of_any_run_has_a_name_that_the_service_takes"),
    ),
    _row(
        "B31",
        "Test of a connection that may only read",
        ("'Successfully connected'", "test_of_a_connection_that_may_only_read_says_that_it_works"),
        ("names the missing action", "test_of_a_connection_that_may_only_read_names_the_missing_action"),
    ),
    _row(
        "B32",
        "Key Vault refuses the worker",
        ("'The conn_id isn't defined'", "connection_that_key_vault_refuses_is_said_not_to_be_there"),
        ("'Key Vault refused'", "secret_that_key_vault_refuses_is_said_to_be_refused_by_it"),
    ),
    _row(
        "B33",
        "The log while 20 tasks run",
        ("20 lines at each look", "log_has_a_line_for_each_task_at_each_look"),
        ("a line for each change", "log_has_a_line_for_each_change"),
    ),
)
