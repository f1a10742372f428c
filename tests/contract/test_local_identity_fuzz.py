"""Whatever is asked of Entra ID, managed identity and Key Vault, the answer is theirs: never a 5xx."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_batchad.local.config import AssignmentConfig, LocalAzureConfig
from airflow_provider_batchad.local.server import LocalAzure

CONFIG = LocalAzureConfig(
    port=0,
    assignments=(
        AssignmentConfig(principal="airflow-worker", role="Key Vault Secrets Officer", resource="keyvault"),
    ),
)
CLIENT_ID = CONFIG.applications[0].client_id
FUZZ = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)


@pytest.fixture(scope="module")
def azure() -> Iterator[LocalAzure]:
    with LocalAzure(CONFIG) as running:
        yield running


@pytest.fixture(scope="module")
def client(azure: LocalAzure) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(azure.ca_file)
        yield session


words = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n\x00"), max_size=40)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
claims = st.dictionaries(st.sampled_from(["iss", "sub", "aud", "exp", "nbf", "jti"]), values)
headers = st.fixed_dictionaries(
    {"alg": st.sampled_from(["RS256", "PS256", "none", "ES256", "HS256"])},
    optional=dict.fromkeys(("x5t", "x5t#S256", "x5c", "kid", "typ", "crit", "b64"), values),
)


def encode(part: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


assertions = st.one_of(
    words, st.builds(lambda head, body: f"{encode(head)}.{encode(body)}.c2lnbmF0dXJl", headers, claims)
)
forms = st.fixed_dictionaries(
    {
        "grant_type": st.one_of(
            st.sampled_from(["client_credentials", "authorization_code", "refresh_token", "device_code"]),
            words,
        ),
        "client_id": st.one_of(st.just(CLIENT_ID), words),
    },
    optional={
        "client_secret": words,
        "client_assertion": assertions,
        "scope": words | st.just("https://batch.core.windows.net//.default"),
        "resource": words,
        "code": words,
        "device_code": words,
        "refresh_token": words,
        "claims": words | values.map(json.dumps),
    },
)


@FUZZ
@given(
    tenant=st.sampled_from([CONFIG.tenant.id, "common", "consumers", "nowhere"]),
    path=st.sampled_from(
        ["oauth2/v2.0/token", "oauth2/token", "oauth2/v2.0/devicecode", "oauth2/devicecode"]
    ),
    form=forms,
)
def test_token_requests_are_answered_in_entra_ids_words(
    azure: LocalAzure, client: requests.Session, tenant: str, path: str, form: dict[str, str]
) -> None:
    answer = client.post(f"{azure.endpoints.entra}/{tenant}/{path}", data=form)
    assert answer.status_code < 500
    if answer.status_code >= 400:
        assert answer.json()["error_description"].startswith(f"AADSTS{answer.json()['error_codes'][0]}: ")


@FUZZ
@given(assertion=assertions)
def test_assertions_are_answered_in_entra_ids_words(
    azure: LocalAzure, client: requests.Session, assertion: str
) -> None:
    added = azure.directory.applications()[0]
    if not added.trusted_subjects:
        pair = azure.vault.add_certificate("fuzz")
        azure.directory.add_certificate(CLIENT_ID, pair.certificate_pem)
        azure.directory.trust_subject(CLIENT_ID, "fuzz", pair.certificate_pem)
        azure.directory.add_federated_credential(CLIENT_ID, issuer="i", subject="s")
    form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_assertion": assertion}
    answer = client.post(f"{azure.endpoints.entra}/{CONFIG.tenant.id}/oauth2/v2.0/token", data=form)
    assert answer.status_code in (400, 401)
    assert answer.json()["error_codes"]


@FUZZ
@given(
    path=st.sampled_from(["common/oauth2/v2.0/authorize", "common/oauth2/authorize", "devicelogin"]),
    query=st.dictionaries(
        st.sampled_from(
            ["client_id", "redirect_uri", "response_type", "scope", "state", "user_code", "prompt"]
        ),
        words | st.sampled_from([CLIENT_ID, "http://localhost:1", "code", "openid"]),
    ),
)
def test_pages_are_shown_whatever_is_asked(
    azure: LocalAzure, client: requests.Session, path: str, query: dict[str, str]
) -> None:
    answer = client.get(f"{azure.endpoints.entra}/{path}", params=query, allow_redirects=False)
    assert answer.status_code < 500
    assert answer.status_code == 302 or answer.headers["Content-Type"].startswith("text/html")


names = st.sampled_from(["batch-client-secret", "batch-client-secret/", "none", "a%2Fb", "x y", "%00"])


@FUZZ
@given(
    method=st.sampled_from(["GET", "PUT", "PATCH", "DELETE", "POST"]),
    collection=st.sampled_from(["secrets", "deletedsecrets", "keys", "certificates", ""]),
    name=names,
    tail=st.sampled_from(["", "/versions", "/recover", "/backup", "/0123"]),
    query=st.dictionaries(st.sampled_from(["maxresults", "$skiptoken", "outContentType"]), words, max_size=2),
    body=st.one_of(
        words,
        st.fixed_dictionaries(
            {},
            optional={
                "value": values,
                "attributes": values
                | st.fixed_dictionaries({}, optional=dict.fromkeys(("exp", "nbf", "enabled"), values)),
                "contentType": values,
                "tags": values,
            },
        ).map(json.dumps),
    ),
)
def test_vault_answers_in_its_own_words(
    azure: LocalAzure,
    client: requests.Session,
    method: str,
    collection: str,
    name: str,
    tail: str,
    query: dict[str, str],
    body: str,
) -> None:
    token, _ = azure.tokens.issue(
        azure.directory.principal("airflow-worker"), audience="https://vault.azure.net", lifetime_seconds=600
    )
    answer = client.request(
        method,
        f"{azure.endpoints.keyvault}/{collection}/{name}{tail}",
        params={"api-version": "7.4", **query},
        data=body.encode("utf-8", "surrogatepass"),
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.status_code < 500
    if answer.status_code >= 400:
        assert answer.json()["error"]["code"]


@FUZZ
@given(
    path=st.sampled_from(["msi/token", "metadata/identity/oauth2/token"]),
    query=st.dictionaries(
        st.sampled_from(["api-version", "resource", "client_id", "object_id", "mi_res_id", "msi_res_id"]),
        words | st.just("2018-02-01"),
    ),
)
def test_machine_identity_answers_whatever_is_asked(
    azure: LocalAzure, client: requests.Session, path: str, query: dict[str, str]
) -> None:
    sent = {"Metadata": "true", "X-IDENTITY-HEADER": azure.identity_header}
    answer = client.get(f"{azure.endpoints.identity}/{path}", params=query, headers=sent)
    assert answer.status_code < 500
