"""What a pool's virtual machines are made of: ``virtualMachineConfiguration`` and what stands in it.

Taken as the REST API defines it and shown as it was given. Of the machine itself nothing is acted out: a
node's tasks are processes of this machine, whatever disks and security settings its pool asks for.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from airflow_provider_batchad.local.batch.errors import invalid_property
from airflow_provider_batchad.local.batch.wire.types import (
    Int32,
    Unsupported,
    WholeNumber,
    WireModel,
    one_of,
    refuse_unsupported,
)

Caching = Annotated[str, AfterValidator(one_of("none", "readonly", "readwrite"))]
StorageType = Annotated[str, AfterValidator(one_of("standard_lrs", "premium_lrs", "standardssd_lrs"))]

# Recorded: what an image id must look like, and the reason that is given where it does not.
_GALLERY_IMAGE: Final = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Compute/galleries/[^/]+/images/[^/]+"
    r"(/versions/[^/]+)?",
    re.IGNORECASE,
)
_GALLERY_REASON: Final = (
    "The specified resource id must be of the format /subscriptions/{subscriptionId}/resourceGroups/"
    "{resourceGroupName}/providers/Microsoft.Compute/galleries/{galleryName}/images/{galleryImageName}/versions/"
    "{galleryImageVersionName}"
)


class ImageReference(WireModel):
    """``BatchVmImageReference``."""

    publisher: str | None = None
    offer: str | None = None
    sku: str | None = None
    version: str | None = None
    virtual_machine_image_id: str | None = None
    shared_gallery_image_id: str | None = None
    community_gallery_image_id: str | None = None


class WindowsConfiguration(WireModel):
    """``WindowsConfiguration``."""

    enable_automatic_updates: bool | None = None


class IdentityReference(WireModel):
    """``BatchNodeIdentityReference`` and ``BatchPoolIdentityReference``."""

    resource_id: str | None = None


class DiskEncryptionSet(WireModel):
    """``DiskEncryptionSetParameters``."""

    id: str | None = None


class DiskSecurityProfile(WireModel):
    """``BatchVmDiskSecurityProfile``."""

    security_encryption_type: (
        Annotated[str, AfterValidator(one_of("DiskWithVMGuestState", "NonPersistedTPM", "VMGuestStateOnly"))]
        | None
    ) = None


class ManagedDisk(WireModel):
    """``ManagedDisk``."""

    disk_encryption_set: DiskEncryptionSet | None = None
    storage_account_type: StorageType | None = None
    security_profile: DiskSecurityProfile | None = None


class DataDisk(WireModel):
    """``DataDisk``."""

    lun: Annotated[WholeNumber, Field(ge=0, le=63)]
    caching: Caching | None = None
    disk_size_gb: Annotated[WholeNumber, Field(ge=1, le=2**31 - 1, alias="diskSizeGB")]
    managed_disk: ManagedDisk | None = None


class ContainerRegistry(WireModel):
    """``ContainerRegistryReference``."""

    username: str | None = None
    password: str | None = Field(default=None, repr=False, exclude=True)
    registry_server: str | None = None
    identity_reference: IdentityReference | None = None


class ContainerConfiguration(WireModel):
    """``BatchContainerConfiguration``."""

    type: Annotated[str, AfterValidator(one_of("dockerCompatible", "criCompatible"))]
    container_image_names: list[str] | None = None
    container_registries: list[ContainerRegistry] | None = None


class CustomerManagedKey(WireModel):
    """``DiskCustomerManagedKey``."""

    identity_reference: IdentityReference | None = None
    key_url: str | None = None
    rotation_to_latest_key_version_enabled: bool | None = None


class DiskEncryption(WireModel):
    """``DiskEncryptionConfiguration``."""

    customer_managed_key: CustomerManagedKey | None = None
    targets: list[Annotated[str, AfterValidator(one_of("osdisk", "temporarydisk"))]] | None = None


class NodePlacement(WireModel):
    """``BatchNodePlacementConfiguration``."""

    policy: Annotated[str, AfterValidator(one_of("regional", "zonal"))] | None = None


class EphemeralDisk(WireModel):
    """``BatchDiffDiskSettings``."""

    placement: Annotated[str, AfterValidator(one_of("cachedisk"))] | None = None


class OsDisk(WireModel):
    """``BatchOsDisk``."""

    ephemeral_os_disk_settings: EphemeralDisk | None = Field(default=None, alias="ephemeralOSDiskSettings")
    caching: Caching | None = None
    disk_size_gb: Int32 | None = Field(default=None, alias="diskSizeGB")
    managed_disk: ManagedDisk | None = None
    write_accelerator_enabled: bool | None = None


class HostEndpoint(WireModel):
    """``HostEndpointSettings``."""

    in_vm_access_control_profile_reference_id: str | None = Field(
        default=None, alias="inVMAccessControlProfileReferenceId"
    )
    mode: Annotated[str, AfterValidator(one_of("Audit", "Enforce"))] | None = None


class ProxyAgent(WireModel):
    """``ProxyAgentSettings``."""

    enabled: bool | None = None
    imds: HostEndpoint | None = None
    wire_server: HostEndpoint | None = None


class Uefi(WireModel):
    """``BatchUefiSettings``."""

    secure_boot_enabled: bool | None = None
    v_tpm_enabled: bool | None = Field(default=None, alias="vTpmEnabled")


class SecurityProfile(WireModel):
    """``SecurityProfile``."""

    encryption_at_host: bool | None = None
    proxy_agent_settings: ProxyAgent | None = None
    security_type: Annotated[str, AfterValidator(one_of("trustedLaunch", "confidentialvm"))] | None = None
    uefi_settings: Uefi | None = None


class ServiceArtifact(WireModel):
    """``ServiceArtifactReference``."""

    id: str


class VirtualMachineConfiguration(WireModel):
    """``VirtualMachineConfiguration``."""

    image_reference: ImageReference
    node_agent_sku_id: Annotated[str, Field(min_length=1, alias="nodeAgentSKUId")]
    windows_configuration: WindowsConfiguration | None = None
    data_disks: list[DataDisk] | None = None
    license_type: str | None = None
    container_configuration: ContainerConfiguration | None = None
    disk_encryption_configuration: DiskEncryption | None = None
    node_placement_configuration: NodePlacement | None = None
    extensions: Unsupported = None
    os_disk: OsDisk | None = None
    security_profile: SecurityProfile | None = None
    service_artifact_reference: ServiceArtifact | None = None


def check_machine(machine: VirtualMachineConfiguration) -> None:
    """Whether pools can have such machines here.

    :raises BatchError: an image id that the service does not take, no image at all, or extensions, which
        would have to be run on the machine.
    """
    refuse_unsupported(machine, "extensions")
    image = machine.image_reference
    image_id = image.virtual_machine_image_id
    if image_id is not None and _GALLERY_IMAGE.fullmatch(image_id) is None:
        raise invalid_property("virtualMachineImageId", image_id, _GALLERY_REASON)
    ids = (image_id, image.shared_gallery_image_id, image.community_gallery_image_id)
    if not any(ids) and not (image.publisher and image.offer and image.sku):
        raise invalid_property(
            "imageReference",
            _describe(image),
            "The image must be given by publisher, offer and sku, or by an id",
        )


def _describe(image: ImageReference) -> str:
    given: dict[str, Any] = image.to_wire()
    return ", ".join(f"{name}: {value}" for name, value in given.items())
