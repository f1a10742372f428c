"""What *Test* answers: what the connection can do, or what failed at which step and how to mend it."""

from __future__ import annotations

import getpass
import platform
import uuid
from typing import TYPE_CHECKING

from airflow_provider_batchad.errors import BatchAdError, NotFound, SignInError, Unreachable
from airflow_provider_batchad.jobs import requests

if TYPE_CHECKING:
    from airflow_provider_batchad.hooks.batch import AzureBatchAdHook


def check_connection(hook: AzureBatchAdHook) -> tuple[bool, str]:
    """Sign in, read at most one job, and ask for the end of a job that does not exist.

    The last is answered with 404 where the principal may write jobs and with 403 where it may not; either
    way nothing is changed.
    """
    ran_as = f"Tested on {platform.node()} as {_user()}."
    try:
        with hook:
            hook.token_callback()
            hook.send(requests.list_jobs(select="id", page_size=1))
            _probe_writing(hook)
            signed_in = f"{hook.principal[0].upper()}{hook.principal[1:]} signed in"
            said = f"{signed_in} and may read and write jobs of {hook.connection.account_url}."
            return True, f"{said}{_warnings(hook)}{_keys(hook)} {ran_as}"
    except BatchAdError as error:
        return False, f"{_step(error)}: {error}{_warnings(hook)} {ran_as}"
    except Exception as error:  # noqa: BLE001 - Airflow's contract: a test answers, it does not raise
        return False, f"Unexpected: {type(error).__name__}: {error} {ran_as}"


def _probe_writing(hook: AzureBatchAdHook) -> None:
    absent = f"airflow-test-{uuid.uuid4().hex}"
    try:
        hook.send(requests.terminate_job(absent, reason="Airflow tests a connection"))
    except NotFound:
        return


def _warnings(hook: AzureBatchAdHook) -> str:
    """What has ended or ends soon, of what the sign-in read; also where the connection could not be made."""
    callback = vars(hook).get("token_callback")
    return "".join(f" Warning: {said}" for said in callback.principal.warnings) if callback else ""


def _keys(hook: AzureBatchAdHook) -> str:
    """A warning where Resource Manager says that the principal may list the account's keys."""
    from airflow_provider_batchad.access.actions import OPENS_EVERYTHING
    from airflow_provider_batchad.access.preflight import Held
    from airflow_provider_batchad.hooks.preflight import ask_resource_manager

    told = ask_resource_manager(hook, retries=0)
    if told is None or isinstance(told, str):
        return ""
    if not any(one.action is OPENS_EVERYTHING and one.held is Held.YES for one in told[0]):
        return ""
    return (
        " Warning: it may list the account's keys (listKeys/action), so that no role limits it; 'airflow "
        "batchad check' tells what else it holds beyond what the DAGs need."
    )


def _step(error: BatchAdError) -> str:
    match error:
        case SignInError(step="vault") | Unreachable(step="vault"):
            return "Key Vault"
        case SignInError() | Unreachable(step="token"):
            return "Sign-in at Microsoft Entra ID"
        case Unreachable():
            return "Azure Batch"
    return "Azure Batch" if hasattr(error, "status") else "Settings"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user need not have a name.
        return "an unnamed user"
