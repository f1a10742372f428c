"""A tenant with people who sign in, and what is asked of Entra ID for them."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import jwt
import msal
import requests

from airflow_provider_batchad.local.config import (
    DEVELOPER,
    ApplicationConfig,
    LocalAzureConfig,
    TenantConfig,
    UserConfig,
)
from airflow_provider_batchad.local.server import LocalAzure

BATCH_SCOPE = "https://batch.core.windows.net//.default"
VAULT_SCOPE = "https://vault.azure.net/.default"
PUBLIC = ApplicationConfig(name="batch-login", public_client=True, redirect_uris=("http://localhost",))
WEB = ApplicationConfig(name="web", redirect_uris=("http://localhost/back",))
OTHER = TenantConfig(
    id="11111111-2222-4333-8444-555555555555", domain="fabrikam.com", display_name="Fabrikam"
)
STRANGER = UserConfig(name="stranger@fabrikam.com", tenant_id=OTHER.id)
PEOPLE = LocalAzureConfig(
    port=0,
    other_tenants=(OTHER,),
    users=(DEVELOPER, STRANGER),
    applications=(ApplicationConfig(name="airflow-batch"), PUBLIC, WEB),
    assignments=(),
    device_code_interval_seconds=1,
)


def public_client(azure: LocalAzure, session: requests.Session, *, tenant: str | None = None) -> Any:
    return msal.PublicClientApplication(
        PUBLIC.client_id,
        authority=f"{azure.endpoints.entra}/{tenant or azure.config.tenant.id}",
        instance_discovery=False,
        http_client=session,
    )


def credential_options(azure: LocalAzure) -> dict[str, Any]:
    return {
        "tenant_id": azure.config.tenant.id,
        "authority": azure.endpoints.entra,
        "disable_instance_discovery": True,
        "connection_verify": str(azure.ca_file),
    }


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def fields_of(page: str) -> dict[str, str]:
    """The hidden fields of a page's form."""
    found = re.findall(r'name="([^"]+)" value="([^"]*)"', page)
    return {unescape(name): unescape(value) for name, value in found}


def begin_device(
    azure: LocalAzure, session: requests.Session, *, tenant: str | None = None
) -> dict[str, Any]:
    url = f"{azure.endpoints.entra}/{tenant or azure.config.tenant.id}/oauth2/v2.0/devicecode"
    form = {"client_id": PUBLIC.client_id, "scope": f"{BATCH_SCOPE} openid offline_access"}
    body: dict[str, Any] = session.post(url, data=form).json()
    return body


def redeem(
    azure: LocalAzure, session: requests.Session, *, tenant: str | None = None, **form: str
) -> requests.Response:
    url = f"{azure.endpoints.entra}/{tenant or azure.config.tenant.id}/oauth2/v2.0/token"
    return session.post(url, data={"client_id": PUBLIC.client_id, **form})


def poll(azure: LocalAzure, session: requests.Session, flow: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = redeem(
        azure,
        session,
        grant_type="urn:ietf:params:oauth:grant-type:device_code",
        device_code=flow["device_code"],
    ).json()
    return body
