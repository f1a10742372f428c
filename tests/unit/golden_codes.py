"""Every code that this package explains, as an author would read it: one stable text for each table.

``python -m tests.unit.golden_codes`` writes the files of ``tests/unit/golden`` anew; read the difference.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from azure.core.exceptions import HttpResponseError

from airflow_provider_batchad.errors import BatchAdError
from airflow_provider_batchad.hooks.answers import translate
from airflow_provider_batchad.identity.entra_error_table import MEANINGS as ENTRA_MEANINGS
from airflow_provider_batchad.identity.entra_errors import _TRY_AGAIN, explain_entra_error
from airflow_provider_batchad.identity.principal import ClientSecret
from airflow_provider_batchad.identity.unreachable import AnswerWatch
from airflow_provider_batchad.identity.vault_errors import _FORBIDDEN, explain_vault_error
from airflow_provider_batchad.jobs import requests
from airflow_provider_batchad.jobs.failure_codes import MEANINGS as TASK_MEANINGS
from airflow_provider_batchad.jobs.failure_codes import Meaning, meaning_of
from airflow_provider_batchad.jobs.pool_codes import MEANINGS as POOL_MEANINGS
from airflow_provider_batchad.jobs.pool_codes import pool_meaning_of
from airflow_provider_batchad.jobs.service_codes import MEANINGS as SERVICE_MEANINGS
from airflow_provider_batchad.jobs.service_codes import service_meaning_of
from airflow_provider_batchad.local.batch.errors import FAULTS
from tests.unit.test_answers import ACCOUNT_URL, PRINCIPAL, answer, error_body

FOLDER: Final = Path(__file__).parent / "golden"
UNKNOWN: Final = "SomethingNew"
VAULT_URL: Final = "https://my.vault.azure.net"
# Codes that local Azure does not answer with.
_STATUSES: Final = {"InsufficientPermissions": 403, "JobPreparationTaskNotSpecified": 400, UNKNOWN: 400}
_TRACE: Final = (
    "Trace ID: 11111111-2222-3333-4444-555555555555 Correlation ID: 9 Timestamp: 2026-01-01 00:00:00Z"
)


def batch_codes() -> Iterator[str]:
    for code in (*sorted(SERVICE_MEANINGS), UNKNOWN):
        fault = FAULTS.get(code)
        status = _STATUSES.get(code) or (fault.status if fault else 409)
        body = error_body(code, fault.message if fault else "The service says so.")
        refused = HttpResponseError(response=answer(status, body, {"request-id": "66-39"}))
        error = translate(refused, requests.create_job({"id": "j"}), ACCOUNT_URL, PRINCIPAL)
        meaning = service_meaning_of(code)
        yield _shown(code, meaning.kind if meaning else "unknown", error)


def entra_codes() -> Iterator[str]:
    principal = ClientSecret(
        tenant_id="the-tenant",
        client_id="the-client",
        secret="none",
        tenant_field="extra.tenant_id",
        client_field="login",
        credential_field="extra.vault_credential_name",
    )
    for number in sorted({*ENTRA_MEANINGS, *_TRY_AGAIN, 123456}):
        said = f"AADSTS{number}: Entra ID's own words. {_TRACE}"
        error = explain_entra_error(number, said, principal)
        yield _shown(f"AADSTS{number}", _again(error), error)


def vault_codes() -> Iterator[str]:
    for code in (*sorted(_FORBIDDEN), "SecretNotFound", UNKNOWN):
        status = 404 if code == "SecretNotFound" else 403
        outer = "Forbidden" if code in _FORBIDDEN else code
        inner = {"innererror": {"code": code}} if code in _FORBIDDEN else {}
        body = {"error": {"code": outer, "message": "Key Vault's own words.", **inner}}
        refused = HttpResponseError(response=answer(status, json.dumps(body).encode()))
        watch = AnswerWatch()
        error = explain_vault_error(
            refused, vault_url=VAULT_URL, field="extra.vault_credential_name", sign_in=watch, vault=watch
        )
        yield _shown(code, _again(error), error)


def task_codes() -> Iterator[str]:
    return _meanings(TASK_MEANINGS, meaning_of)


def pool_codes() -> Iterator[str]:
    return _meanings(POOL_MEANINGS, pool_meaning_of)


def _meanings(known: dict[str, Meaning], find: Callable[[str], Meaning | None]) -> Iterator[str]:
    for code in (*sorted(known), UNKNOWN):
        meaning = find(code)
        text = (
            f"{meaning.blame}\n    {meaning.what} {meaning.advice}" if meaning else "unknown\n    shown raw"
        )
        yield f"{code}: {text}"


def _again(error: BatchAdError) -> str:
    return "try again" if error.retryable else "refused"


def _shown(code: str, kind: str, error: BatchAdError) -> str:
    return f"{code}: {kind}, {type(error).__name__}\n    {error}"


TABLES: Final[dict[str, Callable[[], Iterator[str]]]] = {
    "batch": batch_codes,
    "entra": entra_codes,
    "keyvault": vault_codes,
    "tasks": task_codes,
    "pools_and_nodes": pool_codes,
}


def text_of(table: str) -> str:
    """What the file of a table holds."""
    return "\n".join(TABLES[table]()) + "\n"


if __name__ == "__main__":
    for name in TABLES:
        (FOLDER / f"{name}.txt").write_text(text_of(name))
