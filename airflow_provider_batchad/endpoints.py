"""What the URL of a Batch account, a key vault or a blob container may look like in a cloud, label by label.

A URL that only looks like the right one would send a token to a stranger; so nothing is guessed or mended.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from airflow_provider_batchad.clouds import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_batchad.clouds import AzureCloud

# learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
_ACCOUNT_NAME: Final = re.compile(r"[a-z0-9]{3,24}", re.ASCII)
_REGION: Final = re.compile(r"[a-z0-9]{2,40}", re.ASCII)
_VAULT_NAME: Final = re.compile(r"(?=.{3,24}\Z)[a-z](?:-?[a-z0-9])+", re.ASCII)
_STORAGE_ACCOUNT_NAME: Final = re.compile(r"[a-z0-9]{3,24}", re.ASCII)
_CONTAINER_NAME: Final = re.compile(r"(?=.{3,63}\Z)[a-z0-9](?:-?[a-z0-9])+", re.ASCII)
_URL_CHARACTERS: Final = re.compile(r"[!-\[\]-~]+", re.ASCII)


class EndpointError(ValueError):
    """A URL is not that of the service in the cloud.

    :param what: what is wrong with it, without the URL itself: it may hold a password.
    :param remedy: what a right one looks like.
    """

    def __init__(self, what: str, remedy: str) -> None:
        self.what = what
        self.remedy = remedy
        super().__init__(f"{what} {remedy}")


def check_account_url(url: str, cloud: AzureCloud, clouds: Iterable[AzureCloud]) -> str:
    """The Batch account's URL, in lower case and without a trailing slash.

    :param clouds: all known ones, to say to which of them a foreign host belongs.
    :raises EndpointError: it is another one than ``https://<account>.<region>.<suffix>``.
    """
    expected = f"https://<account>.<region>.{cloud.batch_suffix}"
    if is_loopback(cloud.batch_suffix):
        expected = f"https://{cloud.batch_suffix}"
    remedy = f"Write it as {expected}."
    host = _host(url, remedy)
    if is_loopback(cloud.batch_suffix) and host == cloud.batch_suffix:
        return f"https://{host}"
    labels = _labels_before(host, cloud.batch_suffix)
    if labels is None:
        raise _foreign(host, cloud, {other.name: other.batch_suffix for other in clouds}, remedy)
    if len(labels) == 3 and labels[2] == "service":
        raise EndpointError("is the account's endpoint for its nodes, not for its jobs.", remedy)
    if len(labels) != 2:
        raise EndpointError(
            f"has {len(labels)} labels before {cloud.batch_suffix!r}, and not two: account and region.",
            remedy,
        )
    if not _ACCOUNT_NAME.fullmatch(labels[0]):
        raise EndpointError(
            "begins with what cannot be the name of a Batch account: 3 to 24 letters and digits.", remedy
        )
    if not _REGION.fullmatch(labels[1]):
        raise EndpointError("has a second label that cannot be a region: letters and digits.", remedy)
    return f"https://{host}"


def check_vault_url(url: str, cloud: AzureCloud, clouds: Iterable[AzureCloud]) -> str:
    """The key vault's URL, in lower case and without a trailing slash.

    :param clouds: all known ones, to say to which of them a foreign host belongs.
    :raises EndpointError: it is another one than ``https://<vault>.<suffix>``.
    """
    expected = f"https://<vault>.{cloud.vault_suffix}"
    if is_loopback(cloud.vault_suffix):
        expected = f"https://{cloud.vault_suffix}"
    remedy = f"Write it as {expected}, and a secret's name in the field for that name."
    host = _host(url, remedy)
    if is_loopback(cloud.vault_suffix) and host == cloud.vault_suffix:
        return f"https://{host}"
    if "managedhsm" in host.split("."):
        raise EndpointError("is a managed HSM: that holds keys, not secrets.", remedy)
    labels = _labels_before(host, cloud.vault_suffix)
    if labels is None:
        raise _foreign(host, cloud, {other.name: other.vault_suffix for other in clouds}, remedy)
    if len(labels) != 1:
        raise EndpointError(
            f"has {len(labels)} labels before {cloud.vault_suffix!r}, and not one: the vault's name.", remedy
        )
    if not _VAULT_NAME.fullmatch(labels[0]):
        raise EndpointError(
            "begins with what cannot be a vault's name: 3 to 24 letters, digits and single hyphens.", remedy
        )
    return f"https://{host}"


def check_container_url(url: str, cloud: AzureCloud, clouds: Iterable[AzureCloud]) -> str:
    """The URL of a blob container, its host in lower case, without a trailing slash.

    :param clouds: all known ones, to say to which of them a foreign host belongs.
    :raises EndpointError: it is another one than ``https://<account>.<suffix>/<container>``.
    """
    suffix = cloud.blob_suffix
    if suffix is None:
        raise EndpointError(
            f"cannot be read: the cloud {cloud.name!r} has no 'blob_suffix'.",
            "Add it to the Airflow configuration, [batchad] clouds.",
        )
    local = is_loopback(suffix)
    expected = (
        f"https://{suffix}/<account>/<container>" if local else f"https://<account>.{suffix}/<container>"
    )
    remedy = f"Write it as {expected}."
    address, _, path = url.rstrip("/").partition("://")[2].partition("/")
    host = _host(f"{url.partition('://')[0]}://{address}", remedy)
    account, _, container = path.rpartition("/")
    if local and host == suffix:
        labels: list[str] | None = [account]
    else:
        labels, container = _labels_before(host, suffix), path
    if labels is None:
        others = {other.name: other.blob_suffix for other in clouds if other.blob_suffix}
        raise _foreign(host, cloud, others, remedy)
    if len(labels) != 1 or not _STORAGE_ACCOUNT_NAME.fullmatch(labels[0]):
        raise EndpointError("does not name one storage account: 3 to 24 letters and digits.", remedy)
    if not _CONTAINER_NAME.fullmatch(container):
        raise EndpointError(
            "does not name one container: 3 to 63 lower-case letters, digits and single hyphens.", remedy
        )
    return f"https://{host}/{path}"


def _host(url: str, remedy: str) -> str:
    """The host, with the port where there is one, of an https URL that has nothing else."""
    if not _URL_CHARACTERS.fullmatch(url):
        raise EndpointError("holds characters that no such URL has.", remedy)
    try:
        parts = urlsplit(url)
    except ValueError:
        raise EndpointError("is not a URL.", remedy) from None
    if parts.scheme == "http":
        raise EndpointError("begins with http://, and a token is sent over TLS only.", remedy)
    if parts.scheme != "https" or not parts.netloc:
        raise EndpointError("does not begin with https://.", remedy)
    if "@" in parts.netloc:
        raise EndpointError("holds a user name or password.", remedy)
    if parts.path not in ("", "/"):
        raise EndpointError("has a path after the host.", remedy)
    if "?" in url or "#" in url:
        raise EndpointError("has a query or fragment after the host.", remedy)
    host = parts.netloc.lower()
    if "privatelink" in host.split(".") or ".vaultcore." in host:
        raise EndpointError("is a private link's name: use the public name, your DNS resolves it.", remedy)
    return host


def _labels_before(host: str, suffix: str) -> list[str] | None:
    if is_loopback(suffix) or not host.endswith(f".{suffix}"):
        return None
    return host.removesuffix(f".{suffix}").split(".")


def _foreign(host: str, cloud: AzureCloud, suffixes: dict[str, str], remedy: str) -> EndpointError:
    name, colon, _ = host.rpartition(":")
    for cloud_name, suffix in suffixes.items():
        if cloud_name == cloud.name:
            if colon and name.endswith(f".{suffix}"):
                return EndpointError("has a port; only a cloud of your own can have one.", remedy)
        elif host == suffix or host.endswith(f".{suffix}"):
            return EndpointError(
                f"is in the cloud {cloud_name!r}, and this connection's cloud is {cloud.name!r}.",
                f"Choose {cloud_name!r} in the field 'cloud', or: {remedy[0].lower()}{remedy[1:]}",
            )
    return EndpointError(f"is not a host of the cloud {cloud.name!r}.", remedy)
