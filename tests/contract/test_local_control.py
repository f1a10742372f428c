from __future__ import annotations

from typing import Any

import pytest
import requests

from airflow_provider_batchad.local.access import Requirement
from airflow_provider_batchad.local.keyvault.certificates import CertificateIssuer
from airflow_provider_batchad.local.server import LocalAzure

APPLICATION = "airflow-batch"


class ControlPort:
    """The control port as a script uses it."""

    def __init__(self, azure: LocalAzure, session: requests.Session) -> None:
        self._base = azure.endpoints.control
        self._session = session
        self.seen = ""

    def __call__(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        answer = self._session.request(method, self._base + path, json=body)
        self.seen += answer.text
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None


@pytest.fixture
def control(local_azure: LocalAzure, session: requests.Session) -> ControlPort:
    return ControlPort(local_azure, session)


def sign_in(azure: LocalAzure, session: requests.Session, secret: str) -> requests.Response:
    return session.post(
        f"{azure.endpoints.entra}/{azure.config.tenant.id}/oauth2/v2.0/token",
        data={
            "grant_type": "client_credentials",
            "client_id": azure.directory.principal(APPLICATION).app_id,
            "client_secret": secret,
            "scope": "https://batch.core.windows.net//.default",
        },
    )


def test_it_says_where_everything_is(local_azure: LocalAzure, control: ControlPort) -> None:
    shown = control("GET", "/")
    assert shown["endpoints"] == local_azure.endpoints.as_dict()
    assert shown["ca_file"] == str(local_azure.ca_file)
    assert control("GET", "/health") == {"status": "ready"}


def test_ledger_can_be_filtered_counted_and_cleared(
    local_azure: LocalAzure, session: requests.Session, control: ControlPort, client_secret: str
) -> None:
    sign_in(local_azure, session, client_secret)
    sign_in(local_azure, session, "wrong")
    good, bad = control("GET", "/ledger?service=entra&operation=token")["entries"]
    assert (good["principal"], good["status"], good["code"]) == (APPLICATION, 200, None)
    assert (bad["principal"], bad["status"], bad["code"]) == (None, 401, "AADSTS7000215")
    assert good["response_bytes"] > 500
    assert control("GET", "/ledger?service=entra&operation=TO*")["entries"] == [good, bad]
    only = control("GET", "/ledger?service=entra&status=401")
    assert [one["sequence"] for one in only["entries"]] == [bad["sequence"]]
    after = control("GET", f"/ledger?service=entra&after={good['sequence']}")
    assert [one["status"] for one in after["entries"]] == [401]
    newest = control("GET", "/ledger?service=entra&service=batch&newest=1")
    assert [one["status"] for one in newest["entries"]] == [401]
    assert control("GET", "/ledger?service=entra&newest=0")["entries"] == []
    assert control("GET", "/ledger/counts")["entra"] == {"Token": 2}
    control("DELETE", "/ledger", status=204)
    assert "entra" not in control("GET", "/ledger/counts")
    assert control("GET", "/ledger?status=many", status=400) == {"error": "status must be a number"}
    assert control("GET", f"/ledger?limit={'9' * 5000}", status=400) == {"error": "limit must be a number"}
    assert "service must be one of entra" in control("GET", "/ledger?service=Batch", status=400)["error"]
    assert "sevrice is none of service" in control("GET", "/ledger?sevrice=batch", status=400)["error"]


def test_secret_is_rotated_without_being_shown(
    local_azure: LocalAzure, session: requests.Session, control: ControlPort, client_secret: str
) -> None:
    body = {"vault_secret_name": "batch-client-secret", "others": "expire"}
    added = control("POST", f"/applications/{APPLICATION}/secrets", body, status=201)
    stored = local_azure.vault.find("batch-client-secret")
    assert stored is not None
    assert sign_in(local_azure, session, stored.value).status_code == 200
    assert sign_in(local_azure, session, client_secret).json()["error_codes"] == [7000222]
    (application,) = control("GET", "/applications")["applications"]
    assert [one["key_id"] for one in application["secrets"]][-1] == added["key_id"]
    control("DELETE", f"/applications/{APPLICATION}/secrets/all", status=204)
    assert sign_in(local_azure, session, stored.value).json()["error_codes"] == [7000215]
    control("GET", "/vault/secrets")
    assert client_secret not in control.seen
    assert stored.value not in control.seen


def test_one_secret_can_be_expired_and_another_given(
    local_azure: LocalAzure, session: requests.Session, control: ControlPort, client_secret: str
) -> None:
    value = "a-secret-of-the-tests-own"
    control("POST", f"/applications/{APPLICATION}/secrets", {"value": value}, status=201)
    assert sign_in(local_azure, session, value).status_code == 200
    (application,) = control("GET", "/applications")["applications"]
    first = application["secrets"][0]["key_id"]
    control("POST", f"/applications/{APPLICATION}/secrets/{first}/expire", status=204)
    assert sign_in(local_azure, session, client_secret).json()["error_codes"] == [7000222]
    assert sign_in(local_azure, session, value).status_code == 200
    control("POST", "/applications/nobody/secrets", {}, status=404)
    control("DELETE", f"/applications/{APPLICATION}/secrets/{'0' * 8}", status=404)
    assert value not in control.seen


def test_vault_can_be_changed(local_azure: LocalAzure, control: ControlPort) -> None:
    control("PUT", "/vault/secrets/new", {"value": "never shown"}, status=201)
    control("PATCH", "/vault/secrets/new", {"enabled": False})
    found = local_azure.vault.find("new")
    assert found is not None
    assert (found.value, found.enabled) == ("never shown", False)
    names = {one["name"] for one in control("GET", "/vault/secrets")["secrets"]}
    assert "new" in names
    control("DELETE", "/vault/secrets/new", status=204)
    control("DELETE", "/vault/secrets/new", status=404)
    assert "never shown" not in control.seen


def test_roles_can_be_defined_assigned_and_taken(local_azure: LocalAzure, control: ControlPort) -> None:
    role = {"Name": "Reads jobs", "DataActions": ["Microsoft.Batch/batchAccounts/jobs/read"]}
    control("POST", "/roles", role, status=201)
    body = {"principal": APPLICATION, "role": "reads jobs", "resource": "batch"}
    assigned = control("POST", "/roles/assignments", body, status=201)
    assert assigned["scope"] == local_azure.config.account_scope
    shown = {one["id"]: one["role"] for one in control("GET", "/roles/assignments")["assignments"]}
    assert shown[assigned["id"]] == "Reads jobs"
    control("DELETE", f"/roles/assignments/{assigned['id']}", status=204)
    control("DELETE", f"/roles/assignments/{assigned['id']}", status=404)
    control("POST", "/roles", {"Name": "Nothing"}, status=400)
    control("POST", "/roles/assignments", {**body, "role": "No such role"}, status=404)


def test_clock_moves_and_comes_back(
    local_azure: LocalAzure, session: requests.Session, control: ControlPort
) -> None:
    control("PUT", "/clock", {"set": "2030-01-01T00:00:00Z"})
    control("PUT", "/clock", {"freeze": True})
    shown = control("PUT", "/clock", {"advance_seconds": 3600})
    assert shown["now"].startswith("2030-01-01T01:00:0")
    assert not shown["is_real"]
    answer = session.get(f"{local_azure.endpoints.entra}/common/discovery/v2.0/keys")
    assert answer.headers["Date"] == "Tue, 01 Jan 2030 01:00:00 GMT"
    assert control("PUT", "/clock", {"real": True})["is_real"]
    assert control("PUT", "/clock", {"freeze": True})["is_frozen"]
    assert not control("PUT", "/clock", {"run": True})["is_frozen"]
    assert "1970 to 9000" in control("PUT", "/clock", {"advance_seconds": 1e15}, status=400)["error"]
    control("PUT", "/clock", {"real": True})
    refused = control("PUT", "/clock", {"freeze": True, "real": True}, status=400)
    assert "exactly one" in refused["error"]
    control("PUT", "/clock", {"set": "2030-01-01T00:00:00"}, status=400)
    assert local_azure.clock.is_real


def test_token_lifetime_can_be_set(
    local_azure: LocalAzure, session: requests.Session, control: ControlPort, client_secret: str
) -> None:
    control("PUT", "/token-lifetime", {"seconds": 5})
    assert sign_in(local_azure, session, client_secret).json()["expires_in"] <= 5
    control("PUT", "/token-lifetime", {"seconds": 0}, status=400)


def test_fault_is_added_seen_and_removed(
    local_azure: LocalAzure, session: requests.Session, control: ControlPort, client_secret: str
) -> None:
    rule = {"service": "entra", "operation": "Token", "status": 503, "headers": {"Retry-After": "7"}}
    added = control("POST", "/faults", rule, status=201)
    answer = sign_in(local_azure, session, client_secret)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
    assert [one["hits"] for one in control("GET", "/faults")["faults"]] == [1]
    control("DELETE", f"/faults/{added['id']}", status=204)
    assert sign_in(local_azure, session, client_secret).status_code == 200
    control("DELETE", f"/faults/{added['id']}", status=404)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"service": "entra"}, "needs one of"),
        ({"service": "mars", "status": 503}, "service"),
        ({"status": 503, "statsu": 1}, "statsu"),
        ({"status": 1000}, "status must be"),
        ({"broken": "reset", "status": 500}, "reset"),
    ],
)
def test_fault_that_makes_no_sense_is_refused_with_the_field(
    control: ControlPort, body: dict[str, Any], text: str
) -> None:
    assert text in control("POST", "/faults", body, status=400)["error"]


