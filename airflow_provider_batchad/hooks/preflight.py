"""Finds out what a connection's principal holds: by Resource Manager, or by asking Batch without effect."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Final

from airflow_provider_batchad.access.preflight import (
    PROBES,
    Finding,
    Preflight,
    Probe,
    judge_elements,
    judge_probes,
)
from airflow_provider_batchad.errors import AccountRefusedToken, BatchServiceError, SignInError, Unreachable
from airflow_provider_batchad.jobs.rest import JSON_CONTENT_TYPE, BatchRequest

if TYPE_CHECKING:
    from airflow_provider_batchad.access.actions import Need
    from airflow_provider_batchad.hooks.batch import AzureBatchAdHook

NO_ACCOUNT_ID = (
    "The connection has no Batch account resource ID ('account_resource_id'), so that Resource Manager "
    "cannot be asked."
)
# Answered with 403 whoever asks (Batch's documented error codes).
_NO_MATTER_OF_ROLES: Final = frozenset({"accountisdisabled", "ioerror", "forbidden"})


def run_preflight(conn_id: str, need: Need, optional: Need) -> Preflight:
    """Sign in as the connection says, and look.

    Nothing is created, changed or deleted, and no key is listed.

    :raises ConnectionFieldError: names the field that is wrong.
    :raises SignInError: no token for Batch could be had.
    :raises Unreachable: Batch did not answer.
    :raises AccountRefusedToken: the token is not one for this account.
    """
    from airflow_provider_batchad.hooks.batch import AzureBatchAdHook

    with AzureBatchAdHook(conn_id, actions=[probe.action for probe in PROBES]) as hook:
        by_manager = ask_resource_manager(hook)
        if by_manager is not None and not isinstance(by_manager, str):
            findings, elsewhere, notes = by_manager
            return Preflight(
                need=need, optional=optional, findings=findings, elsewhere=elsewhere, notes=notes
            )
        note = NO_ACCOUNT_ID if by_manager is None else by_manager
        return Preflight(
            need=need,
            optional=optional,
            findings=judge_probes({probe.action: _status_of(hook, probe) for probe in PROBES}),
            notes=(f"{note} Batch itself was asked for what is not there.",),
        )


def ask_resource_manager(
    hook: AzureBatchAdHook, *, retries: int = 2
) -> tuple[tuple[Finding, ...], tuple[str, ...], tuple[str, ...]] | str | None:
    """What Resource Manager says of the principal: findings, patterns that are not Batch's, and notes.

    :param retries: how often who does not answer is asked again.
    :return: a sentence where it does not say; ``None`` where the connection does not name the account.
    """
    from airflow_provider_batchad.hooks.masking import masker
    from airflow_provider_batchad.hooks.resolve import token_callback
    from airflow_provider_batchad.hooks.resource_manager import NotTold, ResourceManager

    connection = hook.connection
    account = connection.account_resource_id
    if account is None:
        return None
    callback = token_callback(
        connection, on_secret=masker(), retries=retries, share=False, scope=connection.cloud.management_scope
    )
    try:
        with ResourceManager(connection, callback, account, retries=retries) as manager:
            elements = manager.elements()
            if isinstance(elements, NotTold):
                return f"{elements.why}: the principal may not read what it holds."
            denials = manager.denials()
    except (SignInError, Unreachable) as error:
        return f"Resource Manager could not be asked: {error.message}"
    notes: tuple[str, ...] = ()
    if isinstance(denials, NotTold):
        notes = (
            f"Deny assignments could not be read ({denials.why}): one may take away what a role grants.",
        )
        denials = ()
    findings, elsewhere = judge_elements(elements, denials)
    return findings, elsewhere, notes


def _status_of(hook: AzureBatchAdHook, probe: Probe) -> int | None:
    absent = f"airflow-check-{uuid.uuid4().hex}"
    body = None if probe.body is None else json.dumps(probe.body).encode()
    request = BatchRequest(
        operation=probe.operation,
        method=probe.method,
        path=probe.path.replace("{}", absent),
        query=probe.query or {},
        headers={"Content-Type": JSON_CONTENT_TYPE} if body else {},
        body=body,
    )
    try:
        return hook.send(request).status
    except AccountRefusedToken:
        # The account wants another token: no answer tells of a role.
        raise
    except BatchServiceError as error:
        return None if (error.code or "").casefold() in _NO_MATTER_OF_ROLES else error.status
