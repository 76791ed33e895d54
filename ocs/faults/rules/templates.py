"""Texts with places for what a notification says: ``Interface {ifName|ifDescr|ifIndex} is down``."""

import hashlib
import re
from collections.abc import Callable
from typing import Final

from ocs.faults.mibs import MibNames
from ocs.faults.mibs.model import MibObject
from ocs.faults.notification import Notification
from ocs.faults.rules.errors import EntryError
from ocs.faults.rules.references import Reference
from ocs.limits import ALARM_KEY_CHARACTERS_MAX, ALARM_TEXT_CHARACTERS_MAX

# What stands where a varbind should that was not sent.
UNKNOWN: Final = "unknown"

_PLACE: Final = re.compile(r"\{([^{}]*)\}")
_CHOICE: Final = re.compile(
    r"\s*(?:'([^']*)'|([^.|\s][^|\s]*?)(?:\.(index|number|above)(?:\.([1-9]\d?))?)?)\s*"
)
_DIGEST_OCTETS: Final = 6

# A notification and the name of its element to a text; None when it was not sent.
Part = Callable[[Notification, str], str | None]

_ABOUT: Final[dict[str, Part]] = {
    "element": lambda _, element: element,
    "source": lambda notification, _: notification.source,
    "peer": lambda notification, _: notification.peer,
    "trap.oid": lambda notification, _: notification.trap_oid,
}
_ABOUT_SENDER: Final = frozenset({"source", "peer"})


class Template:
    """One text with places.

    Attributes:
        is_about_sender: it has a place for more of the sender than the element's name.
    """

    __slots__ = ("_names", "_parts", "_trap", "is_about_sender", "written")

    def __init__(self, written: str, names: MibNames, trap: MibObject | None) -> None:
        self.written = written
        self._names = names
        self._trap = trap
        self.is_about_sender = False
        self._parts: list[str | tuple[Part, ...]] = []
        at = 0
        for match in _PLACE.finditer(written):
            self._literal(written[at : match.start()])
            self._parts.append(tuple(self._choice(choice) for choice in match[1].split("|")))
            at = match.end()
        self._literal(written[at:])

    def text(self, notification: Notification, element: str) -> str:
        """The text for a notification; what was not sent reads ``unknown``."""
        parts = self._parts
        if len(parts) == 1 and isinstance(parts[0], str):
            return parts[0]
        written: list[str] = []
        for part in parts:
            if isinstance(part, str):
                written.append(part)
                continue
            for choice in part:
                found = choice(notification, element)
                if found is not None and found != "":
                    written.append(found)
                    break
            else:
                written.append(UNKNOWN)
        return "".join(written)

    def _literal(self, text: str) -> None:
        if "{" in text or "}" in text:
            raise EntryError((), f"expected braces in pairs, as in {{ifDescr}}, got {self.written!r}")
        if text:
            self._parts.append(text)

    def _choice(self, written: str) -> Part:
        stripped = written.strip()
        if stripped in _ABOUT:
            self.is_about_sender = self.is_about_sender or stripped in _ABOUT_SENDER
            return _ABOUT[stripped]
        if stripped == "trap":
            name_of = self._names.name_of
            return lambda notification, _: name_of(notification.trap_oid)
        match = _CHOICE.fullmatch(written)
        if match is None:
            raise EntryError(
                (), f"expected NAME, NAME.index, NAME.index.1, NAME.number or NAME.above, got {written!r}"
            )
        if match[1] is not None:
            literal = match[1]
            return lambda _notification, _element: literal
        return _varbind_part(Reference(match[2], self._names, self._trap), match[3], match[4])


def _varbind_part(reference: Reference, wanted: str | None, number: str | None) -> Part:
    find = reference.find

    def value(notification: Notification, _: str) -> str | None:
        varbind = find(notification.varbinds)
        return None if varbind is None else reference.text(varbind)

    def raw(notification: Notification, _: str) -> str | None:
        varbind = find(notification.varbinds)
        return None if varbind is None or not isinstance(varbind.value, int) else str(varbind.value)

    def above(notification: Notification, _: str) -> str | None:
        varbind = find(notification.varbinds)
        return (
            None
            if varbind is None or not isinstance(varbind.value, str)
            else varbind.value.rpartition(".")[0]
        )

    def index(notification: Notification, _: str) -> str | None:
        varbind = find(notification.varbinds)
        return None if varbind is None else reference.index(varbind)

    def index_part(notification: Notification, _: str) -> str | None:
        varbind = find(notification.varbinds)
        return None if varbind is None else reference.index_part(varbind, int(number or 1))

    if wanted is None:
        return value
    if wanted == "number":
        return raw
    if wanted == "above":
        return above
    return index if number is None else index_part


def key_text(text: str) -> str:
    """A resource or a qualifier of bounded length; a longer one is cut, and its digest keeps it distinct."""
    if len(text) <= ALARM_KEY_CHARACTERS_MAX:
        return text
    digest = hashlib.blake2b(text.encode(), digest_size=_DIGEST_OCTETS).hexdigest()
    return f"{text[: ALARM_KEY_CHARACTERS_MAX - len(digest) - 1]}~{digest}"


def alarm_text(text: str) -> str:
    """A text of bounded length; a longer one is cut, and says so."""
    return text if len(text) <= ALARM_TEXT_CHARACTERS_MAX else f"{text[: ALARM_TEXT_CHARACTERS_MAX - 1]}…"
