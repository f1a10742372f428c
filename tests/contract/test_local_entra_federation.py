"""Client credentials by a token of another issuer: workload identity."""

from __future__ import annotations

from typing import Any

import jwt
import msal
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientAssertionCredential, DefaultAzureCredential, WorkloadIdentityCredential
from azure.identity.aio import ClientAssertionCredential as AsyncClientAssertionCredential
from azure.identity.aio import WorkloadIdentityCredential as AsyncWorkloadIdentityCredential
from cryptography.hazmat.primitives.asymmetric import rsa

from airflow_provider_batchad.local.client_settings import client_environment
from airflow_provider_batchad.local.config import (
    ApplicationConfig,
    LocalAzureConfig,
    WorkloadIdentityConfig,
)
from airflow_provider_batchad.local.server import LocalAzure

BATCH_SCOPE = "https://batch.core.windows.net//.default"
CLIENT_ID = ApplicationConfig(name="airflow-batch").client_id
SUBJECT = "system:serviceaccount:airflow:airflow-worker"


@pytest.fixture
def local_azure_config() -> LocalAzureConfig:
    return LocalAzureConfig(port=0, workload_identity=WorkloadIdentityConfig(subject=SUBJECT))


@pytest.fixture
def pod(local_azure: LocalAzure, monkeypatch: pytest.MonkeyPatch) -> LocalAzure:
    """This process is in a pod with workload identity."""
    for name, value in client_environment(local_azure).items():
        if name.startswith("AZURE_"):
            monkeypatch.setenv(name, value)
    return local_azure


def options(azure: LocalAzure) -> dict[str, Any]:
    return {"authority": azure.endpoints.entra, "connection_verify": str(azure.ca_file)}


def present(session: requests.Session, azure: LocalAzure, assertion: str) -> requests.Response:
    form = {
        "grant_type": "client_credentials",
        "client_id": CLIENT_ID,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion,
        "scope": BATCH_SCOPE,
    }
    return session.post(f"{azure.endpoints.entra}/{azure.config.tenant.id}/oauth2/v2.0/token", data=form)


@pytest.mark.usefixtures("bundle_environment")
def test_workload_identity_finds_everything_in_the_environment(pod: LocalAzure) -> None:
    with WorkloadIdentityCredential(connection_verify=str(pod.ca_file)) as credential:
        token = credential.get_token(BATCH_SCOPE)
    claims = jwt.decode(token.token, options={"verify_signature": False})
    assert (claims["appid"], claims["appidacr"]) == (CLIENT_ID, "2")


@pytest.mark.usefixtures("bundle_environment")
async def test_async_workload_identity_does_too(pod: LocalAzure) -> None:
    async with AsyncWorkloadIdentityCredential(connection_verify=str(pod.ca_file)) as credential:
        assert (await credential.get_token(BATCH_SCOPE)).token


def test_default_chain_takes_the_workload_identity(pod: LocalAzure) -> None:
    with DefaultAzureCredential(connection_verify=str(pod.ca_file)) as credential:
        assert credential.get_token(BATCH_SCOPE).token
    assert pod.ledger.counts()["entra"] == {"Token": 1}


def test_client_assertion_is_asked_for_when_a_token_is(local_azure: LocalAzure) -> None:
    asked: list[int] = []

    def assertion() -> str:
        asked.append(1)
        return local_azure.workload_issuer.issue(SUBJECT)

    with ClientAssertionCredential(
        local_azure.config.tenant.id, CLIENT_ID, assertion, **options(local_azure)
    ) as credential:
        assert asked == []
        assert credential.get_token(BATCH_SCOPE).token
    assert asked == [1]


async def test_async_client_assertion_signs_in(local_azure: LocalAzure) -> None:
    async with AsyncClientAssertionCredential(
        local_azure.config.tenant.id,
        CLIENT_ID,
        lambda: local_azure.workload_issuer.issue(SUBJECT),
        **options(local_azure),
    ) as credential:
        assert (await credential.get_token(BATCH_SCOPE)).token


def test_msal_signs_in_with_an_assertion(local_azure: LocalAzure, session: requests.Session) -> None:
    application = msal.ConfidentialClientApplication(
        CLIENT_ID,
        client_credential={"client_assertion": lambda: local_azure.workload_issuer.issue(SUBJECT)},
        authority=f"{local_azure.endpoints.entra}/{local_azure.config.tenant.id}",
        instance_discovery=False,
        http_client=session,
    )
    assert "access_token" in application.acquire_token_for_client([BATCH_SCOPE])


def test_file_holds_the_token_alone_and_is_the_owners(local_azure: LocalAzure) -> None:
    path = local_azure.federated_token_file
    assert path is not None
    text = path.read_text()
    assert text == text.strip()
    assert path.stat().st_mode & 0o777 == 0o600
    claims = jwt.decode(text, options={"verify_signature": False})
    assert (claims["sub"], claims["aud"]) == (SUBJECT, ["api://AzureADTokenExchange"])


