"""A token of another issuer as an application's proof: workload identity federation."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import jwt

from airflow_provider_batchad.local.entra import assertion_errors as refused
from airflow_provider_batchad.local.entra.errors import NO_FEDERATED_IDENTITY, SignInRefused

if TYPE_CHECKING:
    from airflow_provider_batchad.local.entra.application import Application, FederatedCredential
    from airflow_provider_batchad.local.entra.client_assertion import Assertion

# "Workload identity federation": the issuer signs with RS256.
_ALGORITHMS: Final = ("RS256",)


class TrustedIssuers:
    """The keys of the issuers whose metadata Entra ID can read.

    The real service fetches them from the issuer. Nothing here asks the network: an issuer's keys are given.
    """

    def __init__(self) -> None:
        self._keys: dict[str, jwt.PyJWKSet] = {}
        self._published: dict[str, dict[str, Any]] = {}
        self._readers: dict[str, Callable[[], dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def publish(self, issuer: str, keys: dict[str, Any]) -> None:
        """Let an issuer's JSON Web Key Set be known, in place of an earlier one.

        :raises ValueError: it is none.
        """
        try:
            published = jwt.PyJWKSet.from_dict(keys)
        except jwt.PyJWTError as error:
            raise ValueError(f"not a JSON Web Key Set: {error}") from None
        with self._lock:
            self._keys[issuer] = published
            self._published[issuer] = keys

    def register(self, issuer: str, read_keys: Callable[[], dict[str, Any]]) -> None:
        """Let an issuer's keys be read when its first token comes."""
        with self._lock:
            self._readers[issuer] = read_keys

    def keys_of(self, issuer: str) -> jwt.PyJWKSet | None:
        """The issuer's keys; ``None`` where they cannot be had."""
        reader = self._readers.get(issuer)
        if issuer not in self._keys and issuer in self._published:
            self.publish(issuer, self._published[issuer])
        elif issuer not in self._keys and reader is not None:
            self.publish(issuer, reader())
        return self._keys.get(issuer)


def verify_federated(
    assertion: Assertion, application: Application, issuers: TrustedIssuers, *, now: float
) -> None:
    """Check a token against the application's federated credentials, then with the issuer's keys.

    :raises SignInRefused: it does not hold.
    """
    credential = _match(assertion, application.federated_credentials)
    keys = issuers.keys_of(credential.issuer)
    if keys is None:
        raise SignInRefused(refused.FEDERATED_METADATA)
    key_id = str(assertion.header.get("kid", ""))
    key = next((one for one in keys.keys if one.key_id == key_id), None)
    if key is None:
        raise SignInRefused(refused.FEDERATED_KEY, key_id=key_id, issuer=credential.issuer)
    try:
        jwt.decode(
            assertion.text,
            key,
            algorithms=list(_ALGORITHMS),
            options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
    except jwt.PyJWTError:
        raise SignInRefused(refused.FEDERATED_SIGNATURE) from None
    assertion.check_times(now)


def _match(assertion: Assertion, credentials: tuple[FederatedCredential, ...]) -> FederatedCredential:
    issuer = str(assertion.claims.get("iss", ""))
    subject = str(assertion.claims.get("sub", ""))
    audiences = assertion.audiences()
    of_issuer = [one for one in credentials if one.issuer == issuer]
    if credentials and not of_issuer:
        raise SignInRefused(refused.FEDERATED_ISSUER, issuer=issuer)
    of_subject = [one for one in of_issuer if one.subject == subject]
    if not of_subject:
        if any(one.subject.casefold() == subject.casefold() for one in of_issuer):
            raise SignInRefused(refused.FEDERATED_SUBJECT_CASE, subject=subject)
        raise SignInRefused(NO_FEDERATED_IDENTITY, subject=subject)
    matching = next((one for one in of_subject if one.audience in audiences), None)
    if matching is None:
        raise SignInRefused(refused.FEDERATED_AUDIENCE, audience=", ".join(audiences))
    return matching
