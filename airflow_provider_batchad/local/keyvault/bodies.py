"""The JSON of the vault: requests read with its errors, secrets described with its words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_batchad.local import request_body
from airflow_provider_batchad.local.keyvault import errors
from airflow_provider_batchad.local.keyvault.vault import RECOVERABLE_DAYS

if TYPE_CHECKING:
    from aiohttp import web

    from airflow_provider_batchad.local.keyvault.vault import DeletedSecret, SecretVersion


async def read_json(request: web.Request) -> dict[str, Any]:
    """A request's body.

    :raises VaultRefused: it is no JSON object.
    """
    try:
        body = await request_body.read_json(request)
    except request_body.UnreadableBody:
        raise errors.bad_parameter("The request body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise errors.bad_parameter("The request body must be a JSON object.")
    return body


def read_attributes(body: Mapping[str, Any]) -> dict[str, Any]:
    """``attributes``, whose ``enabled`` is a truth value if it is there.

    :raises VaultRefused: they are something else.
    """
    attributes = body.get("attributes") or {}
    if not isinstance(attributes, dict) or not isinstance(attributes.get("enabled"), bool | None):
        raise errors.bad_parameter("The attributes are not valid.")
    return attributes


def read_time(attributes: Mapping[str, Any], name: str) -> datetime | None:
    """A time among the attributes.

    :raises VaultRefused: it is none.
    """
    seconds = attributes.get(name)
    if seconds is None:
        return None
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        raise errors.bad_parameter(f"{name} must be whole seconds since 1970.")
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        raise errors.bad_parameter(f"{name} is out of range.") from None


def read_content_type(body: Mapping[str, Any]) -> str | None:
    """``contentType``.

    :raises VaultRefused: it is no string.
    """
    content_type = body.get("contentType")
    if not isinstance(content_type, str | None):
        raise errors.bad_parameter("contentType must be a string.")
    return content_type


def read_tags(body: Mapping[str, Any]) -> dict[str, str] | None:
    """``tags``.

    :raises VaultRefused: they are no strings by name.
    """
    tags = body.get("tags")
    if tags is None:
        return None
    if not isinstance(tags, dict) or not all(isinstance(value, str) for value in tags.values()):
        raise errors.bad_parameter("tags must be strings by name.")
    return tags


def describe(base_url: str, secret: SecretVersion, *, with_version: bool = True) -> dict[str, Any]:
    """A version as the vault shows it, without its value."""
    identifier = f"{base_url}/secrets/{secret.name}"
    times = {"nbf": secret.not_before, "exp": secret.expires_on}
    described: dict[str, Any] = {
        "id": f"{identifier}/{secret.version}" if with_version else identifier,
        "attributes": {
            "enabled": secret.enabled,
            **{name: int(time.timestamp()) for name, time in times.items() if time is not None},
            "created": int(secret.created.timestamp()),
            "updated": int(secret.updated.timestamp()),
            "recoveryLevel": "Recoverable+Purgeable",
            "recoverableDays": RECOVERABLE_DAYS,
        },
    }
    if secret.content_type is not None:
        described["contentType"] = secret.content_type
    if secret.tags:
        described["tags"] = dict(secret.tags)
    if secret.is_certificate:
        described["managed"] = True
        if with_version:
            described["kid"] = f"{base_url}/keys/{secret.name}/{secret.version}"
    return described


def describe_deleted(base_url: str, secret: DeletedSecret, *, with_version: bool = True) -> dict[str, Any]:
    """A deleted secret, and until when it can be recovered."""
    return {
        "recoveryId": f"{base_url}/deletedsecrets/{secret.current.name}",
        "deletedDate": int(secret.deleted.timestamp()),
        "scheduledPurgeDate": int(secret.purged.timestamp()),
        **describe(base_url, secret.current, with_version=with_version),
    }
