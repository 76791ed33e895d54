"""What a box shows of its configuration."""

import re

from ocs.limits import CLI_SECTIONS_DEPTH_MAX
from ocs.provisioning.cli.reading import read_tree, tree_of
from tests.support.command_lines import shipped_command_line
from tests.support.elements import interface

IOS = shipped_command_line("ios-like")
GE0 = interface("ge0")


def test_lines_are_under_those_that_are_indented_less() -> None:
    text = "a\n b\n  c\n d\n!\ne\n  f\n g"
    assert tree_of(text) == {"a": {"b": {"c": {}}, "d": {}}, "e": {"f": {}, "g": {}}}


def test_what_follows_the_last_line_is_not_read() -> None:
    assert tree_of("a\n end\nend\nb") == {"a": {"end": {}}}


def test_free_text_is_no_configuration() -> None:
    block = re.compile(IOS.description.block)
    text = "banner motd ^C\ninterface ge9\n shutdown\n^C\ninterface ge0"
    assert tree_of(text, block=block) == {"banner motd ^C": {}, "interface ge0": {}}


def test_sections_without_end_stay_within_bounds() -> None:
    tree = tree_of("\n".join(f"{' ' * depth}x{depth}" for depth in range(2_000)))
    deepest = 0
    while tree:
        deepest += 1
        tree = next(iter(tree.values()))
    assert deepest <= CLI_SECTIONS_DEPTH_MAX


def test_known_lines_are_read_and_unknown_ones_counted_and_kept() -> None:
    text = "interface ge0\n mtu 9000\n ipv6 address 2001:DB8::1/64\nrouter bgp 1\n neighbor x"
    reading = read_tree(IOS.rules, tree_of(text))
    assert reading.configuration == {
        GE0: None,
        f"{GE0}/type": "iana-if-type:ethernetCsmacd",
        f"{GE0}/enabled": "true",
        f"{GE0}/ietf-ip:ipv6": None,
        f"{GE0}/ietf-ip:ipv6/address[ip='2001:db8::1']": None,
        f"{GE0}/ietf-ip:ipv6/address[ip='2001:db8::1']/prefix-length": "64",
    }
    assert reading.unknown == 2
    assert reading.tree["interface ge0"] == {"mtu 9000": {}, "ipv6 address 2001:db8::1/64": {}}
    assert reading.tree["router bgp 1"] == {"neighbor x": {}}


def test_a_part_of_a_word_is_a_value_of_its_own() -> None:
    found = read_tree(IOS.rules, tree_of("interface ge0.100\n encapsulation dot1q 100")).configuration
    path = interface("ge0.100")
    assert found[f"{path}/ocs-vlan:vlan/parent-interface"] == "ge0"
    assert found[f"{path}/type"] == "iana-if-type:l2vlan"


def test_a_line_that_only_begins_like_a_known_one_is_unknown() -> None:
    assert read_tree(IOS.rules, tree_of("hostname two words\nhostnames x")).configuration == {}
