"""The metadata documents of the simulated Entra ID."""

from __future__ import annotations

from typing import Final

CONSUMERS: Final = "consumers"
SHARED_NAMES: Final = frozenset({"common", "organizations", CONSUMERS})
# The tenant of everybody's personal accounts: it is the issuer that "consumers" stands for.
CONSUMERS_TENANT_ID: Final = "9188040d-6c67-4c5b-b112-36a304b66dad"
_METADATA: Final = {
    "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
    "response_modes_supported": ["query", "fragment", "form_post"],
    "subject_types_supported": ["pairwise"],
    "id_token_signing_alg_values_supported": ["RS256"],
    "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
    "scopes_supported": ["openid", "profile", "email", "offline_access"],
    "request_uri_parameter_supported": False,
    "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
    "http_logout_supported": True,
    "frontchannel_logout_supported": True,
    "tenant_region_scope": "WW",
    "cloud_instance_name": "microsoftonline.com",
    "cloud_graph_host_name": "graph.windows.net",
    "msgraph_host": "graph.microsoft.com",
    "rbac_url": "https://pas.windows.net",
}


def describe_v2(authority: str, tenant: str) -> dict[str, object]:
    """``/{tenant}/v2.0/.well-known/openid-configuration``."""
    base = f"{authority}/{tenant}"
    return {
        **_METADATA,
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "jwks_uri": f"{base}/discovery/v2.0/keys",
        "issuer": f"{authority}/{_issuer_tenant(tenant)}/v2.0",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
    }


def describe_v1(authority: str, tenant: str) -> dict[str, object]:
    """``/{tenant}/.well-known/openid-configuration``."""
    base = f"{authority}/{tenant}"
    return {
        **_METADATA,
        "token_endpoint": f"{base}/oauth2/token",
        "jwks_uri": f"{authority}/common/discovery/keys",
        "issuer": f"https://sts.windows.net/{_issuer_tenant(tenant)}/",
        "authorization_endpoint": f"{base}/oauth2/authorize",
        "device_authorization_endpoint": f"{base}/oauth2/devicecode",
        "end_session_endpoint": f"{base}/oauth2/logout",
    }


def _issuer_tenant(tenant: str) -> str:
    if tenant == CONSUMERS:
        return CONSUMERS_TENANT_ID
    # Microsoft's own document of /common has this placeholder, braces included.
    return "{tenantid}" if tenant in SHARED_NAMES else tenant
