"""A pool's network, user accounts and upgrades: taken and shown; nodes show the endpoints."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from airflow_provider_batchad.local.batch.errors import BatchError
from airflow_provider_batchad.local.batch.wire.types import Duration, Int32, WholeNumber, WireModel, one_of

Port = Annotated[WholeNumber, Field(ge=1, le=65_535)]
Percent = Annotated[WholeNumber, Field(ge=0, le=100)]
Elevation = Annotated[str, AfterValidator(one_of("nonadmin", "admin"))]


class SecurityRule(WireModel):
    """``NetworkSecurityGroupRule``."""

    priority: Annotated[WholeNumber, Field(ge=150, le=4096)]
    access: Annotated[str, AfterValidator(one_of("allow", "deny"))]
    source_address_prefix: str
    source_port_ranges: list[str] | None = None


class InboundNatPool(WireModel):
    """``BatchInboundNatPool``."""

    name: Annotated[str, Field(min_length=1, max_length=77)]
    protocol: Annotated[str, AfterValidator(one_of("tcp", "udp"))]
    backend_port: Port
    frontend_port_range_start: Port
    frontend_port_range_end: Port
    network_security_group_rules: list[SecurityRule] | None = None


class EndpointConfiguration(WireModel):
    """``BatchPoolEndpointConfiguration``."""

    inbound_nat_pools: Annotated[list[InboundNatPool], Field(max_length=5, alias="inboundNATPools")]


class IpTag(WireModel):
    """``IPTag``."""

    ip_tag_type: str | None = None
    tag: str | None = None


class PublicAddress(WireModel):
    """``BatchPublicIpAddressConfiguration``."""

    provision: (
        Annotated[str, AfterValidator(one_of("batchmanaged", "usermanaged", "nopublicipaddresses"))] | None
    ) = None
    ip_families: list[Annotated[str, AfterValidator(one_of("IPv4", "IPv6"))]] | None = None
    ip_address_ids: list[str] | None = None
    ip_tags: list[IpTag] | None = None


class NetworkConfiguration(WireModel):
    """``NetworkConfiguration``."""

    subnet_id: str | None = None
    dynamic_vnet_assignment_scope: Annotated[str, AfterValidator(one_of("none", "job"))] | None = Field(
        default=None, alias="dynamicVNetAssignmentScope"
    )
    endpoint_configuration: EndpointConfiguration | None = None
    public_ip_address_configuration: PublicAddress | None = Field(
        default=None, alias="publicIPAddressConfiguration"
    )
    enable_accelerated_networking: bool | None = None


class LinuxUser(WireModel):
    """``LinuxUserConfiguration``."""

    uid: Int32 | None = None
    gid: Int32 | None = None
    ssh_private_key: str | None = Field(default=None, repr=False, exclude=True)


class WindowsUser(WireModel):
    """``WindowsUserConfiguration``."""

    login_mode: Annotated[str, AfterValidator(one_of("batch", "interactive"))] | None = None


class UserAccount(WireModel):
    """``UserAccount``; no answer holds its secrets."""

    name: Annotated[str, Field(min_length=1, max_length=20)]
    password: Annotated[str, Field(max_length=256, repr=False, exclude=True)]
    elevation_level: Elevation | None = None
    linux_user_configuration: LinuxUser | None = None
    windows_user_configuration: WindowsUser | None = None


class AutomaticUpgrade(WireModel):
    """``AutomaticOsUpgradePolicy``."""

    disable_automatic_rollback: bool | None = None
    enable_automatic_os_upgrade: bool | None = Field(default=None, alias="enableAutomaticOSUpgrade")
    use_rolling_upgrade_policy: bool | None = None
    os_rolling_upgrade_deferral: bool | None = None


class RollingUpgrade(WireModel):
    """``RollingUpgradePolicy``."""

    enable_cross_zone_upgrade: bool | None = None
    max_batch_instance_percent: Percent | None = None
    max_unhealthy_instance_percent: Percent | None = None
    max_unhealthy_upgraded_instance_percent: Percent | None = None
    pause_time_between_batches: Duration | None = None
    prioritize_unhealthy_instances: bool | None = None
    rollback_failed_instances_on_policy_breach: bool | None = None


class UpgradePolicy(WireModel):
    """``UpgradePolicy``."""

    mode: Annotated[str, AfterValidator(one_of("automatic", "manual", "rolling"))]
    automatic_os_upgrade_policy: AutomaticUpgrade | None = Field(
        default=None, alias="automaticOSUpgradePolicy"
    )
    rolling_upgrade_policy: RollingUpgrade | None = None


def check_network(network: NetworkConfiguration) -> None:
    """Whether a pool may be in such a network.

    :raises BatchError: it is a virtual network, which this account has not; as public logs show it of an
        account that the feature is not enabled for.
    """
    if network.subnet_id is not None:
        reason = f"Property subnetId with value {network.subnet_id} is not enabled for current account"
        raise BatchError("Forbidden", (("Reason", reason),))
