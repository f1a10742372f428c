from __future__ import annotations

import threading

import pytest
import requests

from airflow_provider_batchad.local.faults import FaultRule
from airflow_provider_batchad.local.server import LocalAzure

OPERATION = "OpenID Configuration"


@pytest.fixture
def url(local_azure: LocalAzure) -> str:
    tenant = local_azure.config.tenant.id
    return f"{local_azure.endpoints.entra}/{tenant}/v2.0/.well-known/openid-configuration"


def test_count_and_skip_choose_which_requests_break(
    local_azure: LocalAzure, session: requests.Session, url: str
) -> None:
    rule = FaultRule(service="entra", operation=OPERATION.lower(), status=503, skip=1, times=2)
    local_azure.faults.add(rule)
    assert [session.get(url).status_code for _ in range(5)] == [200, 503, 503, 200, 200]
    assert local_azure.faults.hits(rule.id) == 2
    assert [one.fault for one in local_azure.ledger.entries()] == [None, rule.id, rule.id, None, None]


def test_rule_for_another_service_or_operation_breaks_nothing(
    local_azure: LocalAzure, session: requests.Session, url: str
) -> None:
    local_azure.faults.add(FaultRule(service="keyvault", status=503))
    local_azure.faults.add(FaultRule(operation="Token", status=503))
    assert session.get(url).status_code == 200


def test_reset_ends_the_connection_without_an_answer(
    local_azure: LocalAzure, session: requests.Session, url: str
) -> None:
    local_azure.faults.add(FaultRule(broken="reset", times=1, service="entra"))
    with pytest.raises(requests.ConnectionError):
        session.get(url)
    assert session.get(url).status_code == 200


def test_dripping_body_comes_byte_by_byte(
    local_azure: LocalAzure, session: requests.Session, url: str
) -> None:
    local_azure.faults.add(FaultRule(status=200, body="slow", broken="drip", times=1))
    response = session.get(url, stream=True)
    blocks = []
    while block := response.raw.read1():
        blocks.append(block)
    assert blocks == [b"s", b"l", b"o", b"w"]


def test_truncated_body_ends_half_way(local_azure: LocalAzure, session: requests.Session, url: str) -> None:
    whole = len(session.get(url).content)
    local_azure.faults.add(FaultRule(broken="truncate", times=1))
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        session.get(url)
    assert len(session.get(url).content) == whole


def test_garbled_body_has_its_length_and_no_sense(
    local_azure: LocalAzure, session: requests.Session, url: str
) -> None:
    whole = len(session.get(url).content)
    local_azure.faults.add(FaultRule(broken="garble", times=1))
    garbled = session.get(url)
    assert len(garbled.content) == whole
    with pytest.raises(requests.JSONDecodeError):
        garbled.json()


def test_after_loses_the_answer_of_what_took_effect_and_before_does_not_let_it(
    machine: LocalAzure, session: requests.Session
) -> None:
    principal = machine.directory.principal("airflow-worker")
    machine.roles.assign(
        principal_id=principal.object_id, role="Key Vault Secrets Officer", scope=machine.config.vault_scope
    )
    token, _ = machine.tokens.issue(principal, audience="https://vault.azure.net", lifetime_seconds=60)
    headers = {"Authorization": f"Bearer {token}"}
    for when, versions in (("before", 0), ("after", 1)):
        machine.faults.add(FaultRule(operation="Set Secret", when=when, status=500, times=1))  # type: ignore[arg-type]
        answer = session.put(
            f"{machine.endpoints.keyvault}/secrets/{when}?api-version=7.4",
            json={"value": "v"},
            headers=headers,
        )
        assert answer.status_code == 500
        assert answer.json()["error"]["code"] == "InternalServerError"
        assert len(machine.vault.versions(when)) == versions


@pytest.mark.parametrize("who", ["airflow-batch", "client id", "object id"])
def test_rule_for_one_principal_lets_others_pass(
    local_azure: LocalAzure, session: requests.Session, who: str
) -> None:
    vault = f"{local_azure.endpoints.keyvault}/secrets/batch-tenant-id/?api-version=7.4"
    headers = {}
    for name in ("airflow-batch", "airflow-worker"):
        principal = local_azure.directory.principal(name)
        token, _ = local_azure.tokens.issue(
            principal, audience="https://vault.azure.net", lifetime_seconds=60
        )
        headers[name] = {"Authorization": f"Bearer {token}"}
    broken = local_azure.directory.principal("airflow-batch")
    named = {"client id": broken.app_id, "object id": broken.object_id}.get(who, who)
    local_azure.faults.add(FaultRule(principal=named, status=503))
    assert session.get(vault, headers=headers["airflow-batch"]).status_code == 503
    assert session.get(vault, headers=headers["airflow-worker"]).status_code == 200
    assert session.get(vault).status_code == 401


def test_held_request_waits_until_the_rule_is_removed(
    local_azure: LocalAzure, session: requests.Session, url: str
) -> None:
    rule = local_azure.faults.add(FaultRule(service="entra", hold=True))
    statuses: list[int] = []
    asking = threading.Thread(target=lambda: statuses.append(session.get(url).status_code))
    asking.start()
    while not local_azure.faults.held(rule.id):
        assert asking.is_alive()
    assert not statuses
    local_azure.faults.remove(rule.id)
    asking.join()
    assert statuses == [200]


def test_own_body_and_code_replace_the_service_error(
    local_azure: LocalAzure, session: requests.Session, url: str
) -> None:
    local_azure.faults.add(FaultRule(service="entra", status=502, body="<html>proxy</html>", times=1))
    assert session.get(url).text == "<html>proxy</html>"
    local_azure.faults.add(FaultRule(service="entra", status=400, code="invalid_request", times=1))
    assert session.get(url).json()["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"A b": "x"}, "no name of a header"),
        ({"": "x"}, "no name of a header"),
        ({"X": "a\nb"}, "the value of X has a control character"),
        ({"Transfer-Encoding": "chunked"}, "broken='truncate'"),
        ({"content-length": "5"}, "broken='truncate'"),
    ],
)
def test_headers_that_are_no_http_are_refused_before_a_client_hangs(
    local_azure: LocalAzure, session: requests.Session, headers: dict[str, str], reason: str
) -> None:
    fault = {"service": "entra", "status": 503, "headers": headers}
    refused = session.post(f"{local_azure.endpoints.control}/faults", json=fault)
    assert (refused.status_code, local_azure.faults.rules()) == (400, ())
    assert reason in refused.json()["error"]


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_delay_is_a_length_of_time(seconds: float) -> None:
    with pytest.raises(ValueError, match="delay_seconds must be 0 or more"):
        FaultRule(delay_seconds=seconds)
