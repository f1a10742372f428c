"""The addresses of local Azure's services."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """The base URL of each service, ``https://localhost:PORT``.

    :param entra: the authority of Microsoft Entra ID.
    :param identity: the machine's managed identities.
    :param batch: the Batch account.
    :param storage: files in place of blobs.
    :param control: the control port.
    :param management: Resource Manager.
    """

    entra: str
    identity: str
    keyvault: str
    batch: str
    storage: str
    control: str
    management: str

    def ports(self) -> dict[str, int]:
        """The port of each service."""
        return {name: int(url.rpartition(":")[2]) for name, url in self.as_dict().items()}

    def as_dict(self) -> dict[str, str]:
        """By the service's name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
