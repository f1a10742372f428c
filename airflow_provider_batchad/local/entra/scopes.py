"""What a token is asked for: the audience by Entra ID's rule, and the scopes of a person's sign-in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from airflow_provider_batchad.local.entra import errors
from airflow_provider_batchad.local.entra.errors import SignInRefused
from airflow_provider_batchad.local.entra.grant_errors import SEVERAL_RESOURCES

_DEFAULT: Final = "/.default"
_IDENTITY_SCOPES: Final = ("openid", "profile", "email", "offline_access")
_USER_IMPERSONATION: Final = "user_impersonation"
# Where only the person is asked for, the token is for Microsoft Graph.
_GRAPH: Final = "https://graph.microsoft.com"


def audience_of_scope(scope: str) -> str:
    """The audience by Entra ID's rule: the scope less one ``/.default``, so that a double slash leaves one.

    :raises SignInRefused: more than one scope, or no ``/.default``.
    """
    scopes = scope.split()
    if len(scopes) != 1:
        raise SignInRefused(errors.SCOPE_INVALID, scope=scope)
    if not scopes[0].endswith(_DEFAULT):
        raise SignInRefused(errors.SCOPE_NOT_DEFAULT, scope=scopes[0])
    return scopes[0].removesuffix(_DEFAULT)


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegatedScopes:
    """What a person's sign-in is to give.

    :param audience: of the access token.
    :param permissions: what the application may do there on the person's behalf, as the token's ``scp``.
    :param wants_id_token: ``openid``.
    :param wants_refresh_token: ``offline_access``.
    """

    audience: str
    permissions: tuple[str, ...]
    wants_id_token: bool
    wants_refresh_token: bool

    @classmethod
    def parse(cls, scope: str) -> Self:
        """The scopes of a v2 request, in any order.

        :raises SignInRefused: they are of two resources, or none that could be.
        """
        words = scope.split()
        of_resources = [word for word in words if word.casefold() not in _IDENTITY_SCOPES]
        split = [_split(word, whole=scope) for word in of_resources]
        audiences = list(dict.fromkeys(audience for audience, _ in split)) or [_GRAPH]
        if len(audiences) > 1:
            raise SignInRefused(SEVERAL_RESOURCES, scope=scope)
        named = (_USER_IMPERSONATION if name == ".default" else name for _, name in split)
        return cls(
            audience=audiences[0],
            permissions=tuple(dict.fromkeys(named)) or ("User.Read",),
            wants_id_token="openid" in words,
            wants_refresh_token="offline_access" in words,
        )

    @classmethod
    def of_resource(cls, resource: str) -> Self:
        """Those of a v1 request, which gives everything."""
        return cls(
            audience=resource,
            permissions=(_USER_IMPERSONATION,),
            wants_id_token=True,
            wants_refresh_token=True,
        )

    def describe(self) -> str:
        """The ``scope`` of an answer: each permission in full, and the default that clients look for."""
        granted = [f"{self.audience}/{name}" for name in self.permissions]
        return " ".join([*granted, f"{self.audience}{_DEFAULT}"])


def _split(word: str, *, whole: str) -> tuple[str, str]:
    if "://" not in word:
        # A permission without a resource is one of Microsoft Graph's.
        return _GRAPH, word
    audience, _, name = word.rpartition("/")
    if not name or audience.endswith(":/"):
        raise SignInRefused(errors.SCOPE_INVALID, scope=whole)
    return audience, name
