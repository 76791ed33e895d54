"""What every element of ours has: the time, notifications to our receiver, where log messages go, a banner.

Notifications go by SNMPv3 with authentication and encryption (RFC 3414); the keys are localized to the element's engine
and stand in files: the configuration names them.
"""

from ipaddress import ip_address
from typing import Annotated, ClassVar, Final

import msgspec

from ocs.inventory.model import Service, Use
from ocs.limits import BASELINE_SERVERS_MAX
from ocs.provisioning.services.model import (
    SECRET,
    Allocation,
    Name,
    NetworkView,
    ServiceError,
    entry,
    leaf_list_entry,
    read_parameters,
    within,
)

_SYSTEM: Final = "/ietf-system:system"
_SNMP: Final = "/ietf-snmp:snmp"
# One name for target, parameters, notify entry, group and view: what is ours is seen at a glance.
_OURS: Final = "ocs"
_EVERYTHING: Final = "1.3.6.1"

_Address = Annotated[str, msgspec.Meta(max_length=253, pattern=r"^[0-9A-Za-z.:-]+\Z")]
_Addresses = Annotated[tuple[_Address, ...], msgspec.Meta(max_length=BASELINE_SERVERS_MAX)]


class TrapReceiver(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where an element's notifications go, and as whom it sends them.

    Attributes:
        address: of our receiver. user_name: of the user-based security model. authentication_key, privacy_key: names of
            secrets: HMAC-SHA-96 and AES-128 keys localized to the element's engine, in hexadecimal with colons.
    """

    address: str
    user_name: Annotated[str, msgspec.Meta(max_length=32, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z")]
    authentication_key: Name
    privacy_key: Name
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = 162


_RECEIVER: Final = {
    "address": "192.0.2.3",
    "user_name": "ocs",
    "authentication_key": "pe1-authentication",
    "privacy_key": "pe1-privacy",
}


class BaselineParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is ordered; what is unsaid is left as it is.

    Attributes:
        element: which one. ntp_servers, log_servers: addresses or names. trap_receiver: where notifications go, and as
            whom the element sends them; the keys are names of secrets. timezone: a name of the IANA database.
        login_banner: shown to whoever is about to log in.
    """

    element: Annotated[Name, msgspec.Meta(examples=["pe1"])]
    ntp_servers: Annotated[_Addresses, msgspec.Meta(examples=["192.0.2.1"])] = ()
    trap_receiver: Annotated[TrapReceiver | None, msgspec.Meta(examples=[_RECEIVER])] = None
    log_servers: Annotated[_Addresses, msgspec.Meta(examples=["192.0.2.2"])] = ()
    timezone: Annotated[
        str,
        msgspec.Meta(max_length=64, pattern=r"^(?:[A-Za-z][A-Za-z0-9_+/-]*)?\Z", examples=["Europe/Berlin"]),
    ] = ""
    login_banner: Annotated[
        str,
        msgspec.Meta(
            max_length=1_000,
            pattern=r"^(?!secret:)[^\x00-\x08\x0b-\x1f\x7f]*\Z",
            examples=["Authorised staff only"],
        ),
    ] = ""


class Baseline:
    """The time, log messages, notifications and a login banner of one element."""

    name: ClassVar[str] = "baseline"
    parameters_type: ClassVar[type[msgspec.Struct]] = BaselineParameters

    def elements(self, service: Service, network: NetworkView) -> tuple[str, ...]:
        """The one."""
        name = read_parameters(service, BaselineParameters).element
        if network.element(name) is None:
            raise ServiceError(
                f"{name}: no such element in the inventory: `ocs inventory add {name} --kind element ...`"
            )
        return (name,)

    def allocations(self, service: Service, network: NetworkView) -> tuple[Allocation, ...]:
        """None."""
        del service, network
        return ()

    def wanted(self, service: Service, network: NetworkView) -> dict[str, dict[str, str | None]]:
        """What was ordered, on the element."""
        (name,) = self.elements(service, network)
        ordered = read_parameters(service, BaselineParameters)
        wanted: dict[str, str | None] = {}
        if ordered.timezone:
            wanted[f"{_SYSTEM}/clock/timezone-name"] = ordered.timezone
        if ordered.ntp_servers:
            wanted[f"{_SYSTEM}/ntp"] = None
            wanted[f"{_SYSTEM}/ntp/enabled"] = "true"
        for server in ordered.ntp_servers:
            wanted[f"{entry(f'{_SYSTEM}/ntp/server', name=server)}/udp/address"] = server
        if ordered.login_banner:
            wanted[f"{_SYSTEM}/ocs-system:login-banner"] = ordered.login_banner
        for server in ordered.log_servers:
            one = entry(f"{_SYSTEM}/ocs-system:logging/server", address=server)
            wanted[f"{one}/minimum-severity"] = "notice"
        if ordered.trap_receiver is not None:
            wanted |= _notifications(ordered.trap_receiver)
        return {name: wanted}

    def uses(self, service: Service, network: NetworkView) -> tuple[Use, ...]:
        """The element."""
        return tuple(Use(name, "managed") for name in self.elements(service, network))


def _notifications(receiver: TrapReceiver) -> dict[str, str | None]:
    """Who sends (RFC 3414), to whom (RFC 3413), and that it may (RFC 3415), by the YANG module of RFC 7407."""
    try:
        address = str(ip_address(receiver.address))
    except ValueError:
        raise ServiceError(
            f"trap_receiver.address: expected an IP address, not {receiver.address!r:.80}"
        ) from None
    user = entry(f"{_SNMP}/usm/local/user", name=receiver.user_name)
    target = entry(f"{_SNMP}/target", name=_OURS)
    parameters = entry(f"{_SNMP}/target-params", name=_OURS)
    group = entry(f"{_SNMP}/vacm/group", name=_OURS)
    member = entry(f"{group}/member", security_name=receiver.user_name)
    access = entry(f"{group}/access", context="", security_model="usm", security_level="auth-priv")
    return {
        f"{_SNMP}/engine/enabled": "true",
        f"{_SNMP}/engine/version/v3": "",
        f"{user}/auth": None,
        f"{user}/auth/sha/key": f"{SECRET}{receiver.authentication_key}",
        f"{user}/priv": None,
        f"{user}/priv/aes/key": f"{SECRET}{receiver.privacy_key}",
        **within(target, {"udp/ip": address, "udp/port": str(receiver.port), "target-params": _OURS}),
        leaf_list_entry(f"{target}/tag", _OURS): None,
        **within(parameters, {"usm/user-name": receiver.user_name, "usm/security-level": "auth-priv"}),
        **within(entry(f"{_SNMP}/notify", name=_OURS), {"tag": _OURS, "type": "trap"}),
        leaf_list_entry(f"{member}/security-model", "usm"): None,
        f"{access}/notify-view": _OURS,
        leaf_list_entry(f"{entry(f'{_SNMP}/vacm/view', name=_OURS)}/include", _EVERYTHING): None,
    }
