"""What a failure to read Key Vault means, and what to do about it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_batchad.errors import BatchAdError, Unreachable, VaultError
from airflow_provider_batchad.identity.proxies import strike_proxy_passwords
from airflow_provider_batchad.identity.unreachable import did_not_answer

if TYPE_CHECKING:
    from airflow_provider_batchad.identity.unreachable import AnswerWatch

_AADSTS: Final = re.compile(r"AADSTS\d+")
_LONGEST_TEXT: Final = 600
# What azure-keyvault-secrets stumbles over where the answer is JSON, but not Key Vault's.
_BROKEN: Final = (AttributeError, KeyError, TypeError)

# learn.microsoft.com/azure/key-vault/general/rest-error-codes
_FORBIDDEN: Final = {
    "SecretDisabled": "Enable that version of the secret, or name another one in the field {field!r}.",
    "ForbiddenByFirewall": "Let this machine's address through the vault's firewall (its Networking).",
    "ForbiddenByConnection": "Reach the vault by its private endpoint, or allow public access to it.",
    "AccessDenied": "Give the identity that reads the vault the access policy 'Get' on secrets.",
    "ForbiddenByPolicy": "Give the identity that reads the vault the access policy 'Get' on secrets.",
    "ForbiddenByRbac": "Give the identity that reads the vault (field 'extra.vault_sign_in') the role "
    "'Key Vault Secrets User' on that secret.",
}


def explain_vault_error(
    error: Exception, *, vault_url: str, field: str, sign_in: AnswerWatch, vault: AnswerWatch
) -> BatchAdError:
    """The failure in the words of the connection.

    :param field: the connection's field that names the secret.
    :param sign_in: saw whether what signs in to the vault answered; ``vault``, whether the vault did.
    """
    from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

    signing_in = not isinstance(error, HttpResponseError) or isinstance(error, ClientAuthenticationError)
    senseless = isinstance(error, _BROKEN) or (signing_in and vault.saw_success())
    if did_not_answer(error) or senseless or (signing_in and sign_in.saw_outage()):
        return Unreachable(
            f"Key Vault {vault_url}, or what signs in to it, did not answer: {_text(error)}",
            step="vault",
            retry_after_seconds=vault.retry_after_seconds or sign_in.retry_after_seconds,
            remedy="Check the field 'extra.vault_url', the network and, for a cloud of your own, 'ca_file'.",
        )
    if isinstance(error, HttpResponseError) and error.status_code is not None:
        if 300 <= error.status_code < 400:
            return Unreachable(
                f"What answered at {vault_url} ({error.status_code}) sends elsewhere: it is not Key Vault.",
                step="vault",
                remedy="Look for a proxy or a sign-in page in between, and at the field 'extra.vault_url'.",
            )
        if error.status_code == 404:
            code = _code(error) or "SecretNotFound"
            return VaultError(
                f"Key Vault {vault_url} has no secret of the name in the field {field!r} ({code}).",
                step="vault",
                code=code,
                remedy="Correct the name, or store the secret under it; a deleted one can be recovered.",
            )
        if error.status_code == 403:
            return _explain_refusal(error, vault_url=vault_url, field=field)
    if isinstance(error, ClientAuthenticationError) or _code(error) is None:
        text = _text(error)
        found = _AADSTS.search(text)
        return VaultError(
            f"Nobody could be signed in to Key Vault {vault_url}: {text}",
            step="vault",
            code=found[0] if found else None,
            remedy="Choose in the field 'extra.vault_sign_in' what this machine can sign in as.",
        )
    return VaultError(f"Key Vault {vault_url} answered: {_text(error)}", step="vault", code=_code(error))


def _explain_refusal(error: Any, *, vault_url: str, field: str) -> VaultError:
    reason = _inner_code(error) or _code(error) or "Forbidden"
    remedy = _FORBIDDEN.get(reason, _FORBIDDEN["ForbiddenByRbac"]).format(field=field)
    return VaultError(
        f"Key Vault {vault_url} refused the secret that the field {field!r} names ({reason}).",
        step="vault",
        code=reason,
        remedy=remedy,
    )


def _code(error: Any) -> str | None:
    code = getattr(getattr(error, "error", None), "code", None)
    return str(code) if code else None


def _inner_code(error: Any) -> str | None:
    inner = getattr(getattr(error, "error", None), "innererror", None)
    code = inner.get("code") if isinstance(inner, dict) else None
    return str(code) if code else None


def _text(error: Exception) -> str:
    lines = (getattr(error, "message", None) or str(error)).split("\n")
    text = " ".join(line.strip() for line in lines if line.strip()).rstrip(".")
    text = strike_proxy_passwords(text)
    return (text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…") + "."
