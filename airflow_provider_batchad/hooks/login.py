"""A person's login for an Airflow connection, as the command line runs it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_batchad.errors import BatchAdError

if TYPE_CHECKING:
    from collections.abc import Callable


class LoginFailed(Exception):
    """Nobody has signed in; the text says why and what to do."""


def log_in(conn_id: str, *, by_device_code: bool, show: Callable[[str], None]) -> str:
    """Let a person sign in, and keep the refresh token for the hooks of this machine's present user.

    :param by_device_code: show a code for any machine's browser in place of opening one here.
    :param show: called with each line that the person must read.
    :return: who has signed in.
    :raises LoginFailed: nobody has.
    """
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    from airflow_provider_batchad.hooks.batch import AzureBatchAdHook
    from airflow_provider_batchad.hooks.masking import masker
    from airflow_provider_batchad.hooks.resolve import quieten_sdks
    from airflow_provider_batchad.hooks.surroundings import find_surroundings
    from airflow_provider_batchad.identity.sign_in import BatchSignIn

    quieten_sdks()
    try:
        sign_in = BatchSignIn(
            AzureBatchAdHook(conn_id).connection,
            on_secret=masker(),
            retries=3,
            clock=time.time,
            surroundings=replace(find_surroundings(), unattended=None),
        )
        return sign_in.log_in(by_device_code=by_device_code, show=show)
    except AirflowNotFoundException:
        raise LoginFailed(f"Airflow has no connection {conn_id!r}.") from None
    except (BatchAdError, ValueError) as error:
        raise LoginFailed(str(error)) from None
