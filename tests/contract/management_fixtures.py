"""Resource Manager of local Azure with Microsoft's clients signed in to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from azure.identity import ClientSecretCredential
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.batch import BatchManagementClient

from airflow_provider_batchad.local.config import LocalAzureConfig
from airflow_provider_batchad.local.server import LocalAzure

RESOURCE = "https://management.core.windows.net/"
APPLICATION = "airflow-batch"


class Manager:
    """One application before Resource Manager: Microsoft's clients, and a bare one."""

    def __init__(self, azure: LocalAzure) -> None:
        self.azure = azure
        self.config = azure.config
        self.url = azure.endpoints.management
        self.principal = azure.directory.principal(APPLICATION)
        self.other = azure.directory.principal("airflow-worker")
        registered = azure.directory.application(self.principal.app_id)
        assert registered is not None
        self.credential = ClientSecretCredential(
            azure.config.tenant.id,
            self.principal.app_id,
            registered.secrets[0].value,
            authority=azure.endpoints.entra,
            disable_instance_discovery=True,
            connection_verify=os.fspath(azure.ca_file),
        )
        options: dict[str, Any] = {
            "base_url": self.url,
            "credential_scopes": [f"{RESOURCE}/.default"],
            "connection_verify": os.fspath(azure.ca_file),
            "retry_total": 0,
        }
        subscription = azure.config.subscription_id
        self.batch = BatchManagementClient(self.credential, subscription, **options)
        self.authorization = AuthorizationManagementClient(self.credential, subscription, **options)
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = os.fspath(azure.ca_file)

    def close(self) -> None:
        self.session.close()
        self.batch.close()
        self.authorization.close()
        self.credential.close()

    def hold(self, role: str, scope: str | None = None) -> str:
        """Give the application a role, at the account by default."""
        assigned = self.azure.roles.assign(
            principal_id=self.principal.object_id, role=role, scope=scope or self.config.account_scope
        )
        return assigned.id

    def token(self, audience: str = RESOURCE) -> dict[str, str]:
        token, _ = self.azure.tokens.issue(self.principal, audience=audience, lifetime_seconds=600)
        return {"Authorization": f"Bearer {token}"}

    def send(self, method: str, path: str, body: object = None, **options: Any) -> requests.Response:
        """A bare request with a good token, unless ``headers`` are given."""
        options.setdefault("headers", self.token())
        return self.session.request(method, self.url + path, json=body, timeout=30, **options)


@contextmanager
def managing(**changes: Any) -> Iterator[Manager]:
    """Local Azure whose application holds no role at all, unless ``assignments`` say otherwise."""
    changes.setdefault("assignments", ())
    with LocalAzure(LocalAzureConfig(port=0, **changes)) as azure:
        manager = Manager(azure)
        yield manager
        manager.close()
