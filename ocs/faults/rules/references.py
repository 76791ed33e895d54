"""How a rule names a varbind, and how it is found in a notification: by object identifier, never by position.

Relays and version translation add varbinds and reorder them (RFC 3584 section 3.1); ``#3`` is for devices whose object
identifiers nobody can name.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from ocs.faults.mibs import MibError, MibNames
from ocs.faults.mibs.display import is_text, printable
from ocs.faults.mibs.model import MibObject, MibType
from ocs.faults.notification import Syntax, Varbind
from ocs.faults.rules.errors import EntryError
from ocs.limits import VALUE_CHARACTERS_MAX

_BY_PLACE: Final = re.compile(r"#([1-9]\d?)")


class Reference:
    """One varbind of the notifications of a rule.

    Attributes:
        written: as the rule names it. oid: of the object; empty for ``#3``.
        mib_type: of its values; None when nobody knows.
    """

    __slots__ = (
        "_below",
        "_hint",
        "_is_text",
        "_labels",
        "_name_of",
        "_names",
        "_place",
        "mib_type",
        "oid",
        "written",
    )

    def __init__(self, written: str, names: MibNames, trap: MibObject | None) -> None:
        self.written = written
        self._names = names
        self._name_of = names.name_of
        place = _BY_PLACE.fullmatch(written)
        self._place = int(place[1]) - 1 if place else -1
        self.oid = "" if place else _object_oid(written, names, trap)
        self._below = f"{self.oid}."
        found = names.place_of(self.oid) if self.oid else None
        self.mib_type: MibType | None = None if found is None or found.instance else found.mib_type
        self._labels = {} if self.mib_type is None else self.mib_type.labels
        self._is_text = self.mib_type is None or is_text(self.mib_type)
        # Where it was the last time: most devices send the same order each time.
        self._hint = 0

    def find(self, varbinds: Sequence[Varbind]) -> Varbind | None:
        """The varbind of a notification, None when it was not sent."""
        count = len(varbinds)
        if self._place >= 0:
            return varbinds[self._place] if self._place < count else None
        hint, below = self._hint, self._below
        if hint < count:
            varbind = varbinds[hint]
            if varbind.name.startswith(below):
                return varbind
        oid = self.oid
        for varbind in varbinds:
            name = varbind.name
            if name.startswith(below) or name == oid:
                self._hint = varbinds.index(varbind)
                return varbind
        return None

    def text(self, varbind: Varbind) -> str:
        """The value as people read it."""
        value = varbind.value
        # Most values by far: a label of an enumeration, a short name in ASCII.
        if value in self._labels:
            return self._labels[value]
        if (
            self._is_text
            and isinstance(value, bytes)
            and len(value) < VALUE_CHARACTERS_MAX
            and value.isascii()
        ):
            text = value.decode()
            if text.isprintable() and varbind.syntax == Syntax.OCTET_STRING:
                return text
        if self._place >= 0:
            return self._names.value_text(varbind.name, varbind.syntax, value)
        return printable(varbind.value, varbind.syntax, self.mib_type, self._name_of)

    def index(self, varbind: Varbind) -> str:
        """The instance: what follows the object in the varbind's name, as its numbers."""
        return varbind.name[len(self._below) :] if self.oid else varbind.name

    def index_part(self, varbind: Varbind, number: int) -> str | None:
        """One part of the instance, from 1, as people read it; None when it has fewer."""
        parts = self._names.index_texts(varbind.name)
        return parts[number - 1] if number <= len(parts) else None


def _object_oid(written: str, names: MibNames, trap: MibObject | None) -> str:
    """The object that a rule means: an unqualified name is first looked for among those of its trap."""
    if trap is not None and "::" not in written:
        for qualified in trap.related:
            if qualified.partition("::")[2] == written:
                with suppress(MibError):  # some MIBs name the module that uses an object, not its own
                    return names.oid_of(qualified)
    try:
        return names.oid_of(written)
    except MibError as error:
        raise EntryError((), str(error)) from None
