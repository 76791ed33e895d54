"""The configuration of a CLI box: lines, some of which hold lines. Which there are, and what each replaces. Pure."""

import re
from collections.abc import Iterable, Iterator
from ipaddress import ip_address, ip_interface
from typing import Final, NamedTuple, TypeVar

# A line to the lines below it, in the order in which they were typed; a line that holds none has an empty mapping.
Lines = dict[str, dict[str, None]]

INVALID: Final = "% Invalid input detected at '^' marker."
INCOMPLETE: Final = "% Incomplete command."


_T = TypeVar("_T")


class LineError(Exception):
    """A line is refused; the text is what the box prints."""


class Form(NamedTuple):
    """A kind of line.

    Attributes:
        pattern: of the whole line. key_words: so many words name it: a line replaces the one with the same;
            0: all of them do, so that there may be many.
        section: whose lines it holds; empty: none.
    """

    pattern: re.Pattern[str]
    key_words: int = 0
    section: str = ""

    def key(self, line: str) -> str:
        """What names a line of this form."""
        words = line.split()
        return " ".join(words[: self.key_words] if self.key_words else words)


def _form(pattern: str, key_words: int = 0, section: str = "") -> Form:
    return Form(re.compile(pattern), key_words, section)


_WORD: Final = r"[^\s]+"
_IP: Final = r"[0-9a-fA-F.:]+"
FORMS: Final[dict[str, tuple[Form, ...]]] = {
    "": (
        _form(rf"hostname {_WORD}", 1),
        _form(rf"vrf definition {_WORD}", section="vrf"),
        _form(rf"policy-map {_WORD}", section="pmap"),
        _form(r"vlan \d{1,4}", section="vlan"),
        _form(rf"interface {_WORD}", section="if"),
        _form(rf"ip route (vrf {_WORD} )?{_IP} {_IP} {_IP}"),
        _form(rf"ntp server {_IP}"),
        _form(rf"logging host {_IP}( transport udp port \d+)?", 3),
        _form(rf"snmp-server user {_WORD} {_WORD} v3 auth sha {_WORD} priv aes 128 {_WORD}", 3),
        _form(rf"snmp-server host {_IP} version 3 priv {_WORD}( udp-port \d+)?", 3),
    ),
    "vrf": (
        _form(r"description .+", 1),
        _form(r"rd \d+:\d+", 1),
        _form(r"route-target (import|export) \d+:\d+"),
    ),
    "pmap": (
        _form(r"police cir \d+", 2),
        _form(r"shape average \d+", 2),
        _form(r"set dscp \w+", 2),
    ),
    "vlan": (_form(r"name .+", 1),),
    "if": (
        _form(r"description .+", 1),
        _form(rf"vrf forwarding {_WORD}", 2),
        _form(r"encapsulation dot1q \d{1,4}", 2),
        _form(rf"ip address {_IP} {_IP} secondary"),
        _form(rf"ip address {_IP} {_IP}", 2),
        _form(rf"ipv6 address {_IP}/\d+"),
        _form(r"mtu \d+", 1),
        _form(r"bandwidth \d+", 1),
        _form(r"switchport mode (access|trunk)", 2),
        _form(r"switchport access vlan \d{1,4}", 3),
        _form(rf"service-policy (input|output) {_WORD}", 2),
        _form(r"shutdown"),
    ),
}
_PROMPTS: Final = {
    "": "config",
    "if": "config-if",
    "vlan": "config-vlan",
    "vrf": "config-vrf",
    "pmap": "config-pmap",
}


def prompt_of(section: str) -> str:
    """What a prompt says in parentheses."""
    return _PROMPTS[section]


def form_of(section: str, line: str) -> Form:
    """The form of a line.

    Raises:
        LineError: there is none, or the line lacks words.
    """
    for form in FORMS[section]:
        if form.pattern.fullmatch(line):
            _check_values(line)
            return form
    if any(_is_begun(form, line) for form in FORMS[section]):
        raise LineError(INCOMPLETE)
    raise LineError(INVALID)


def _is_begun(form: Form, line: str) -> bool:
    literal = re.match(r"[a-z0-9 -]+", form.pattern.pattern)
    return bool(literal) and literal[0].strip().startswith(line.strip())