def _wait_for_renewal(azure: LocalAzure, former: str) -> str:
    # The renewal is the server thread's own; every control request passes through its event loop.
    path = azure.federated_token_file
    assert path is not None
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(azure.ca_file)
        for _ in range(500):
            if (now := path.read_text()) != former:
                return now
            session.get(f"{azure.endpoints.control}/health")
    raise AssertionError("the token was not renewed")


def test_token_is_renewed_when_four_fifths_of_its_time_have_passed(
    local_azure: LocalAzure, session: requests.Session
) -> None:
    path = local_azure.federated_token_file
    assert path is not None
    first = path.read_text()
    local_azure.clock.advance(0.7 * 3600)
    session.get(f"{local_azure.endpoints.control}/health")
    assert path.read_text() == first
    local_azure.clock.advance(0.11 * 3600)
    renewed = _wait_for_renewal(local_azure, first)
    local_azure.clock.advance(0.3 * 3600)
    assert present(session, local_azure, first).json()["error_codes"] == [700024]
    assert present(session, local_azure, renewed).status_code == 200


def test_content_with_an_end_of_line_is_refused(pod: LocalAzure) -> None:
    # azure-identity sends what is in the file as it is.
    path = pod.federated_token_file
    assert path is not None
    path.write_text(path.read_text() + "\n")
    with (
        WorkloadIdentityCredential(connection_verify=str(pod.ca_file)) as credential,
        pytest.raises(ClientAuthenticationError, match="AADSTS50027"),
    ):
        credential.get_token(BATCH_SCOPE)


class TestRefusals:
    @pytest.fixture
    def foreign(self, local_azure: LocalAzure) -> Any:
        """An issuer that is not the machine's, with one federated credential."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        jwk = {
            **jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True),
            "kid": "k1",
            "use": "sig",
        }
        local_azure.directory.add_federated_credential(
            CLIENT_ID, issuer="https://issuer.example", subject="repo:contoso/jobs:ref:refs/heads/main"
        )

        def make(*, kid: str = "k1", signed_by: Any = key, **changed: Any) -> str:
            now = int(local_azure.clock.time())
            claims = {
                "iss": "https://issuer.example",
                "sub": "repo:contoso/jobs:ref:refs/heads/main",
                "aud": "api://AzureADTokenExchange",
                "exp": now + 600,
                **changed,
            }
            return jwt.encode(claims, signed_by, algorithm="RS256", headers={"kid": kid})

        local_azure.issuers.publish("https://issuer.example", {"keys": [jwk]})
        return make

    @pytest.mark.parametrize(
        ("changed", "number"),
        [
            ({"iss": "https://issuer.example/"}, 700211),
            ({"sub": "repo:contoso/other:ref:refs/heads/main"}, 700213),
            ({"sub": "repo:Contoso/jobs:ref:refs/heads/main"}, 7002138),
            ({"aud": "api://another"}, 700212),
            ({"exp": 1}, 700024),
            ({"exp": "soon"}, 50027),
            ({"kid": "k2"}, 7000272),
        ],
    )
    def test_token_is_refused_by_its_number(
        self,
        local_azure: LocalAzure,
        session: requests.Session,
        foreign: Any,
        changed: dict[str, Any],
        number: int,
    ) -> None:
        assert present(session, local_azure, foreign()).status_code == 200
        answer = present(session, local_azure, foreign(**changed))
        assert answer.json()["error_codes"] == [number]

    def test_key_that_only_pretends_is_refused(
        self, local_azure: LocalAzure, session: requests.Session, foreign: Any
    ) -> None:
        other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        answer = present(session, local_azure, foreign(signed_by=other))
        assert (answer.status_code, answer.json()["error_codes"]) == (401, [50013])

    def test_issuer_whose_metadata_cannot_be_read_is_refused(
        self, local_azure: LocalAzure, session: requests.Session, foreign: Any
    ) -> None:
        local_azure.directory.add_federated_credential(
            CLIENT_ID, issuer="https://unpublished.example", subject="somebody"
        )
        answer = present(session, local_azure, foreign(iss="https://unpublished.example", sub="somebody"))
        assert answer.json()["error_codes"] == [50166]

    def test_credential_that_was_removed_is_no_proof(
        self, local_azure: LocalAzure, session: requests.Session
    ) -> None:
        assertion = local_azure.workload_issuer.issue(SUBJECT)
        assert present(session, local_azure, assertion).status_code == 200
        assert local_azure.directory.remove_federated_credential(CLIENT_ID, "workload-identity")
        assert present(session, local_azure, assertion).json()["error_codes"] == [700213]


def test_issuer_publishes_what_it_signs_with(local_azure: LocalAzure, session: requests.Session) -> None:
    issuer = local_azure.workload_issuer
    document = session.get(f"{issuer.url}.well-known/openid-configuration").json()
    assert document["issuer"] == issuer.url
    keys = jwt.PyJWKSet.from_dict(session.get(document["jwks_uri"]).json())
    token = issuer.issue(SUBJECT)
    key = keys[jwt.get_unverified_header(token)["kid"]]
    assert (
        jwt.decode(token, key, algorithms=["RS256"], audience="api://AzureADTokenExchange")["iss"]
        == issuer.url
    )
