"""Which processes may share a token: those that would ask the same question."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.connection import SignIn

if TYPE_CHECKING:
    from airflow_provider_batchad.connection import BatchConnection

# What a token does not depend on; whatever else a connection has keeps two of them apart.
_INDIFFERENT: Final = ("account_resource_id", "account_url", "conn_id", "least_privilege", "vault_conn_id")
# What azure-identity reads to find out who it is: managed identity, workload identity, a secret.
_ENVIRONMENT: Final = ("AZURE_", "IDENTITY_", "IMDS_", "MSI_")


def cache_key(
    connection: BatchConnection,
    environment: Mapping[str, str],
    *,
    encrypted_with: str,
    scope: str | None = None,
) -> str:
    """A hash of everything that decides whose token it is and for what; 64 hexadecimal digits.

    The client secret is part of it where it stands in the connection: whoever knows only an application's ID
    is not handed a token that the application got.

    :param environment: of this process; it counts where the machine has a say.
    :param encrypted_with: tells keys of encryption apart, so that two deployments of one user do not write
        over what the other one reads.
    :param scope: of another resource of the cloud than Batch.
    """
    settings = _decisive(asdict(connection))
    by_machine = connection.sign_in is not SignIn.SERVICE_PRINCIPAL or connection.vault_url is not None
    machine = {
        name: value for name, value in environment.items() if by_machine and name.startswith(_ENVIRONMENT)
    }
    question: dict[str, Any] = {"settings": settings, "machine": machine, "encrypted_with": encrypted_with}
    if scope is not None:
        question["scope"] = scope
    return hashlib.sha256(json.dumps(question, sort_keys=True, default=str).encode()).hexdigest()


def _decisive(settings: dict[str, Any]) -> dict[str, Any]:
    """Without what makes no difference, in the connection that reaches the vault likewise."""
    return {
        name: _decisive(value) if isinstance(value, dict) else value
        for name, value in settings.items()
        if name not in _INDIFFERENT
    }
