"""The endpoints of each Azure cloud, and those of the clouds that the Airflow configuration defines.

A connection picks a cloud by its name only: whoever may edit connections can then neither send a token to
a host of their own nor ask for one for another resource.
"""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from airflow_provider_batchad.errors import CloudConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOOPBACK_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_CLOUD_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,62}", re.ASCII)
_SUFFIX: Final = re.compile(
    r"(?:\[::1\]|[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*)(?::(?P<port>[0-9]{1,5}))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureCloud:
    """Where one cloud's services are, and for which resources their tokens are.

    :param authority: Entra ID's address, without a path.
    :param batch_resource: the application ID URI of Batch, its trailing slash included: the token's
        audience is the scope less ``/.default``, and Batch expects the slash in it.
    :param batch_suffix: what a Batch account's host name ends with; a custom cloud's may carry a port.
    :param vault_suffix: what a key vault's host name ends with; a custom cloud's may carry a port.
    :param management: Azure Resource Manager's address.
    :param storage_resource: for tokens of Blob storage; Microsoft's clouds have one for all.
    :param blob_suffix: what a storage account's host for blobs ends with; ``None``: no blob is read there.
    :param portal: the Azure portal's address, where the cloud has one.
    :param ca_file: a file of PEM certificates to trust instead of the machine's own.
    :param custom: defined by the Airflow configuration, not by Microsoft.
    """

    name: str
    authority: str
    batch_resource: str
    batch_suffix: str
    vault_resource: str
    vault_suffix: str
    management: str
    management_resource: str
    storage_resource: str = "https://storage.azure.com"
    blob_suffix: str | None = None
    portal: str | None = None
    ca_file: str | None = None
    custom: bool = False

    @property
    def batch_scope(self) -> str:
        """The v2 scope of Batch; the double slash in it is right."""
        return f"{self.batch_resource}/.default"

    @property
    def vault_scope(self) -> str:
        return f"{self.vault_resource}/.default"

    @property
    def management_scope(self) -> str:
        return f"{self.management_resource}/.default"

    @property
    def storage_scope(self) -> str:
        return f"{self.storage_resource}/.default"

    @property
    def verify_challenge_resource(self) -> bool:
        """Whether Key Vault's client may check that the vault's host lies below the resource's host.

        azure-keyvault-secrets wants it so for every vault; a custom cloud may have its vaults elsewhere.
        """
        if not self.custom:
            return True
        if is_loopback(self.vault_suffix):
            return False
        return f".{self.vault_suffix}".endswith(f".{urlsplit(self.vault_resource).netloc.lower()}")


PUBLIC: Final = AzureCloud(
    name="public",
    authority="https://login.microsoftonline.com",
    batch_resource="https://batch.core.windows.net/",
    batch_suffix="batch.azure.com",
    vault_resource="https://vault.azure.net",
    vault_suffix="vault.azure.net",
    management="https://management.azure.com",
    management_resource="https://management.core.windows.net/",
    blob_suffix="blob.core.windows.net",
    portal="https://portal.azure.com",
)
US_GOVERNMENT: Final = AzureCloud(
    name="us_government",
    authority="https://login.microsoftonline.us",
    batch_resource="https://batch.core.usgovcloudapi.net/",
    batch_suffix="batch.usgovcloudapi.net",
    vault_resource="https://vault.usgovcloudapi.net",
    vault_suffix="vault.usgovcloudapi.net",
    management="https://management.usgovcloudapi.net",
    management_resource="https://management.core.usgovcloudapi.net/",
    blob_suffix="blob.core.usgovcloudapi.net",
    portal="https://portal.azure.us",
)
CHINA: Final = AzureCloud(
    name="china",
    authority="https://login.chinacloudapi.cn",
    batch_resource="https://batch.chinacloudapi.cn/",
    batch_suffix="batch.chinacloudapi.cn",
    vault_resource="https://vault.azure.cn",
    vault_suffix="vault.azure.cn",
    management="https://management.chinacloudapi.cn",
    management_resource="https://management.core.chinacloudapi.cn/",
    blob_suffix="blob.core.chinacloudapi.cn",
    portal="https://portal.azure.cn",
)
MICROSOFT_CLOUDS: Final[Mapping[str, AzureCloud]] = MappingProxyType(
    {cloud.name: cloud for cloud in (PUBLIC, US_GOVERNMENT, CHINA)}
)

_ADDRESSES: Final = ("authority", "management")
_RESOURCES: Final = ("batch_resource", "vault_resource", "management_resource")
_SUFFIXES: Final = ("batch_suffix", "vault_suffix")
_REQUIRED: Final = (*_ADDRESSES, *_RESOURCES, *_SUFFIXES)
CUSTOM_CLOUD_KEYS: Final = (
    "authority",
    "batch_resource",
    "batch_suffix",
    "vault_resource",
    "vault_suffix",
    "management",
    "management_resource",
    "storage_resource",
    "blob_suffix",
    "ca_file",
)


def is_loopback(suffix: str) -> bool:
    """Whether a suffix is this machine itself; a service is then that host, with no label before it."""
    host, _, port = suffix.rpartition(":")
    return suffix in _LOOPBACK_HOSTS or (host in _LOOPBACK_HOSTS and port.isdigit())


def find_cloud(name: str, custom: Mapping[str, AzureCloud]) -> AzureCloud:
    """The cloud of this name.

    :param custom: what :func:`parse_custom_clouds` read.
    :raises CloudConfigurationError: there is none; the text lists those there are, not the name asked for.
    """
    cloud = MICROSOFT_CLOUDS.get(name) or custom.get(name)
    if cloud is None:
        known = ", ".join([*MICROSOFT_CLOUDS, *custom])
        raise CloudConfigurationError(
            f"there is no cloud of that name; known are: {known}.",
            remedy="Other clouds are defined by the Airflow configuration, section [batchad], option clouds.",
        )
    return cloud


def parse_custom_clouds(text: str | None) -> dict[str, AzureCloud]:
    """Read the Airflow option ``[batchad] clouds``: one JSON object, from a cloud's name to its keys.

    :param text: the option's value; ``None`` and blank mean none.
    :raises CloudConfigurationError: naming the cloud and the key at fault.
    """
    if text is None or not text.strip():
        return {}
    try:
        document = json.loads(text)
    except ValueError as error:
        raise CloudConfigurationError(
            f"[batchad] clouds is not JSON: {error}.",
            remedy='Write one object: {"name": {"authority": "https://…", …}}.',
        ) from None
    if not isinstance(document, dict):
        raise CloudConfigurationError(
            "[batchad] clouds is not a JSON object.",
            remedy='Write one object: {"name": {"authority": "https://…", …}}.',
        )
    return {name: _parse_cloud(name, keys) for name, keys in document.items()}


def _parse_cloud(name: str, keys: object) -> AzureCloud:
    if name in MICROSOFT_CLOUDS:
        raise CloudConfigurationError(
            f"[batchad] clouds: {name!r} is one of Microsoft's and cannot be defined again.",
            cloud=name,
            remedy="Give your cloud another name.",
        )
    if not _CLOUD_NAME.fullmatch(name):
        raise CloudConfigurationError(
            f"[batchad] clouds: {name!r} is no name for a cloud.",
            cloud=name,
            remedy="Use lower-case letters, digits, '-' and '_', a letter first.",
        )
    if not isinstance(keys, dict):
        raise CloudConfigurationError(
            f"[batchad] clouds: {name!r} is not a JSON object of the keys {', '.join(CUSTOM_CLOUD_KEYS)}.",
            cloud=name,
        )
    for key in keys:
        if key not in CUSTOM_CLOUD_KEYS:
            closest = difflib.get_close_matches(key, CUSTOM_CLOUD_KEYS, n=1)
            raise _key_error(
                name,
                key,
                "is not known",
                f"Did you mean {closest[0]!r}?"
                if closest
                else f"The keys are: {', '.join(CUSTOM_CLOUD_KEYS)}.",
            )
    for key in _REQUIRED:
        if key not in keys:
            raise _key_error(name, key, "is missing", f"For example {getattr(PUBLIC, key)!r}.")
    ca_file, blob_suffix = keys.get("ca_file"), keys.get("blob_suffix")
    return AzureCloud(
        name=name,
        **{key: _address(name, key, keys[key]) for key in _ADDRESSES},
        **{key: _resource(name, key, keys[key]) for key in _RESOURCES},
        **{key: _suffix(name, key, keys[key]) for key in _SUFFIXES},
        storage_resource=_resource(
            name, "storage_resource", keys.get("storage_resource", PUBLIC.storage_resource)
        ),
        blob_suffix=None if blob_suffix is None else _suffix(name, "blob_suffix", blob_suffix),
        ca_file=None if ca_file is None else _file(name, ca_file),
        custom=True,
    )


def _key_error(cloud: str, key: str, what: str, remedy: str) -> CloudConfigurationError:
    return CloudConfigurationError(
        f"[batchad] clouds, cloud {cloud!r}: {key!r} {what}.", cloud=cloud, key=key, remedy=remedy
    )


def _address(cloud: str, key: str, value: object) -> str:
    problem = "is not the https address of a host"
    remedy = f"Write it as {getattr(PUBLIC, key)!r}, a port if need be, without a path."
    parts = _split(value)
    if parts is None or not isinstance(value, str):
        raise _key_error(cloud, key, problem, remedy)
    scheme, netloc, rest = parts
    if scheme != "https" or rest not in ("", "/") or not _is_host(netloc):
        raise _key_error(cloud, key, problem, remedy)
    return f"https://{netloc}"


def _resource(cloud: str, key: str, value: object) -> str:
    parts = _split(value)
    if parts is None or not isinstance(value, str) or parts[0] not in ("https", "api") or not parts[1]:
        raise _key_error(cloud, key, "is not the URI of a resource", f"For example {getattr(PUBLIC, key)!r}.")
    return value.strip()


def _suffix(cloud: str, key: str, value: object) -> str:
    text = value.strip().lower().removeprefix(".") if isinstance(value, str) else ""
    if not _is_host(text):
        raise _key_error(
            cloud,
            key,
            "is not the end of a host name",
            f"For example {getattr(PUBLIC, key)!r}, with a port if need be.",
        )
    return text


def _file(cloud: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _key_error(cloud, "ca_file", "is not the path of a file", "Name a file of PEM certificates.")
    return value.strip()


def _is_host(text: str) -> bool:
    match = _SUFFIX.fullmatch(text)
    return match is not None and (match["port"] is None or 0 < int(match["port"]) < 65536)


def _split(value: object) -> tuple[str, str, str] | None:
    """Scheme, host with port in lower case, and the rest; nothing where it is no URL."""
    if not isinstance(value, str):
        return None
    try:
        parts = urlsplit(value.strip())
    except ValueError:
        return None
    rest = parts.path + (f"?{parts.query}" if parts.query else "") + parts.fragment
    return parts.scheme, parts.netloc.lower(), rest
