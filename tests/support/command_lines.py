"""Command lines of element types, for tests: those that are shipped, and configurations that they can express."""

from hypothesis import strategies as st

from ocs.provisioning.cli.command_line import CommandLine
from ocs.provisioning.element_type import load_element_types
from tests.support.elements import TYPES, interface

SHIPPED = ("ios-like", "candidate-cli")
VRF = "/ietf-network-instance:network-instances/network-instance[name='{}']"
POLICY = "/ocs-qos:qos/policy[name='{}']"


def shipped_command_line(name: str) -> CommandLine:
    """The command line of a shipped type."""
    command_line = load_element_types(TYPES)[name].cli
    assert command_line is not None
    return command_line


def _within(entry: str, leaves: dict[str, str | None]) -> dict[str, str | None]:
    return {entry: None, **{f"{entry}/{path}": value for path, value in leaves.items()}}


_words = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789-_.:/", min_size=1, max_size=12)
_texts = st.lists(_words, min_size=1, max_size=4).map(" ".join)
_ipv4 = st.integers(0x0A000001, 0x0A0000FF).map(
    lambda n: ".".join(str(octet) for octet in n.to_bytes(4, "big"))
)


@st.composite
def _vrfs(draw: st.DrawFn) -> dict[str, str | None]:
    leaves: dict[str, str | None] = {"enabled": "true"}
    if draw(st.booleans()):
        leaves["description"] = draw(_texts)
    if draw(st.booleans()):
        leaves["ocs-vpn:vpn/route-distinguisher"] = f"65000:{draw(st.integers(1, 9))}"
    for direction in ("import", "export"):
        for number in draw(st.sets(st.integers(1, 4), max_size=2)):
            leaves[f"ocs-vpn:vpn/{direction}-route-target[.='65000:{number}']"] = None
    return leaves


@st.composite
def _policies(draw: st.DrawFn) -> dict[str, str | None]:
    leaves: dict[str, str | None] = {
        "committed-information-rate": str(draw(st.integers(1, 10**9))),
        "peak-information-rate": str(draw(st.integers(1, 10**9))),
    }
    if draw(st.booleans()):
        leaves["differentiated-services-code-point"] = str(draw(st.integers(0, 63)))
    return leaves


@st.composite
def _interfaces(draw: st.DrawFn, name: str, vrfs: list[str], policies: list[str]) -> dict[str, str | None]:
    leaves: dict[str, str | None] = {"enabled": draw(st.sampled_from(["true", "false"]))}
    if name.startswith("Loopback"):
        leaves["type"] = "iana-if-type:softwareLoopback"
    elif "." in name:
        parent, _, vlan = name.partition(".")
        leaves |= {
            "type": "iana-if-type:l2vlan",
            "ocs-vlan:vlan/parent-interface": parent,
            "ocs-vlan:vlan/vlan-id": vlan,
        }
    else:
        leaves["type"] = "iana-if-type:ethernetCsmacd"
    if draw(st.booleans()):
        leaves["description"] = draw(_texts)
    if vrfs and draw(st.booleans()):
        leaves["ietf-network-instance:bind-ni-name"] = draw(st.sampled_from(vrfs))
    for direction in ("input", "output"):
        if policies and draw(st.booleans()):
            leaves[f"ocs-qos:qos/{direction}-policy"] = draw(st.sampled_from(policies))
    for version, addresses, longest in (
        ("ipv4", st.sets(_ipv4, max_size=3), 32),
        ("ipv6", st.sets(st.integers(1, 9).map(lambda number: f"2001:db8::{number}"), max_size=2), 128),
    ):
        for address in draw(addresses):
            leaves[f"ietf-ip:{version}"] = None
            entry = f"ietf-ip:{version}/address[ip='{address}']"
            leaves |= {entry: None, f"{entry}/prefix-length": str(draw(st.integers(8, longest)))}
    return leaves


@st.composite
def configurations(draw: st.DrawFn) -> dict[str, str | None]:
    """Configurations that every shipped command line can express, complete with what lines imply."""
    wanted: dict[str, str | None] = {
        "/ietf-system:system/hostname": draw(st.sampled_from(["box", "other-box"]))
    }
    vrfs = draw(st.lists(st.sampled_from(["red", "blue", "green"]), unique=True))
    policies = draw(st.lists(st.sampled_from(["gold", "tin"]), unique=True))
    for vrf in vrfs:
        wanted |= _within(VRF.format(vrf), draw(_vrfs()))
    for policy in policies:
        wanted |= _within(POLICY.format(policy), draw(_policies()))
    for name in draw(st.lists(st.sampled_from(["ge0", "ge1", "ge0.100", "ge1.7", "Loopback0"]), unique=True)):
        wanted |= _within(interface(name), draw(_interfaces(name, vrfs, policies)))
    for server in draw(st.sets(_ipv4, max_size=2)):
        wanted |= {"/ietf-system:system/ntp": None, "/ietf-system:system/ntp/enabled": "true"}
        entry = f"/ietf-system:system/ntp/server[name='{server}']"
        wanted |= _within(entry, {"udp/address": server})
    for server in draw(st.sets(_ipv4, max_size=2)):
        entry = f"/ietf-system:system/ocs-system:logging/server[address='{server}']"
        port: dict[str, str | None] = draw(st.sampled_from([{}, {"port": "10514"}]))
        wanted |= _within(entry, {"minimum-severity": "notice", **port})
    return wanted
