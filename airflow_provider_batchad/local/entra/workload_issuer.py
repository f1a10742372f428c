"""The issuer of projected service account tokens, as a Kubernetes cluster with workload identity has one."""

from __future__ import annotations

import secrets
import threading
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from airflow_provider_batchad.local.entra.application import EXCHANGE_AUDIENCE
from airflow_provider_batchad.local.json_answer import answer_json
from airflow_provider_batchad.local.service import operation

if TYPE_CHECKING:
    from airflow_provider_batchad.local.clock import Clock

# AKS: the issuer's URL ends with a slash, and the keys are at openid/v1/jwks below it.
_PATH: Final = "/workload-identity/"


class WorkloadIssuer:
    """Signs tokens with a key of its own, and publishes the other half of it.

    :param on_secret: told a token before anybody is given it.
    """

    def __init__(self, *, clock: Clock, on_secret: Callable[[str], None]) -> None:
        self._clock = clock
        self._on_secret = on_secret
        self._lock = threading.Lock()
        self._made_key: rsa.RSAPrivateKey | None = None
        self._key_id = secrets.token_urlsafe(32)
        self.url = ""

    @property
    def _key(self) -> rsa.RSAPrivateKey:
        # Made with the first token: most runs need none, and a key takes longer than the rest of the start.
        with self._lock:
            if self._made_key is None:
                self._made_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            return self._made_key

    def move_to(self, base_url: str) -> None:
        """Tell it the address that it is served at, which is its name as well."""
        self.url = f"{base_url}{_PATH}"

    def issue(
        self, subject: str, *, audience: str = EXCHANGE_AUDIENCE, lifetime_seconds: float = 3600.0
    ) -> str:
        """A token for a service account, ``system:serviceaccount:NAMESPACE:NAME``."""
        now = int(self._clock.time())
        claims = {
            "aud": [audience],
            "exp": int(now + lifetime_seconds),
            "iat": now,
            "iss": self.url,
            "jti": str(uuid.uuid4()),
            "nbf": now,
            "sub": subject,
        }
        token = jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": self._key_id})
        self._on_secret(token)
        return token

    def public_keys(self) -> dict[str, Any]:
        """The JSON Web Key Set."""
        key = jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return {"keys": [{**key, "use": "sig", "alg": "RS256", "kid": self._key_id}]}

    def routes(self) -> list[web.AbstractRouteDef]:
        """Its metadata and its keys."""
        return [
            web.get(f"{_PATH}.well-known/openid-configuration", self.discover),
            web.get(f"{_PATH}openid/v1/jwks", self.list_keys),
        ]

    @operation("Issuer Configuration")
    async def discover(self, _request: web.Request) -> web.StreamResponse:
        """``GET {issuer}.well-known/openid-configuration``."""
        body = {
            "issuer": self.url,
            "jwks_uri": f"{self.url}openid/v1/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        return answer_json(body)

    @operation("Issuer Keys")
    async def list_keys(self, _request: web.Request) -> web.StreamResponse:
        """``GET {issuer}openid/v1/jwks``."""
        return answer_json(self.public_keys())
