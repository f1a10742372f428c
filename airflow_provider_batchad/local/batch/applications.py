"""The account's applications and the images that pools can be made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class SupportedImage:
    """A marketplace image that the account's node agents run on.

    :param verified: whether the service vouches for it.
    """

    publisher: str
    offer: str
    sku: str
    node_agent: str
    os_type: str = "linux"
    verified: bool = True
    has_containers: bool = False
    end_of_life: str | None = None

    def show(self) -> dict[str, Any]:
        """``BatchSupportedImage``."""
        shown: dict[str, Any] = {
            "imageReference": {
                "publisher": self.publisher,
                "offer": self.offer,
                "sku": self.sku,
                "version": "latest",
            },
            "verificationType": "verified" if self.verified else "unverified",
            "nodeAgentSKUId": self.node_agent,
            "osType": self.os_type,
        }
        if self.has_containers:
            shown["capabilities"] = ["DockerCompatible"]
        if self.end_of_life is not None:
            shown["batchSupportEndOfLife"] = self.end_of_life
        return shown


_UBUNTU: Final = "0001-com-ubuntu-server-"
# A few of those that the service has had for years; the real list has a hundred and changes every month.
SUPPORTED_IMAGES: Final = (
    SupportedImage("almalinux", "almalinux-x86_64", "9-gen2", "batch.node.el 9"),
    SupportedImage(
        "canonical",
        f"{_UBUNTU}focal",
        "20_04-lts",
        "batch.node.ubuntu 20.04",
        end_of_life="2025-04-22T00:00:00Z",
    ),
    SupportedImage("canonical", f"{_UBUNTU}jammy", "22_04-lts", "batch.node.ubuntu 22.04"),
    SupportedImage("canonical", "ubuntu-24_04-lts", "server", "batch.node.ubuntu 24.04"),
    SupportedImage("debian", "debian-12", "12", "batch.node.debian 12", verified=False),
    SupportedImage("microsoft-dsvm", "ubuntu-hpc", "2204", "batch.node.ubuntu 22.04", has_containers=True),
    SupportedImage(
        "microsoftwindowsserver", "windowsserver", "2022-datacenter", "batch.node.windows amd64", "windows"
    ),
)
