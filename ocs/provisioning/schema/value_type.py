"""Types of YANG values: which texts they take, and the one form in which two equal values are equal texts. Pure.

Identities carry their module's name, as in RFC 7951 section 6.8: ``iana-if-type:ethernetCsmacd``. In XML the same is
written with a prefix (RFC 7950 section 9.10.3); :meth:`ValueType.of_xml` and :meth:`ValueType.modules` lead there and
back.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Final, Protocol

from ocs.provisioning.configuration import PathError, format_path, parse_path

# The module of a prefix in an XML text; the empty prefix is that of the default namespace. None: of no known module.
ModuleOfPrefix = Callable[[str], str | None]

# RFC 7950 section 9.4: a string holds what XML can.
NO_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INTEGER: Final = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]+|[0-9]+)")
_IDENTITY: Final = re.compile(r"(?:(?P<prefix>[A-Za-z_][\w.-]*):)?(?P<name>[A-Za-z_][\w.-]*)")
_PREFIXED_STEP: Final = re.compile(r"(?<=/)(?:(?P<prefix>[A-Za-z_][\w.-]*):)?(?P<name>[A-Za-z_][\w.-]*)")
_KEY_PREFIX: Final = re.compile(r"\[(?:[A-Za-z_][\w.-]*:)?([A-Za-z_.][\w.-]*)=")


class ValueType(Protocol):
    """A type of YANG values."""

    def canonical(self, value: str) -> str:
        """The one form of a value (RFC 7950 section 9.1).

        Raises:
            ValueError: the type does not take it; says why.
        """
        ...

    def modules(self, value: str) -> tuple[str, ...]:
        """Modules that a canonical value names, whose prefixes its text in XML needs."""
        ...

    def of_xml(self, text: str, module_of: ModuleOfPrefix) -> str:
        """The value of a text in XML: canonical where that is possible, else as it stands there."""
        ...


class _WithoutNames:
    """Common to types whose values name no module."""

    def canonical(self, value: str) -> str:
        """See :meth:`ValueType.canonical`."""
        raise NotImplementedError

    def modules(self, value: str) -> tuple[str, ...]:
        """See :meth:`ValueType.modules`."""
        del value
        return ()

    def of_xml(self, text: str, module_of: ModuleOfPrefix) -> str:
        """See :meth:`ValueType.of_xml`."""
        del module_of
        try:
            return self.canonical(text)
        except ValueError:
            return text


class TextType(_WithoutNames):
    """Strings, enumerations, booleans, binaries: checked by a function, then brought into one form by another."""

    def __init__(self, check: Callable[[str], str], normalise: Callable[[str], str] = str) -> None:
        """Make a type.

        Args:
            check: gives what is wrong with a text, empty when nothing is.
            normalise: gives the one form of a text that was checked.
        """
        self._check = check
        self._normalise = normalise

    def canonical(self, value: str) -> str:
        """See :meth:`ValueType.canonical`."""
        if reason := self._check(value):
            raise ValueError(reason)
        return self._normalise(value)


class IntegerType(_WithoutNames):
    """Integers of all widths (RFC 7950 section 9.2): decimal, no leading zeros, no plus."""

    def __init__(self, check: Callable[[str], str]) -> None:
        """Make a type whose ranges ``check`` knows; see :class:`TextType`."""
        self._check = check

    def canonical(self, value: str) -> str:
        """See :meth:`ValueType.canonical`."""
        text = value.strip()
        if _INTEGER.fullmatch(text) is None:
            raise ValueError("expected an integer")
        digits = text.lstrip("+-")
        base = 16 if digits[:2] in {"0x", "0X"} else 8 if len(digits) > 1 and digits[0] == "0" else 10
        try:
            number = int(digits, base) * (-1 if text[0] == "-" else 1)
        except ValueError:
            raise ValueError("expected an integer") from None
        if reason := self._check(str(number)):
            raise ValueError(reason)
        return str(number)


class DecimalType(_WithoutNames):
    """decimal64 (RFC 7950 section 9.3.2): at least one digit after the point, no zeros that say nothing."""

    def __init__(self, check: Callable[[str], str]) -> None:
        """Make a type whose ranges and fraction ``check`` knows; see :class:`TextType`."""
        self._check = check

    def canonical(self, value: str) -> str:
        """See :meth:`ValueType.canonical`."""
        try:
            number = Decimal(value.strip())
        except InvalidOperation:
            raise ValueError("expected a decimal number") from None
        text = f"{number:f}".rstrip("0").rstrip(".") if "." in f"{number:f}" else f"{number:f}"
        text = "0" if text in {"", "-0"} else text
        text = text if "." in text else f"{text}.0"
        if reason := self._check(text):
            raise ValueError(reason)
        return text


class BitsType(_WithoutNames):
    """bits (RFC 7950 section 9.7.2): names by their position, one blank between them."""

    def __init__(self, positions: Mapping[str, int]) -> None:
        """Make a type of these bits."""
        self._positions = dict(positions)

    def canonical(self, value: str) -> str:
        """See :meth:`ValueType.canonical`."""
        names = value.split()
        if unknown := [name for name in names if name not in self._positions]:
            raise ValueError(f"no such bit: {unknown[0]}; expected some of {' '.join(self._positions)}")
        if len(set(names)) != len(names):
            raise ValueError("a bit is named twice")
        return " ".join(sorted(names, key=self._positions.__getitem__))


class EmptyType(_WithoutNames):
    """empty (RFC 7950 section 9.11): the leaf is there or not; its value is the empty text."""

    def canonical(self, value: str) -> str:
        """See :meth:`ValueType.canonical`."""
        if value.strip():
            raise ValueError("expected no value: the leaf's presence is all that it says")
        return ""


class IdentityType:
    """identityref (RFC 7950 section 9.10)."""

    def __init__(self, home: str, identities: frozenset[str]) -> None:
        """Make a type.

        Args:
            home: the module of the leaf: what a name without module belongs to (RFC 7951 section 6.8).
            identities: all that it takes, as ``module:name``.
        """
        self._home = home
        self._identities = identities

    def canonical(self, value: str) -> str:
        """See :meth:`ValueType.canonical`."""
        name = value if ":" in value else f"{self._home}:{value}"
        if name not in self._identities:
            some = ", ".join(sorted(self._identities)[:3])
            raise ValueError(f"no such identity; expected one like {some or 'none that is known here'}")
        return name

    def modules(self, value: str) -> tuple[str, ...]:
        """See :meth:`ValueType.modules`."""
        return (value.partition(":")[0],)

    def of_xml(self, text: str, module_of: ModuleOfPrefix) -> str:
        """See :meth:`ValueType.of_xml`."""
        match = _IDENTITY.fullmatch(text.strip())
        if match is None:
            return text
        module = module_of(match["prefix"] or "")
        return text if module is None else f"{module}:{match['name']}"


class InstanceType:
    """instance-identifier (RFC 7950 section 9.13; with modules' names by RFC 7951 section 6.11)."""

    def canonical(self, value: str) -> str:
        """See :meth:`ValueType.canonical`."""
        try:
            return format_path(parse_path(value))
        except PathError as error:
            raise ValueError(str(error)) from None

    def modules(self, value: str) -> tuple[str, ...]:
        """See :meth:`ValueType.modules`."""
        return tuple(dict.fromkeys(step.module for step in parse_path(value)))

    def of_xml(self, text: str, module_of: ModuleOfPrefix) -> str:
        """See :meth:`ValueType.of_xml`."""
        path = path_of_xml(text.strip(), module_of)
        return text if path is None else path


class UnionType:
    """union (RFC 7950 section 9.12): of the first member that takes the value."""

    def __init__(self, members: tuple[ValueType, ...]) -> None:
        """Make a type of these, in the order of the module."""
        self._members = members

    def canonical(self, value: str) -> str:
        """See :meth:`ValueType.canonical`."""
        reasons: list[str] = []
        for member in self._members:
            try:
                return member.canonical(value)
            except ValueError as error:
                reasons.append(str(error))
        raise ValueError("none of its types takes it: " + "; ".join(dict.fromkeys(reasons)))

    def modules(self, value: str) -> tuple[str, ...]:
        """See :meth:`ValueType.modules`."""
        for member in self._members:
            try:
                return member.modules(member.canonical(value))
            except ValueError:
                continue
        return ()

    def of_xml(self, text: str, module_of: ModuleOfPrefix) -> str:
        """See :meth:`ValueType.of_xml`."""
        for member in self._members:
            try:
                return member.canonical(member.of_xml(text, module_of))
            except ValueError:
                continue
        return text


def path_of_xml(text: str, module_of: ModuleOfPrefix) -> str | None:
    """A path of an instance identifier with XML's prefixes, such as ``/if:interfaces/if:interface[if:name='x']``.

    Returns:
        None when it is none, or names a prefix that nobody knows.
    """
    unknown: list[str] = []

    def with_module(match: re.Match[str]) -> str:
        module = module_of(match["prefix"] or "")
        if module is None:
            unknown.append(match[0])
        return f"{module}:{match['name']}"

    # Quoted values may hold anything, also slashes: they are put aside first.
    values: list[str] = []

    def aside(match: re.Match[str]) -> str:
        values.append(match[0])
        return f"'{len(values) - 1}'"

    bare = re.sub(r"'[^']*'|\"[^\"]*\"", aside, re.sub(r"\s+(?=[\[\]=/])|(?<=[\[=/])\s+", "", text))
    bare = _KEY_PREFIX.sub(r"[\1=", _PREFIXED_STEP.sub(with_module, bare))
    path = re.sub(r"'(\d+)'", lambda match: values[int(match[1])], bare)
    try:
        return None if unknown else format_path(parse_path(path))
    except PathError:
        return None
