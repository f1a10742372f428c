"""Whatever local Azure is asked on any route of any service, it answers, and with no error of its own."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_batchad.local.config import (
    VAULT_RESOURCE,
    AssignmentConfig,
    LocalAzureConfig,
    ServiceName,
)
from airflow_provider_batchad.local.server import LocalAzure

SERVICES = [name for name in get_args(ServiceName) if name != "batch"]
# So that not every request ends in 403.
ASSIGNMENTS = (
    AssignmentConfig(principal="airflow-worker", role="Key Vault Secrets Officer", resource="keyvault"),
    AssignmentConfig(principal="airflow-batch", role="Owner", resource="subscription"),
)
# A request that is not answered in this time counts as one that hangs.
TIMEOUT_SECONDS = 10
METHODS = st.sampled_from(["GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS"])
SEGMENTS = st.sampled_from(
    ["x", "airflow-batch", "batch-client-secret", "%00", "..%2F..", "%C3%28", "x" * 300, "", "common", "demo"]
)
NAMES = """
    api-version resource scope client_id comp restype prefix marker maxresults sig sv sr se sp service
    operation status after limit timeout $filter response_type redirect_uri state principalId
"""
TEXTS = ["", "x", "7.4", "2022-04-01", "2019-08-01", "-1", "99999999999999999999", "\0", "c", "é"]
PARAMETERS = st.dictionaries(st.sampled_from(NAMES.split()), st.sampled_from(TEXTS), max_size=4)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
KEYS = """
    grant_type client_id client_secret scope code device_code refresh_token client_assertion claims value
    attributes enabled properties roleDefinitionId principalId set advance_seconds freeze status when times
    name permissions assignableScopes
""".split()  # noqa: SIM905 - a list of so many words reads best as text
BODIES = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5) | VALUES


class Server:
    """All services, and a client with a token for whichever wants one."""

    def __init__(self, azure: LocalAzure) -> None:
        self.azure = azure
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = os.fspath(azure.ca_file)
        self.routes = azure_routes(azure)
        self.tokens = [
            azure.tokens.issue(azure.directory.principal(name), audience=audience, lifetime_seconds=1e9)[0]
            for name, audience in (
                ("airflow-worker", VAULT_RESOURCE),
                ("airflow-batch", "https://management.core.windows.net/"),
            )
        ]


def azure_routes(azure: LocalAzure) -> dict[str, list[tuple[str, str]]]:
    """Method and path of every route, by service."""
    return {
        service.name: sorted(
            {(route.method, route.resource.canonical) for route in service.application().router.routes()}
        )
        for service in azure.services
    }


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with LocalAzure(LocalAzureConfig(port=0, assignments=ASSIGNMENTS)) as azure:
        found = Server(azure)
        yield found
        found.session.close()


def check(server: Server, service: str, method: str, path: str, **options: Any) -> None:
    # A rule that the control port was given by an earlier request.
    server.azure.faults.clear()
    url = f"{server.azure.endpoints.as_dict()[service]}{path}"
    answer = server.session.request(method, url, timeout=TIMEOUT_SECONDS, allow_redirects=False, **options)
    # "TooManyEnableAutoScaleRequests: ServiceUnavailable (503)", of the documented codes the only one.
    is_documented = service == "batch" and "TooManyEnableAutoScaleRequests" in answer.text
    assert answer.status_code < 500 or is_documented, (method, path, answer.text)


@pytest.mark.parametrize("service", SERVICES)
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_no_request_is_too_much_for_a_route(server: Server, service: str, data: st.DataObject) -> None:
    method, path = data.draw(st.sampled_from(server.routes[service]))
    while "{" in path:
        path = re.sub(r"\{[^{}]*\}", lambda _: data.draw(SEGMENTS), path, count=1)
    method = data.draw(METHODS) if method == "*" or data.draw(st.booleans()) else method
    body: dict[str, Any] = {}
    if data.draw(st.booleans()):
        body = {"json": data.draw(BODIES)}
    elif data.draw(st.booleans()):
        body = {"data": data.draw(st.dictionaries(st.sampled_from(KEYS), st.text(max_size=8), max_size=5))}
    elif data.draw(st.booleans()):
        body = {"data": data.draw(st.binary(max_size=20))}
    headers = data.draw(
        st.fixed_dictionaries(
            {},
            optional={
                "Authorization": st.sampled_from(
                    [
                        *(f"Bearer {token}" for token in server.tokens * 2),
                        "Bearer x",
                        "SharedKey demo:AAAA",
                        "",
                    ]
                ),
                "Content-Type": st.sampled_from(["application/json", "text/plain", "x"]),
                "X-IDENTITY-HEADER": st.just(server.azure.identity_header),
                "Metadata": st.just("true"),
                "Range": st.sampled_from(["bytes=0-0", "bytes=9-", "x"]),
                "x-ms-blob-type": st.just("BlockBlob"),
            },
        )
    )
    check(server, service, method, path, params=data.draw(PARAMETERS), headers=headers, **body)
