"""From a change of a configuration to the lines that make it, and back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocs.inventory.model import Service
from ocs.provisioning.cli.line_rules import LineRules
from ocs.provisioning.cli.reading import Reading, read_tree, tree_of
from ocs.provisioning.cli.writing import (
    Change,
    WritingError,
    commands,
    native,
    planned,
    redone,
    render,
    restored,
    typed,
)
from ocs.provisioning.configuration import Configuration, ConfigurationDiff, difference
from ocs.provisioning.schema.yang import load_schema
from ocs.provisioning.services.baseline import Baseline
from ocs.provisioning.services.vpn_site import VpnSite
from simulators.element.cli_config import Edit, LineError, Lines, applied, form_of, parse_lines, written
from tests.support.command_lines import SHIPPED, VRF, configurations, shipped_command_line
from tests.support.described_network import DescribedNetwork
from tests.support.elements import YANG, interface
from tests.support.service_lab import BASELINE, VPN_SITE

RULES = {name: shipped_command_line(name).rules for name in SHIPPED}
IOS = RULES["ios-like"]
GE0 = interface("ge0")


class Box:
    """What a box that we did not write makes of lines: an independent judge."""

    def __init__(self, lines: str = "hostname box") -> None:
        self.lines: Lines = parse_lines(lines)

    def text(self) -> str:
        return "\n".join(written(self.lines))

    def reading(self, rules: LineRules) -> Reading:
        return read_tree(rules, tree_of(self.text()))

    def type(self, lines: list[str]) -> None:
        """As a session does: a section is entered by its line, and left by ``exit``."""
        parent, section = "", ""
        for line in lines:
            if line == "exit":
                assert parent, "left configuration mode"
                parent = section = ""
                continue
            self.lines, _ = applied(self.lines, Edit(section, parent, line))
            if not parent and not line.startswith("no ") and (opened := form_of("", line).section):
                parent, section = line, opened
        assert not parent


def change(rules: LineRules, box: Box, diff: ConfigurationDiff) -> list[str]:
    plan = planned(rules, box.reading(rules), diff)
    lines = [command.line for command in typed(commands(rules, plan.before, plan.after), "exit")]
    box.type(lines)
    return lines


def read(text: str) -> Configuration:
    return read_tree(IOS, tree_of(text)).configuration


@pytest.mark.parametrize("name", SHIPPED)
@given(first=configurations(), second=configurations())
@settings(max_examples=25, deadline=None)
def test_a_box_that_was_told_has_what_was_wanted(
    name: str, first: dict[str, str | None], second: dict[str, str | None]
) -> None:
    rules, box = RULES[name], Box()
    for wanted in (first, second, first):
        change(rules, box, difference(box.reading(rules).configuration, wanted))
        assert box.reading(rules).configuration == wanted
        assert change(rules, box, difference(box.reading(rules).configuration, wanted)) == []


@given(first=configurations(), second=configurations(), stops_at=st.integers(0, 60))
@settings(max_examples=25, deadline=None)
def test_what_was_typed_is_taken_back_wherever_it_stopped(
    first: dict[str, str | None], second: dict[str, str | None], stops_at: int
) -> None:
    box = Box("hostname box\ninterface ge0\n mtu 9000\nvlan 7\n name seven")
    change(IOS, box, difference(box.reading(IOS).configuration, first))
    before = box.text()
    plan = planned(IOS, box.reading(IOS), difference(box.reading(IOS).configuration, second))
    lines = [command.line for command in typed(commands(IOS, plan.before, plan.after), "exit")][:stops_at]
    inside = False
    for line in lines:
        inside = line != "exit" and (inside or bool(_opens(line)))
    box.type([*lines, *(["exit"] if inside else [])])
    now = box.reading(IOS).tree
    box.type([command.line for command in typed(commands(IOS, now, restored(now, plan)), "exit")])
    assert tree_of(box.text()) == tree_of(before), "also lines that the type does not know"


def _opens(line: str) -> str:
    try:
        return "" if line.startswith("no ") else form_of("", line).section
    except LineError:
        return ""


@given(configurations())
@settings(max_examples=25, deadline=None)
def test_what_is_rendered_is_read_as_it_was(wanted: dict[str, str | None]) -> None:
    assert read_tree(IOS, render(IOS, wanted, {})).configuration == wanted


def test_lines_that_nobody_asked_about_are_left_alone() -> None:
    box = Box("hostname box\nvlan 7\n name seven\ninterface ge0\n mtu 9000\n description old")
    lines = change(IOS, box, ConfigurationDiff({f"{GE0}/description": "new"}))
    assert lines == ["interface ge0", "description new", "exit"]
    assert "mtu 9000" in box.text()


def test_another_VRF_takes_addresses_away_and_they_are_typed_again() -> None:
    box = Box("vrf definition red\ninterface ge0\n ip address 10.0.0.1 255.255.255.0")
    lines = change(IOS, box, ConfigurationDiff({f"{GE0}/ietf-network-instance:bind-ni-name": "red"}))
    assert lines == ["interface ge0", "vrf forwarding red", "ip address 10.0.0.1 255.255.255.0", "exit"]
    assert f"{GE0}/ietf-ip:ipv4/address[ip='10.0.0.1']" in box.reading(IOS).configuration


def test_a_second_address_is_secondary_and_the_first_one_stays() -> None:
    box = Box("interface ge0\n ip address 10.0.0.9 255.255.255.0")
    path = f"{GE0}/ietf-ip:ipv4/address[ip='10.0.0.1']"
    lines = change(IOS, box, ConfigurationDiff({path: None, f"{path}/prefix-length": "24"}))
    assert lines[1:-1] == ["ip address 10.0.0.1 255.255.255.0 secondary"]
    lines = change(IOS, box, ConfigurationDiff({}, (f"{GE0}/ietf-ip:ipv4/address[ip='10.0.0.9']",)))
    assert lines[1:-1] == [
        "no ip address 10.0.0.1 255.255.255.0 secondary",
        "ip address 10.0.0.1 255.255.255.0",
    ]


def test_definitions_come_before_who_refers_to_them_and_go_after() -> None:
    box = Box("vrf definition red\ninterface ge0\n vrf forwarding red")
    blue, red = VRF.format("blue"), VRF.format("red")
    lines = change(
        IOS, box, ConfigurationDiff({blue: None, f"{GE0}/ietf-network-instance:bind-ni-name": "blue"}, (red,))
    )
    assert lines == [
        "vrf definition blue",
        "exit",
        "interface ge0",
        "vrf forwarding blue",
        "exit",
        "no vrf definition red",
    ]


@pytest.mark.parametrize("name", SHIPPED)
def test_services_are_expressed_and_leave_nothing_when_they_go(name: str) -> None:
    rules = RULES[name]
    schema = load_schema([YANG], shipped_command_line(name).description.modules)
    network = DescribedNetwork()
    site = Service(
        service_id="s",
        model="vpn_site",
        parameters=VPN_SITE,
        allocations={"vlan": "vlan/berlin/100", "prefix": "prefix/acme/10.1.0.8/30"},
    )
    ordered: dict[str, object] = BASELINE | {"ntp_servers": ["192.0.2.1"], "timezone": "", "login_banner": ""}
    baseline = Service(service_id="b", model="baseline", parameters=ordered)
    wanted = {**VpnSite().wanted(site, network)["pe1"], **Baseline().wanted(baseline, network)["pe1"]}
    box = Box("hostname pe1\ninterface ge-0/0/1")
    before = box.reading(rules).configuration
    forward = ConfigurationDiff(schema.canonical(wanted))
    change(rules, box, forward)
    after = box.reading(rules).configuration
    assert forward.set.items() <= after.items()
    assert change(rules, box, forward) == [], "it is there already"
    change(rules, box, difference(after, before))
    assert box.reading(rules).configuration == before


def test_a_new_interface_is_told_that_it_is_not_shut_down() -> None:
    box = Box()
    lines = change(IOS, box, ConfigurationDiff({GE0: None}))
    assert lines == ["interface ge0", "no shutdown", "exit"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{GE0}/description", "two  blanks"),
        (f"{GE0}/description", "a line\nno interface ge0"),
        (f"{GE0}/description", "help?"),
        (f"{GE0}/type", "iana-if-type:tunnel"),
        (f"{GE0}/ietf-ip:ipv4/mtu", "1400"),
        (f"{interface('0')}/description", "of no interface"),
        ("/ietf-system:system/contact", "somebody"),
        ("/ietf-system:system/hostname", "two words"),
    ],
)
def test_what_no_line_can_say_is_named_before_anything_is_typed(path: str, value: str) -> None:
    with pytest.raises(WritingError) as refused:
        planned(IOS, Box("interface ge0").reading(IOS), ConfigurationDiff({path: value}))
    assert refused.value.path == path
    assert value not in refused.value.reason


def test_what_elements_always_have_cannot_be_removed() -> None:
    with pytest.raises(WritingError, match="always"):
        planned(IOS, Box("interface ge0").reading(IOS), ConfigurationDiff({}, (f"{GE0}/enabled",)))


def test_what_somebody_else_did_meanwhile_is_neither_taken_back_nor_missed() -> None:
    change_ = Change(before={"a": {}, "b": {}}, after={"a": {}, "c": {}})
    assert restored({"a": {}, "c": {}, "foreign": {}}, change_) == {"a": {}, "foreign": {}, "b": {}}
    assert redone({"a": {}, "b": {}, "foreign": {}}, change_) == {"a": {}, "foreign": {}, "c": {}}


def test_without_a_connection_lines_are_shown_as_far_as_they_are_known() -> None:
    address = f"{GE0}/ietf-ip:ipv4/address[ip='10.0.0.1']"
    diff = ConfigurationDiff({f"{GE0}/description": "new", GE0: None}, (address, VRF.format("red")))
    assert native(IOS, diff, "exit") == [
        "interface ge0",
        " no ip address 10.0.0.1 <length>",
        "no vrf definition red",
        "interface ge0",
        " description new",
        " no shutdown",
        "exit",
    ]
    part = native(IOS, ConfigurationDiff({f"{GE0}/ocs-vlan:vlan/vlan-id": "24"}), "exit")
    assert part[-1] == f"! a part of a line: {GE0}/ocs-vlan:vlan/vlan-id = 24"
    with pytest.raises(WritingError, match="contact"):
        native(IOS, ConfigurationDiff({"/ietf-system:system/contact": "me"}), "exit")


@pytest.mark.parametrize("name", SHIPPED)
def test_without_a_connection_a_sub_interface_goes_by_the_line_that_takes_its_name(name: str) -> None:
    entry = interface("Gi0/1.2")
    diff = ConfigurationDiff({}, (entry,))
    for before in (None, {entry: None, f"{entry}/description": "a site"}):
        shown = native(RULES[name], diff, "exit", before)
        assert [line.split()[-1] for line in shown] == ["Gi0/1.2"]
        assert not shown[0].startswith("!")


def test_without_a_connection_lines_of_a_container_that_goes_are_shown_where_they_are_known() -> None:
    ntp = "/ietf-system:system/ntp"
    diff = ConfigurationDiff({}, (ntp,))
    before: dict[str, str | None] = {ntp: None, f"{ntp}/enabled": "true"}
    for number in ("1", "2"):
        server = f"{ntp}/server[name='192.0.2.{number}']"
        before |= {server: None, f"{server}/udp/address": f"192.0.2.{number}"}
    assert sorted(native(IOS, diff, "exit", before)) == [
        "no ntp server 192.0.2.1",
        "no ntp server 192.0.2.2",
    ]
    assert native(IOS, diff, "exit") == [
        f"! {ntp} goes: for each that the element has: no ntp server <address>"
    ]


def test_without_a_connection_what_is_known_in_part_is_shown_in_part() -> None:
    address = f"{GE0}/ietf-ip:ipv4/address[ip='10.0.0.1']"
    assert native(IOS, ConfigurationDiff({}, (address,)), "exit", {address: None}) == [
        "interface ge0",
        " no ip address 10.0.0.1 <length>",
    ]
    known = {address: None, f"{address}/prefix-length": "24"}
    assert native(IOS, ConfigurationDiff({}, (address,)), "exit", known) == [
        "interface ge0",
        " no ip address 10.0.0.1 255.255.255.0",
        "exit",
    ]


def test_without_a_connection_what_no_name_of_lines_fits_is_said_to_have_no_line() -> None:
    path = f"{interface('a b')}/ocs-vlan:vlan/parent-interface"
    entry = interface("a b")
    assert native(IOS, ConfigurationDiff({}, (entry,)), "exit") == [f"! no line says this: {entry}"]
    assert native(IOS, ConfigurationDiff({}, (path,)), "exit") == [f"! a part of a line goes: {path}"]