def test_body_that_is_no_json_is_refused(local_azure: LocalAzure, session: requests.Session) -> None:
    for path in ("/faults", "/roles"):
        answer = session.post(local_azure.endpoints.control + path, data=b"{not json")
        assert answer.status_code == 400


def test_jobs_are_shown_with_how_far_they_are(
    local_azure: LocalAzure, session: requests.Session, control: ControlPort
) -> None:
    token, _ = local_azure.tokens.issue(
        local_azure.directory.principal(APPLICATION),
        audience="https://batch.core.windows.net/",
        lifetime_seconds=60,
    )
    for number in (2, 1):
        created = session.post(
            f"{local_azure.endpoints.batch}/jobs?api-version=2025-06-01",
            json={"id": f"job{number}", "poolInfo": {"poolId": "cpu"}},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert created.status_code == 201
    added = session.post(
        f"{local_azure.endpoints.batch}/jobs/job1/tasks?api-version=2025-06-01",
        json={"id": "t", "commandLine": "/bin/true"},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert added.status_code == 201
    jobs = control("GET", "/batch/jobs")["jobs"]
    assert [(one["job_id"], one["state"], one["tasks"]) for one in jobs] == [
        ("job2", "active", 0),
        ("job1", "active", 1),
    ]


def test_denial_is_added_listed_and_removed(local_azure: LocalAzure, control: ControlPort) -> None:
    body = {"name": "no jobs", "principals": [APPLICATION], "data_actions": ["Microsoft.Batch/*"]}
    made = control("POST", "/denials", body, status=201)
    assert made["scope"] == local_azure.config.account_scope
    principal_id = local_azure.directory.principal(APPLICATION).object_id
    (listed,) = control("GET", "/denials")["denials"]
    assert listed == {"name": "no jobs", "principal_ids": [principal_id], **made}
    write = Requirement(data_actions=("Microsoft.Batch/batchAccounts/jobs/write",))
    scope = local_azure.config.account_scope
    assert local_azure.roles.missing(principal_id, write, scope=scope) == write.data_actions
    control("DELETE", f"/denials/{made['id']}", status=204)
    assert not local_azure.roles.missing(principal_id, write, scope=scope)
    control("DELETE", f"/denials/{made['id']}", status=404)
    control("POST", "/denials", body | {"principals": ["nobody"]}, status=404)


def test_certificate_is_added_trusted_and_removed(local_azure: LocalAzure, control: ControlPort) -> None:
    base = f"/applications/{APPLICATION}"
    issuer = CertificateIssuer.create("Contoso Issuing CA", now=local_azure.clock.now())
    key_id = control("POST", f"{base}/certificates", {"pem": issuer.pem}, status=201)["key_id"]
    application = local_azure.directory.applications()[0]
    assert [one.key_id for one in application.certificates] == [key_id]
    control("DELETE", f"{base}/certificates/{key_id}", status=204)
    control("DELETE", f"{base}/certificates/all", status=404)
    control("POST", f"{base}/trusted-subjects", {"name": "n", "authorities_pem": issuer.pem}, status=204)
    assert [one.name for one in application.trusted_subjects] == ["n"]
    for path, body in (
        ("certificates", {"pem": "no PEM"}),
        ("trusted-subjects", {"name": "n", "authorities_pem": ""}),
    ):
        control("POST", f"{base}/{path}", body, status=400)
        control("POST", f"/applications/nobody/{path}", body, status=404)


def test_federated_credential_is_the_machines_unless_another_issuer_is_named(
    local_azure: LocalAzure, session: requests.Session, control: ControlPort
) -> None:
    base = f"/applications/{APPLICATION}/federated-credentials"
    added = control("POST", base, {"subject": "worker"}, status=201)
    assert added["issuer"] == local_azure.workload_issuer.url
    other = {"subject": "s", "issuer": "https://issuer.example", "audience": "a", "name": "other"}
    assert control("POST", base, other, status=201)["name"] == "other"
    control("PUT", "/issuers", {"issuer": "https://issuer.example", "keys": [{"kty": "none"}]}, status=400)
    control(
        "PUT",
        "/issuers",
        {"issuer": "https://issuer.example", **local_azure.workload_issuer.public_keys()},
        status=204,
    )
    form = {
        "grant_type": "client_credentials",
        "client_id": local_azure.directory.principal(APPLICATION).app_id,
        "client_assertion": local_azure.workload_issuer.issue("worker"),
        "scope": "https://batch.core.windows.net//.default",
    }
    url = f"{local_azure.endpoints.entra}/{local_azure.config.tenant.id}/oauth2/v2.0/token"
    assert session.post(url, data=form).status_code == 200
    control("DELETE", f"{base}/{added['name']}", status=204)
    control("DELETE", f"{base}/{added['name']}", status=404)
    assert session.post(url, data=form).json()["error_codes"] == [700211]


def test_vault_secret_that_was_deleted_cannot_be_set(local_azure: LocalAzure, control: ControlPort) -> None:
    local_azure.vault.set_secret("gone", "value")
    local_azure.vault.delete("gone")
    control("PUT", "/vault/secrets/gone", {"value": "new"}, status=409)
    control("POST", "/vault/certificates/gone", {}, status=409)
    control("POST", f"/applications/{APPLICATION}/secrets", {"vault_secret_name": "gone"}, status=409)
    control("DELETE", "/vault/secrets/gone", status=204)
    control("PUT", "/vault/secrets/gone", {"value": "new"}, status=201)
