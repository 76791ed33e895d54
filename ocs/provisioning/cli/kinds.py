"""Kinds of words in a line of configuration: how one looks, and which value of a leaf it stands for. Pure."""

import re
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from types import MappingProxyType
from typing import Final, NamedTuple

SECRET: Final = "secret"  # noqa: S105 (the kind, not a secret)
# A box takes these for keys of its line editor (`?` asks for help in the middle of a word), whatever they stand in.
_UNTYPEABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f?\u2028\u2029]")


class Kind(NamedTuple):
    """One kind.

    Attributes:
        name: as in ``{variable:kind}``. pattern: how it looks in a line.
        to_line, to_value: value to word and back; they raise ValueError for what the kind cannot be.
    """

    name: str
    pattern: str
    to_line: Callable[[str], str]
    to_value: Callable[[str], str]


def word_kind(name: str, pattern: str) -> Kind:
    """Words that are their own values."""
    compiled = re.compile(pattern)

    def checked(text: str) -> str:
        if not compiled.fullmatch(text) or _UNTYPEABLE.search(text):
            raise ValueError(f"{text!r} cannot be typed there")
        return text

    return Kind(name, pattern, checked, checked)


def named_kind(name: str, words: Mapping[str, str]) -> Kind:
    """Values that have words of their own, such as numbers with names.

    Raises:
        ValueError: two values have one word.
    """
    values = {word: value for value, word in words.items()}
    if len(values) != len(words):
        raise ValueError("two values have one word")

    def to_line(value: str) -> str:
        if value not in words:
            raise ValueError(f"{value!r} is none of {', '.join(sorted(words))}")
        return words[value]

    longest_first = sorted(values, key=lambda word: (-len(word), word))
    return Kind(name, "|".join(re.escape(word) for word in longest_first), to_line, values.__getitem__)


def _text(value: str) -> str:
    if not value or value != " ".join(value.split()) or _UNTYPEABLE.search(value):
        raise ValueError(f"{value!r} cannot be typed there: it holds more than single blanks and letters")
    return value


def _number(value: str) -> str:
    if not (value.isdecimal() and value.isascii()):
        raise ValueError(f"{value!r} is no number")
    return str(int(value))


def _ipv4(value: str) -> str:
    return str(IPv4Address(value))


def _ipv6(value: str) -> str:
    return str(IPv6Address(value))


def _length_to_mask(value: str) -> str:
    return str(IPv4Network(f"0.0.0.0/{_number(value)}").netmask)


def _mask_to_length(mask: str) -> str:
    if mask == "0.0.0.0":  # noqa: S104 (a mask, which the library takes for one of hosts)
        return "0"
    network = IPv4Network(f"0.0.0.0/{mask}")
    if str(network.netmask) != mask:
        raise ValueError(f"{mask!r} is no network mask")
    return str(network.prefixlen)


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            word_kind("word", r"\S+"),
            word_kind(SECRET, r"\S+"),
            Kind("text", r"\S(?:.*\S)?", _text, _text),
            Kind("number", r"[0-9]{1,20}", _number, _number),
            Kind("ipv4", r"[0-9.]{7,15}", _ipv4, _ipv4),
            Kind("ipv6", r"[0-9a-fA-F:.]{2,45}", _ipv6, _ipv6),
            # A prefix length, written as a mask.
            Kind("netmask", r"[0-9.]{7,15}", _length_to_mask, _mask_to_length),
        )
    }
)
