"""Asks the machine for a token of its managed identity, by azure-identity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_batchad.errors import BatchAdError, SignInError, Unreachable
from airflow_provider_batchad.identity.proxies import strike_proxy_passwords
from airflow_provider_batchad.identity.tokens import AccessToken
from airflow_provider_batchad.identity.unreachable import AnswerWatch, did_not_answer
from airflow_provider_batchad.identity.vault_credential import credential_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_batchad.clouds import AzureCloud
    from airflow_provider_batchad.identity.principal import ManagedIdentity


class MachineIdentity:
    """The endpoint of the machine's managed identities: App Service's, IMDS, and the others.

    :param retries: how often the endpoint is asked again when it does not answer.
    """

    def __init__(self, cloud: AzureCloud, *, on_secret: Callable[[str], None], retries: int) -> None:
        self._cloud = cloud
        self._on_secret = on_secret
        self._retries = retries

    def request_token(self, principal: ManagedIdentity, scope: str, claims: str | None) -> AccessToken:
        """One token.

        :raises SignInError: there is no such identity here.
        :raises Unreachable: the endpoint did not answer.
        """
        from azure.identity import ManagedIdentityCredential

        watch = AnswerWatch()
        try:
            # One of its own for each token: azure-identity's copy would answer a refused token again.
            with ManagedIdentityCredential(
                client_id=principal.client_id, **credential_settings(self._cloud, self._retries, watch)
            ) as credential:
                found = credential.get_token(scope, claims=claims)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told in our own words
            raise _explain(
                error, principal, watch
            ) from None  # the SDKs' own texts repeat what was sent or read
        self._on_secret(found.token)
        return AccessToken(token=found.token, expires_on=float(found.expires_on))


def _explain(error: Exception, principal: ManagedIdentity, watch: AnswerWatch) -> BatchAdError:
    if watch.refused is not None:
        return watch.refused
    said = getattr(error, "message", None) or str(error)
    text = strike_proxy_passwords(" ".join(said.split()))
    if did_not_answer(error) or watch.saw_outage():
        return Unreachable(
            f"The endpoint of the machine's managed identity did not answer: {text}",
            step="token",
            retry_after_seconds=watch.retry_after_seconds,
            remedy="Has this machine a managed identity? Otherwise choose another 'extra.sign_in'.",
        )
    which = (
        f"user-assigned identity {principal.client_id}" if principal.client_id else "system-assigned identity"
    )
    return SignInError(
        f"The machine has no token for its {which}: {text}",
        step="token",
        remedy="Assign the identity to this machine, or correct 'extra.managed_identity_client_id'.",
    )
