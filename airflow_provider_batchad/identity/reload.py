"""Reads a connection again when what it says is refused: somebody may have entered a new secret."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NoReturn

from airflow_provider_batchad.errors import CredentialRefused

if TYPE_CHECKING:
    from airflow_provider_batchad.connection import BatchConnection
    from airflow_provider_batchad.identity.tokens import AccessToken, PrincipalFacts

_log = logging.getLogger(__name__)

# A token for somebody else, or for another cloud, is not what those who hold the client are waiting for.
_THE_SAME: Final = ("account_url", "cloud", "sign_in", "tenant_id", "client_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSource:
    """What asks for tokens, with the claims of a challenge and a token that was refused; and as whom."""

    request: Callable[[str | None, str | None], AccessToken]
    facts: Callable[[], PrincipalFacts]


class ReloadingTokenRequest:
    """Asks as the connection says, and once more as it says by now, where the first was refused.

    :param make: what asks for the tokens of a connection.
    :param reload: the connection as Airflow has it at this moment.
    """

    def __init__(
        self,
        connection: BatchConnection,
        *,
        make: Callable[[BatchConnection], TokenSource],
        reload: Callable[[], BatchConnection],
    ) -> None:
        self._connection = connection
        self._make = make
        self._reload = reload
        self._source = make(connection)

    def __call__(self, claims: str | None, rejected: str | None) -> AccessToken:
        """A token.

        :raises SignInError: no token could be had, as the connection is now either.
        :raises Unreachable: nobody could be asked.
        """
        try:
            return self._source.request(claims, rejected)
        except CredentialRefused:
            edited = self._edited()
            if edited is None:
                raise
        _log.info("The credential was refused; the connection was edited since it was read.")
        source = self._make(edited)
        token = source.request(claims, rejected)
        self._connection, self._source = edited, source
        return token

    def facts(self) -> PrincipalFacts:
        """Who signs in, as far as it is known."""
        return self._source.facts()

    def __reduce__(self) -> NoReturn:
        raise TypeError("what asks for tokens holds secrets and is not pickled: make it where it is needed")

    def _edited(self) -> BatchConnection | None:
        held = self._connection
        try:
            now = self._reload()
        except Exception as error:  # noqa: BLE001 - that it was refused is what has to be told
            _log.warning("The connection could not be read again: %s", type(error).__name__)
            return None
        if any(getattr(now, name) != getattr(held, name) for name in _THE_SAME):
            return None
        return now if replace(now, conn_id="") != replace(held, conn_id="") else None
