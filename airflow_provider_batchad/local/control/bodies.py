"""What the control port takes, as pydantic models: the one place where its requests are checked."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, model_validator

from airflow_provider_batchad.local.claims_challenge import ChallengingService
from airflow_provider_batchad.local.config import ServiceName
from airflow_provider_batchad.local.entra.application import EXCHANGE_AUDIENCE
from airflow_provider_batchad.local.keyvault.certificates import KeyType
from airflow_provider_batchad.local.resource_ids import ResourceName


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class ClockBody(_Body):
    """``PUT /clock``: exactly one of these."""

    set: AwareDatetime | None = None
    advance_seconds: float | None = Field(default=None, allow_inf_nan=False)
    freeze: Literal[True] | None = None
    run: Literal[True] | None = None
    real: Literal[True] | None = None

    @model_validator(mode="after")
    def _check_one(self) -> ClockBody:
        if len(self.model_fields_set) != 1:
            raise ValueError("give exactly one of set, advance_seconds, freeze, run, real")
        return self


class PreemptionBody(_Body):
    """``POST /batch/pools/{poolId}/preempt``.

    :param node_ids: by default all Spot nodes of the pool.
    :param back_after_seconds: when they are created anew, by the clock; ``null``: never.
    """

    node_ids: list[str] | None = None
    back_after_seconds: float | None = Field(default=60.0, ge=0)


class JobQuotaBody(_Body):
    """``PUT /batch/job-quota``."""

    jobs: int = Field(ge=0)


class ContainerBody(_Body):
    """``POST /storage/containers``: a container, and what the URL in the answer is to permit for how long."""

    name: str
    permissions: str = Field(default="racwdl", pattern="^[racwdl]+$")
    lifetime_seconds: float = Field(default=604_800.0, gt=0.0, le=1e9)


class FaultBody(_Body):
    """``POST /faults``: the fields of ``FaultRule``."""

    service: ServiceName | None = None
    operation: str | None = None
    principal: str | None = None
    when: Literal["before", "after"] = "before"
    status: int | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    code: str | None = None
    body: str | None = None
    broken: Literal["reset", "truncate", "garble", "drip"] | None = None
    delay_seconds: float = Field(default=0.0, ge=0.0)
    hold: bool = False
    skip: int = Field(default=0, ge=0)
    times: int | None = Field(default=None, ge=1)
    probability: float = Field(default=1.0, ge=0.0, le=1.0)
    seed: int = 0


class ClientSecretBody(_Body):
    """``POST /applications/{application}/secrets``.

    ``vault_secret_name`` also stores it in the vault; ``others`` says what becomes of the secrets before it.
    """

    value: SecretStr | None = None
    expires_on: AwareDatetime | None = None
    vault_secret_name: str | None = None
    others: Literal["keep", "expire", "revoke"] = "keep"


class VaultSecretBody(_Body):
    """``PUT /vault/secrets/{name}``: a new version."""

    value: SecretStr
    enabled: bool = True
    not_before: AwareDatetime | None = None
    expires_on: AwareDatetime | None = None


class VaultSecretChangeBody(_Body):
    """``PATCH /vault/secrets/{name}``: of the current version."""

    enabled: bool | None = None
    not_before: AwareDatetime | None = None
    expires_on: AwareDatetime | None = None


class VaultCertificateBody(_Body):
    """``POST /vault/certificates/{name}``: for an application (by name) to sign in with, if one is given."""

    content_type: Literal["application/x-pem-file", "application/x-pkcs12"] = "application/x-pkcs12"
    key_type: KeyType = "RSA"
    exportable: bool = True
    subject: str | None = None
    not_before: AwareDatetime | None = None
    expires_on: AwareDatetime | None = None
    application: str | None = None


class ThrottleBody(_Body):
    """``PUT /vault/throttle``."""

    count: int | None = Field(ge=0)
    seconds: float = Field(default=10.0, gt=0.0)


class AssignmentBody(_Body):
    """``POST /roles/assignments``: ``resource`` stands for a scope that local Azure has."""

    principal: str
    role: str
    resource: ResourceName | None = None
    scope: str | None = None

    @model_validator(mode="after")
    def _check_scope(self) -> AssignmentBody:
        if (self.resource is None) == (self.scope is None):
            raise ValueError("give exactly one of resource, scope")
        return self


class DenialBody(_Body):
    """``POST /denials``: a deny assignment, at the Batch account by default."""

    name: str
    principals: list[str] = Field(default_factory=list)
    actions: list[str] = Field(default_factory=list)
    not_actions: list[str] = Field(default_factory=list)
    data_actions: list[str] = Field(default_factory=list)
    not_data_actions: list[str] = Field(default_factory=list)
    resource: ResourceName | None = None
    scope: str | None = None


class CertificateBody(_Body):
    """``POST /applications/{application}/certificates``."""

    pem: SecretStr


class TrustedSubjectBody(_Body):
    """``POST /applications/{application}/trusted-subjects``."""

    name: str
    authorities_pem: str


class FederatedCredentialBody(_Body):
    """``POST /applications/{application}/federated-credentials``."""

    subject: str
    issuer: str | None = None
    audience: str = EXCHANGE_AUDIENCE
    name: str = ""


class IssuerBody(_Body):
    """``PUT /issuers``: the members of a JSON Web Key Set."""

    issuer: str
    keys: list[dict[str, Any]]


class ClaimsDemandBody(_Body):
    """``POST /claims-demands``: ``principal`` by name."""

    service: ChallengingService
    principal: str | None = None
    capable_only: bool = True


class PersonBody(_Body):
    """``POST /people``."""

    name: str
    display_name: str = ""
    object_id: str = ""
    tenant_id: str | None = None


class WhoBody(_Body):
    """``POST /device-codes/{user_code}/approve``."""

    person: str


class SeatBody(_Body):
    """``PUT /browser``."""

    person: str | None = None


class VisitBody(_Body):
    """``POST /browser/open``: whoever sits at the browser, unless a person is named."""

    url: str
    person: str | None = None


class TokenLifetimeBody(_Body):
    """``PUT /token-lifetime``."""

    seconds: float = Field(gt=0.0)
