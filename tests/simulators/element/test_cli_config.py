"""Lines of a CLI box."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.element.cli_config import (
    INCOMPLETE,
    INVALID,
    Edit,
    LineError,
    Lines,
    applied,
    form_of,
    parse_lines,
    prompt_of,
    written,
)

WHOLE = """\
hostname ce1
!
vrf definition blue
 description the customer's
 rd 65000:1
 route-target import 65000:1
!
policy-map gold
 police cir 10000000
!
vlan 100
 name blue
!
interface ge0
 description to pe1
 vrf forwarding blue
 encapsulation dot1q 100
 ip address 10.0.0.1 255.255.255.252
 ipv6 address 2001:db8::1/64
 service-policy input gold
 shutdown
!
ip route vrf blue 10.1.0.0 255.255.0.0 10.0.0.2
!
ntp server 10.0.0.9
ntp server 2001:db8::9
!
logging host 10.0.0.8 transport udp port 1514
!
snmp-server user ocs network v3 auth sha secret1 priv aes 128 secret2
!
snmp-server host 10.0.0.7 version 3 priv ocs udp-port 10162
!
"""
IN_GE0 = "interface ge0"


def typed(*lines: str, before: Lines | None = None) -> Lines:
    """Lines of interface ge0 (indented) and of the top."""
    got = before if before is not None else {}
    for line in lines:
        section, parent = ("if", IN_GE0) if line.startswith(" ") else ("", "")
        got, _ = applied(got, Edit(section, parent, line.strip()))
    return got


def test_what_is_shown_reads_back_as_the_same() -> None:
    lines = parse_lines(WHOLE)
    assert "\n".join(written(lines)) + "\n" == WHOLE


@given(
    st.permutations([line for line in WHOLE.splitlines() if line.startswith(" ") is False and line != "!"])
)
def test_the_order_of_typing_does_not_change_what_is_shown_of_single_lines(order: list[str]) -> None:
    lines: Lines = {}
    for line in order:
        lines, _ = applied(lines, Edit("", "", line))
    shown = [line for line in written(lines) if line != "!"]
    assert sorted(shown) == sorted(order)
    assert shown[0] == "hostname ce1"


def test_a_line_replaces_the_one_of_its_kind_and_many_stand_beside_each_other() -> None:
    lines = typed(IN_GE0, " description a", " description b", " ip address 10.0.0.1 255.0.0.0")
    lines = typed(" ip address 10.0.0.2 255.0.0.0", " ip address 10.0.0.3 255.0.0.0 secondary", before=lines)
    assert list(lines[IN_GE0]) == [
        "description b",
        "ip address 10.0.0.2 255.0.0.0",
        "ip address 10.0.0.3 255.0.0.0 secondary",
    ]
    many = typed("ntp server 10.0.0.1", "ntp server 10.0.0.2", "logging host 10.0.0.1")
    many = typed("logging host 10.0.0.1 transport udp port 99", before=many)
    assert list(many) == [
        "ntp server 10.0.0.1",
        "ntp server 10.0.0.2",
        "logging host 10.0.0.1 transport udp port 99",
    ]


def test_no_takes_away_by_the_whole_line_or_its_first_words() -> None:
    lines = typed(IN_GE0, " description a b", " shutdown", " ip address 10.0.0.1 255.0.0.0")
    lines = typed(" no description", " no shutdown", " no ip address 10.0.0.1 255.0.0.0", before=lines)
    assert lines == {IN_GE0: {}}
    assert typed("no interface ge0", before=lines) == {}
    assert typed("no ntp server 10.0.0.1") == {}


def test_a_line_leaves_what_it_was_typed_on() -> None:
    before = typed(IN_GE0, " description a")
    typed(" description b", "no interface ge0", before=before)
    assert before == {IN_GE0: {"description a": None}}


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("nonsense", INVALID),
        ("no nonsense", INVALID),
        ("hostname", INCOMPLETE),
        ("ntp server", INCOMPLETE),
        ("ntp server 300.0.0.1", INVALID),
        ("vlan 5000", INVALID),
        (" ip address 10.0.0.1 255.0.255.0", INVALID),
        (" vrf forwarding none", "% VRF none does not exist or does not have a RD."),
        (" service-policy input none", "% policy map none not configured"),
    ],
)
def test_what_the_box_does_not_know_or_like_is_refused(line: str, error: str) -> None:
    with pytest.raises(LineError) as caught:
        typed(line, before=typed(IN_GE0))
    assert str(caught.value) == error


def test_another_vrf_takes_the_addresses_of_an_interface_away() -> None:
    lines = typed("vrf definition blue", IN_GE0, " ip address 10.0.0.1 255.0.0.0")
    after, said = applied(lines, Edit("if", IN_GE0, "vrf forwarding blue"))
    assert "addresses removed" in said
    assert list(after[IN_GE0]) == ["vrf forwarding blue"]
    again, said = applied(after, Edit("if", IN_GE0, "vrf forwarding blue"))
    assert (again, said) == (after, "")


def test_sections_have_prompts() -> None:
    assert prompt_of(form_of("", IN_GE0).section) == "config-if"
    assert form_of("", "ntp server 10.0.0.1").section == ""
