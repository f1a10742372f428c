"""Asks Entra ID for a token of an application, by MSAL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from airflow_provider_batchad.errors import BatchAdError
from airflow_provider_batchad.identity.entra_answers import EntraHttp, explain_failure, read_token
from airflow_provider_batchad.identity.principal import ClientCertificate, ClientSecret, FederatedToken

if TYPE_CHECKING:
    from collections.abc import Callable

    import msal

    from airflow_provider_batchad.clouds import AzureCloud
    from airflow_provider_batchad.identity.tokens import AccessToken

ProvenApplication = ClientSecret | ClientCertificate | FederatedToken


class EntraId:
    """The token endpoint of one cloud.

    :param retries: above 0, a request whose connection broke is sent once more.
    :param clock: the time in seconds since the epoch.
    """

    def __init__(
        self,
        cloud: AzureCloud,
        *,
        on_secret: Callable[[str], None],
        retries: int,
        clock: Callable[[], float],
    ) -> None:
        self._cloud = cloud
        self._retries = retries
        self._on_secret = on_secret
        self._clock = clock
        # MSAL keeps discovery documents here for a day, and errors too: emptied after each failure, since a
        # remembered error would be answered in place of a service that has recovered.
        self._http_cache: dict[str, Any] = {}

    def request_token(self, principal: ProvenApplication, scope: str, claims: str | None) -> AccessToken:
        """One token, by the client credentials grant.

        :raises CredentialRefused: the secret, certificate or federated token is wrong or has expired.
        :raises PrincipalNotFound: the tenant or the application is not known.
        :raises SignInError: any other refusal.
        :raises Unreachable: no answer, or one that says to try again.
        """
        http = EntraHttp(self._cloud.ca_file, retries=self._retries)
        question = _Question(principal, on_secret=self._on_secret)
        asked_at = self._clock()
        try:
            found = self._ask(http, question, scope, claims)
            token = read_token(found, asked_at)
            if token is not None:
                self._on_secret(token.token)
                return token
            failure = explain_failure(self._cloud, http.last, found, principal, struck=question.sent)
        except BatchAdError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told in our own words
            failure = explain_failure(self._cloud, http.last, error, principal, struck=question.sent)
            self._http_cache.clear()
            raise failure from None  # the SDKs' own texts repeat what was sent or read
        finally:
            http.close()
        self._http_cache.clear()
        raise failure

    def _ask(self, http: EntraHttp, question: _Question, scope: str, claims: str | None) -> Any:
        import msal

        # A client of its own for each token: MSAL's cache would answer a refused token again, and does not
        # answer one of less than five minutes at all. Making it reads the tenant's discovery document.
        principal = question.principal
        question.application = application = msal.ConfidentialClientApplication(
            principal.client_id,
            client_credential=question.credential(),
            authority=f"{self._cloud.authority}/{principal.tenant_id}",
            instance_discovery=False if self._cloud.custom else None,
            azure_region=False if self._cloud.custom else None,
            http_client=http,
            http_cache=self._http_cache,
        )
        return application.acquire_token_for_client(scopes=[scope], claims_challenge=claims)


class _Question:
    """One question to Entra ID, with the proof that goes with it.

    :ivar sent: every secret that was sent, so that no message repeats it.
    """

    def __init__(self, principal: ProvenApplication, *, on_secret: Callable[[str], None]) -> None:
        self.principal = principal
        self.application: msal.ConfidentialClientApplication | None = None
        self.sent: list[str] = []
        self._on_secret = on_secret

    def credential(self) -> Any:
        """The proof as MSAL takes it."""
        principal = self.principal
        match principal:
            case ClientSecret():
                self.sent.append(principal.secret)
                return principal.secret
            case FederatedToken():
                self.sent.append(principal.assertion)
                return {"client_assertion": lambda: principal.assertion}
            case ClientCertificate():
                return {"client_assertion": lambda: self._sign(principal)}
            case _ as never:
                assert_never(never)

    def _sign(self, principal: ClientCertificate) -> str:
        from airflow_provider_batchad.identity.client_assertion import sign_assertion

        if self.application is None:
            raise TypeError("MSAL asks for the assertion when it asks for a token")
        assertion = sign_assertion(
            principal.certificate,
            client_id=principal.client_id,
            token_endpoint=self.application.authority.token_endpoint,
        )
        self._on_secret(assertion)
        self.sent.append(assertion)
        return assertion
