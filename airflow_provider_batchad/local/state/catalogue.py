"""Every class that the state holds, with what is left out of it, and why.

A member that is named nowhere here is kept if it is one of a dataclass, by its declared type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import rsa

from airflow_provider_batchad.local.access import DenyAssignment, Role, RoleAssignment, RoleBook
from airflow_provider_batchad.local.batch.attempt import Attempt
from airflow_provider_batchad.local.batch.autoscale import AutoScaleRun
from airflow_provider_batchad.local.batch.command_run import CommandRun
from airflow_provider_batchad.local.batch.dependencies import DependencyTable
from airflow_provider_batchad.local.batch.index import IdIndex
from airflow_provider_batchad.local.batch.job import Job
from airflow_provider_batchad.local.batch.job_schedule import JobSchedule
from airflow_provider_batchad.local.batch.node import Node
from airflow_provider_batchad.local.batch.pool import AutoScale, Pool
from airflow_provider_batchad.local.batch.preparation import JobOnNode
from airflow_provider_batchad.local.batch.run_record import RunRecord
from airflow_provider_batchad.local.batch.task import Execution, Task, TaskResult
from airflow_provider_batchad.local.batch.ticks import TickClock
from airflow_provider_batchad.local.batch.timers import Timer
from airflow_provider_batchad.local.claims_challenge import ClaimsDemand, ClaimsDemands
from airflow_provider_batchad.local.clock import Clock
from airflow_provider_batchad.local.config import TenantConfig
from airflow_provider_batchad.local.entra.application import (
    Application,
    ClientCertificate,
    ClientSecret,
    FederatedCredential,
    TrustedSubject,
)
from airflow_provider_batchad.local.entra.delegation import Delegation, RefreshToken, RefreshTokens
from airflow_provider_batchad.local.entra.directory import Directory, ManagedIdentity, Person
from airflow_provider_batchad.local.entra.federated_assertion import TrustedIssuers
from airflow_provider_batchad.local.entra.scopes import DelegatedScopes
from airflow_provider_batchad.local.entra.tokens import Principal, TokenAuthority
from airflow_provider_batchad.local.entra.workload_issuer import WorkloadIssuer
from airflow_provider_batchad.local.keyvault.vault import DeletedSecret, SecretVersion, Vault
from airflow_provider_batchad.local.machine.identity import MachineIdentity
from airflow_provider_batchad.local.shared_key import AccountKeys, KeyName
from airflow_provider_batchad.local.storage.containers import Blob, BlobContainers
from airflow_provider_batchad.local.storage.routes import Storage
from airflow_provider_batchad.local.storage.shared_access import SharedAccess

# What the entities' modules import for their annotations alone.
NAMES: Final[Mapping[str, Any]] = {
    one.__name__: one
    for one in (
        Attempt,
        AutoScaleRun,
        CommandRun,
        DelegatedScopes,
        IdIndex,
        Job,
        Node,
        Person,
        JobOnNode,
        RunRecord,
        Task,
        TaskResult,
        Timer,
    )
}

# Of dataclasses: what runs, and what is made anew from the rest.
LEFT_OUT: Final[Mapping[type, frozenset[str]]] = {
    AutoScale: frozenset({"timer"}),
    DependencyTable: frozenset({"_waits", "_waiting_for_id", "_waiting_for_range"}),
    Job: frozenset(
        {
            "tasks",  # rows of their own
            "counts",
            "slot_counts",
            "ready",
            "attempts",
            "dependencies",  # a record of its own
            "deadline",
            "manager",  # by id, beside the job
            "on_nodes",  # a list of records, beside the job
        }
    ),
    JobOnNode: frozenset({"prepared", "released", "run"}),
    JobSchedule: frozenset({"timer"}),
    Node: frozenset({"attempts", "free_slots", "running_tasks"}),
    Pool: frozenset({"nodes", "waiting"}),
}

# Of other classes: what is kept of them.
PLAIN_CLASSES: Final[Mapping[type, Mapping[str, Any]]] = {
    AccountKeys: {"_values": dict[KeyName, str]},
    Application: {
        "principal": Principal,
        "redirect_uris": tuple[str, ...],
        "is_public": bool,
        "is_first_party": bool,
        "secrets": tuple[ClientSecret, ...],
        "certificates": tuple[ClientCertificate, ...],
        "federated_credentials": tuple[FederatedCredential, ...],
        "trusted_subjects": tuple[TrustedSubject, ...],
    },
    BlobContainers: {"_containers": dict[str, dict[str, Blob]], "_number": int},
    ClaimsDemands: {"_demands": dict[str, ClaimsDemand]},
    Clock: {"_offset_seconds": float, "_frozen_at": float | None},
    Directory: {
        "_applications": dict[str, Application],
        "_identities": list[ManagedIdentity],
        "_people": list[Person],
        "tenants": tuple[TenantConfig, ...],
    },
    MachineIdentity: {"header": str},
    RefreshTokens: {"_tokens": dict[str, RefreshToken], "_revoked": dict[str, float]},
    RoleBook: {
        "_roles": dict[str, Role],
        "_assignments": dict[str, RoleAssignment],
        "_denials": dict[str, DenyAssignment],
    },
    SharedAccess: {"_account": str, "_key": bytes},
    Storage: {"account_key": str, "_access": SharedAccess},
    TickClock: {"_last": int},
    TokenAuthority: {
        "_key": rsa.RSAPrivateKey,
        "_public_key": rsa.RSAPublicKey,
        "_names": dict[str, str],
        "key_id": str,
    },
    TrustedIssuers: {"_published": dict[str, dict[str, Any]]},
    Vault: {"_versions": dict[str, tuple[SecretVersion, ...]], "_deleted": dict[str, DeletedSecret]},
    WorkloadIssuer: {"_made_key": rsa.RSAPrivateKey | None, "_key_id": str},
}

# Of other classes: what they have beside it, which belongs to the run.
OF_THE_RUN: Final[Mapping[type, frozenset[str]]] = {
    AccountKeys: frozenset({"_on_secret"}),
    BlobContainers: frozenset({"_root", "_lock"}),
    ClaimsDemands: frozenset({"_clock", "_lock"}),
    Clock: frozenset({"_subscribers", "_lock"}),
    # The lifetime of tokens is the configuration's; Microsoft's own applications are local Azure's.
    Directory: frozenset(
        {
            "_config",
            "_clock",
            "_on_secret",
            "_lock",
            "_directory_lock",
            "_first_party",
            "token_lifetime_seconds",
        }
    ),
    MachineIdentity: frozenset({"_directory", "_tokens", "_clock", "_secrets_file", "_workload_issuer"}),
    RefreshTokens: frozenset({"_clock", "_on_secret", "_lock"}),
    RoleBook: frozenset({"_answers", "_lock"}),
    Storage: frozenset({"_url", "_clock", "_files", "_identities", "containers"}),
    TickClock: frozenset({"_clock"}),
    TokenAuthority: frozenset({"_clock", "_verified"}),
    TrustedIssuers: frozenset({"_keys", "_readers", "_lock"}),
    # How many requests a vault admits is a fault like any other, and is not kept.
    Vault: frozenset({"_clock", "_on_secret", "_lock", "throttle"}),
    WorkloadIssuer: frozenset({"_clock", "_on_secret", "_lock", "url"}),
}

# Kept as a whole, by the name of its record.
RECORDS: Final[Mapping[str, type]] = {
    "accountKeys": AccountKeys,
    "claimsDemands": ClaimsDemands,
    "clock": Clock,
    "containers": BlobContainers,
    "delegation": Delegation,
    "dependencies": DependencyTable,
    "directory": Directory,
    "execution": Execution,
    "identity": MachineIdentity,
    "issuers": TrustedIssuers,
    "job": Job,
    "jobOnNode": JobOnNode,
    "node": Node,
    "pool": Pool,
    "refreshTokens": RefreshTokens,
    "roles": RoleBook,
    "schedule": JobSchedule,
    "storage": Storage,
    "task": Task,
    "ticks": TickClock,
    "tokens": TokenAuthority,
    "vault": Vault,
    "workloadIssuer": WorkloadIssuer,
}
