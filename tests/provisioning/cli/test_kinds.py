"""Kinds of words in lines of configuration."""

import pytest

from ocs.provisioning.cli.kinds import KINDS, named_kind, word_kind


@pytest.mark.parametrize(
    ("kind", "value", "word"),
    [
        ("word", "a/b.c:d", "a/b.c:d"),
        ("text", "to Berlin, rack 7", "to Berlin, rack 7"),
        ("number", "42", "42"),
        ("ipv4", "10.0.0.1", "10.0.0.1"),
        ("ipv6", "2001:db8::1", "2001:db8::1"),
        ("netmask", "24", "255.255.255.0"),
        ("netmask", "32", "255.255.255.255"),
        ("netmask", "0", "0.0.0.0"),
    ],
)
def test_a_value_has_a_word_and_a_word_its_value(kind: str, value: str, word: str) -> None:
    assert KINDS[kind].to_line(value) == word
    assert KINDS[kind].to_value(word) == value


def test_a_box_may_write_a_value_in_another_form() -> None:
    assert KINDS["ipv6"].to_value("2001:DB8:0::1") == "2001:db8::1"
    assert KINDS["number"].to_value("007") == "7"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("word", "two words"),
        ("word", ""),
        ("word", "help?"),
        ("word", "line\nfeed"),
        ("text", " begins with a blank"),
        ("text", "two  blanks"),
        ("text", "tab\there"),
        ("text", "escape \x1b"),
        ("text", ""),
        ("number", "-1"),
        ("number", "٣"),
        ("ipv4", "10.0.0.256"),
        ("ipv6", "10.0.0.1"),
        ("netmask", "33"),
    ],
)
def test_what_cannot_be_typed_has_no_word(kind: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        KINDS[kind].to_line(value)


def test_a_mask_with_holes_or_of_hosts_is_no_network_mask() -> None:
    for mask in ("255.0.255.0", "0.0.0.255"):
        with pytest.raises(ValueError, match=r"."):
            KINDS["netmask"].to_value(mask)


def test_values_with_words_of_their_own_go_both_ways() -> None:
    kind = named_kind("dscp", {"46": "ef", "0": "default"})
    assert kind.to_line("46") == "ef"
    assert kind.to_value("default") == "0"
    with pytest.raises(ValueError, match="none of"):
        kind.to_line("47")
    with pytest.raises(ValueError, match="two values"):
        named_kind("dscp", {"46": "ef", "47": "ef"})


def test_words_of_a_pattern_are_those_only() -> None:
    kind = word_kind("port", "ge[0-9]")
    assert kind.to_line("ge1") == "ge1"
    with pytest.raises(ValueError, match="cannot be typed"):
        kind.to_line("ge11")
