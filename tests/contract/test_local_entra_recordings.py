"""Local Entra ID held against what the real one answered."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests

from airflow_provider_batchad.local.config import ApplicationConfig, LocalAzureConfig, TenantConfig
from airflow_provider_batchad.local.server import LocalAzure

RECORDED: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("recordings").joinpath("entra.json").read_text()
)
ERRORS = {
    entry["body"]["error_codes"][0]: entry for entry in RECORDED if "error_codes" in entry.get("body", {})
}
DEFAULTS = LocalAzureConfig(port=0)
OTHERS = LocalAzureConfig(
    port=0,
    tenant=TenantConfig(id="0f7a3c52-9f4e-4a55-8a3e-2b8f6d1c9e70", domain="fabrikam.com", display_name="F"),
    applications=(ApplicationConfig(name="nightly", client_id="c0ffee00-5b7e-4a5a-9a51-7f1d8e3b2a64"),),
    assignments=(),
)
UNKNOWN = "99999999-0000-4000-8000-000000000000"


@pytest.fixture(params=[DEFAULTS, OTHERS], ids=["default ids", "other ids"])
def local_azure_config(request: pytest.FixtureRequest) -> LocalAzureConfig:
    config: LocalAzureConfig = request.param
    return config


class Asker:
    """Makes the request that each recorded error answers."""

    def __init__(self, azure: LocalAzure, session: requests.Session) -> None:
        self._azure = azure
        self._session = session

    def token(self, tenant: str | None = None, **form: str) -> requests.Response:
        whole = {
            "grant_type": "client_credentials",
            "client_id": self._client_id,
            "scope": "https://batch.core.windows.net//.default",
            **({} if "client_assertion" in form else {"client_secret": self._secret}),
            **form,
        }
        tenant = tenant or self._azure.config.tenant.id
        return self._session.post(f"{self._azure.endpoints.entra}/{tenant}/oauth2/v2.0/token", data=whole)

    def expired_secret(self) -> requests.Response:
        self._azure.directory.expire_secret(self._client_id)
        return self.token()

    def unknown_tenant_discovery(self) -> requests.Response:
        return self._session.get(
            f"{self._azure.endpoints.entra}/{UNKNOWN}/v2.0/.well-known/openid-configuration"
        )

    @staticmethod
    def assertion(**headers: str) -> str:
        return jwt.encode({"sub": "somebody"}, "k" * 32, algorithm="HS256", headers=headers)

    def late_assertion(self) -> requests.Response:
        issuer = self._azure.workload_issuer
        self._azure.directory.add_federated_credential(self._client_id, issuer=issuer.url, subject="worker")
        assertion = issuer.issue("worker", lifetime_seconds=60)
        self._azure.clock.advance(3600)
        return self.token(client_assertion=assertion)

    @property
    def _client_id(self) -> str:
        return self._azure.config.applications[0].client_id

    @property
    def _secret(self) -> str:
        return self._azure.directory.applications()[0].secrets[0].value


REQUESTS: dict[int, list[Callable[[Asker], requests.Response]]] = {
    7000215: [lambda ask: ask.token(client_secret="wrong")],
    7000222: [lambda ask: ask.expired_secret()],
    700016: [lambda ask: ask.token(client_id=UNKNOWN)],
    90002: [lambda ask: ask.token(tenant=UNKNOWN), lambda ask: ask.unknown_tenant_discovery()],
    700027: [lambda ask: ask.token(client_assertion=ask.assertion(x5t="3q2-7w"))],
    700213: [lambda ask: ask.token(client_assertion=ask.assertion())],
    700024: [lambda ask: ask.late_assertion()],
    500011: [lambda ask: ask.token(scope="https://elsewhere.example/.default")],
    1002012: [lambda ask: ask.token(scope="https://batch.core.windows.net/user_impersonation")],
}


def pattern_of(recorded: str) -> str:
    """The recorded text, what stands in braces or is left out being anything."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", "{timestamp}", recorded)
    return re.sub(r"\\\{\w+\\\}|\\\.\\\.\\\.", ".+", re.escape(text))


def test_every_recorded_error_is_asked_for() -> None:
    assert set(REQUESTS) == set(ERRORS)


@pytest.mark.parametrize("number", sorted(REQUESTS))
def test_error_is_as_recorded(local_azure: LocalAzure, session: requests.Session, number: int) -> None:
    recorded = ERRORS[number]
    for request in REQUESTS[number]:
        answer = request(Asker(local_azure, session))
        body = answer.json()
        assert answer.status_code == recorded["status"]
        assert set(body) == set(recorded["body"])
        assert (body["error"], body["error_codes"]) == (recorded["body"]["error"], [number])
        assert re.fullmatch(pattern_of(recorded["body"]["error_description"]), body["error_description"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", body["timestamp"])
        assert body["error_uri"].endswith(f"/error?code={number}")


def test_discovery_document_is_as_recorded(local_azure: LocalAzure, session: requests.Session) -> None:
    recorded = next(entry for entry in RECORDED if "GET" in entry)
    tenant = local_azure.config.tenant.id
    path = recorded["GET"].replace("{tenant}", tenant)
    answer = session.get(local_azure.endpoints.entra + path)
    assert answer.status_code == recorded["status"]
    assert {name.lower() for name in recorded["headers"]} <= {name.lower() for name in answer.headers}
    for name in ("Cache-Control", "Content-Type", "P3P"):
        assert answer.headers[name] == recorded["headers"][name]
    text = json.dumps(recorded["body"]).replace(
        "https://login.microsoftonline.com", local_azure.endpoints.entra
    )
    assert answer.json() == json.loads(text.replace("{t}", tenant))


def test_token_answer_is_as_recorded(local_azure: LocalAzure, session: requests.Session) -> None:
    recorded = next(entry for entry in RECORDED if "POST" in entry)
    answer = Asker(local_azure, session).token()
    assert answer.status_code == recorded["status"]
    assert {name.lower() for name in recorded["headers"]} <= {name.lower() for name in answer.headers}
    assert answer.headers["x-ms-clitelem"] == recorded["headers"]["x-ms-clitelem"]
    assert answer.headers["Cache-Control"] == recorded["headers"]["Cache-Control"]
    assert {name: type(value) for name, value in answer.json().items()} == {
        name: type(value) for name, value in recorded["body"].items()
    }