def _check_values(line: str) -> None:
    words = line.split()
    try:
        match words:
            case ["ip", "address", address, mask, *_]:
                ip_interface(f"{address}/{mask}")
            case ["ipv6", "address", prefix]:
                ip_interface(prefix)
            case ["ntp", "server", address] | [("logging" | "snmp-server"), "host", address, *_]:
                ip_address(address)
            case ["vlan", number] | [*_, ("vlan" | "dot1q"), number]:
                if not 1 <= int(number) <= 4094:
                    raise LineError(INVALID)
            case _:
                pass
    except ValueError:
        raise LineError(INVALID) from None


class Edit(NamedTuple):
    """One line typed in configuration mode: where, and what."""

    section: str
    parent: str
    line: str


def applied(lines: Lines, edit: Edit) -> tuple[Lines, str]:
    """A configuration after a line, and what the box says to it (mostly nothing).

    Raises:
        LineError: the line is refused.
    """
    after = {line: dict(below) for line, below in lines.items()}
    if edit.line.startswith("no "):
        _remove(after, edit)
        return after, ""
    form = form_of(edit.section, edit.line)
    _check_references(after, edit.line)
    if not edit.parent:
        if edit.line not in after:
            _replace(after, form, edit.line, dict[str, None]())
        return after, ""
    below = after.setdefault(edit.parent, {})
    said = ""
    if edit.line.startswith("vrf forwarding") and edit.line not in below:
        # As the boxes do that this one is like: another VRF takes the addresses away.
        gone = [line for line in below if line.startswith(("ip address", "ipv6 address"))]
        for line in gone:
            del below[line]
        if gone:
            name, vrf = edit.parent.split()[-1], edit.line.split()[-1]
            said = f"% Interface {name} addresses removed due to enabling VRF {vrf}"
    _replace(below, form, edit.line, None)
    return after, said


def _replace(lines: dict[str, _T], form: Form, line: str, value: _T) -> None:
    key = form.key(line)
    for old in list(lines):
        if old == line or (form.key_words and form.pattern.fullmatch(old) and form.key(old) == key):
            del lines[old]
    lines[line] = value


def _check_references(lines: Lines, line: str) -> None:
    match line.split():
        case ["vrf", "forwarding", name] if f"vrf definition {name}" not in lines:
            raise LineError(f"% VRF {name} does not exist or does not have a RD.")
        case ["service-policy", _, name] if f"policy-map {name}" not in lines:
            raise LineError(f"% policy map {name} not configured")
        case _:
            pass


def _remove(after: Lines, edit: Edit) -> None:
    wanted = edit.line.removeprefix("no ").strip()
    literals = (re.match(r"[a-z0-9 -]+", form.pattern.pattern) for form in FORMS[edit.section])
    starts = tuple(match[0].strip() for match in literals if match)
    if not any(wanted.startswith(start) or start.startswith(wanted) for start in starts):
        raise LineError(INVALID)
    if edit.parent:
        _drop(after.setdefault(edit.parent, {}), wanted)
    else:
        _drop(after, wanted)


def _drop(lines: dict[str, _T], wanted: str) -> None:
    for line in list(lines):
        if line == wanted or line.startswith(f"{wanted} "):
            del lines[line]


def parse_lines(text: str | Iterable[str]) -> Lines:
    """A configuration from its text, as ``show running-config`` prints it.

    Raises:
        LineError: a line is none.
    """
    lines: Lines = {}
    parent, section = "", ""
    for raw in text.splitlines() if isinstance(text, str) else text:
        line = raw.strip()
        if not line or line in {"!", "end"}:
            continue
        if not raw.startswith(" "):
            parent, section = "", ""
        lines, _ = applied(lines, Edit(section, parent, line))
        if not raw.startswith(" ") and form_of("", line).section:
            parent, section = line, form_of("", line).section
    return lines


def written(lines: Lines) -> Iterator[str]:
    """The lines as they are shown: in the order of their forms, then as they were typed."""
    for form in FORMS[""]:
        shown = [line for line in lines if form.pattern.fullmatch(line)]
        for line in shown:
            yield line
            if form.section:
                yield from (f" {below}" for below in _in_order(form.section, lines[line]))
                yield "!"
        if shown and not form.section:
            yield "!"


def _in_order(section: str, lines: Iterable[str]) -> list[str]:
    forms = FORMS[section]
    return sorted(
        lines, key=lambda line: next(at for at, form in enumerate(forms) if form.pattern.fullmatch(line))
    )
