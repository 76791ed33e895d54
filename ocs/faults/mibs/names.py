"""Names for object identifiers, and object identifiers for names. Pure; what was looked up is remembered, bounded."""

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from ocs.faults.mibs.display import Value, printable
from ocs.faults.mibs.errors import MibError
from ocs.faults.mibs.indexes import index_values
from ocs.faults.mibs.model import MibModule, MibObject, MibType, NodeKind
from ocs.limits import MIB_NAMES_REMEMBERED

_NUMERIC: Final = re.compile(r"\.?(\d+(?:\.\d+)*)")
_NAME: Final = re.compile(r"(?:([A-Za-z][\w-]*)::)?([A-Za-z][\w-]*)((?:\.\d+)*)")


class Place(NamedTuple):
    """Where an object identifier belongs.

    Attributes:
        module: the module's name. object: the nearest named node at or above it.
        mib_type: the type of its values; None when there is none.
        instance: what follows the object, dotted; empty for the object itself.
    """

    module: str
    object: MibObject
    mib_type: MibType | None
    instance: str

    def __str__(self) -> str:
        name = f"{self.module}::{self.object.name}"
        return f"{name}.{self.instance}" if self.instance else name


class MibNames:
    """All the modules we know. Where two define one object identifier the later one names it."""

    def __init__(self, modules: Iterable[MibModule]) -> None:
        self._modules = {module.name: module for module in modules}
        self._objects: dict[str, tuple[MibModule, MibObject]] = {
            mib_object.oid: (module, mib_object)
            for module in self._modules.values()
            for mib_object in module.objects
        }
        # Names of single instances (sysUpTimeInstance) would hide the type of what they are instances of.
        for oid in [oid for oid, (_, one) in self._objects.items() if one.kind is NodeKind.NODE]:
            above = self._objects.get(oid.rpartition(".")[0])
            if above is not None and above[1].kind is NodeKind.SCALAR:
                del self._objects[oid]
        self._by_name: dict[str, list[tuple[MibModule, MibObject]]] = {}
        self._places: dict[str, Place | None] = {}

    @property
    def modules(self) -> Sequence[MibModule]:
        """All modules, those that others supersede first."""
        return tuple(self._modules.values())

    def module(self, name: str) -> MibModule | None:
        """A module by its name."""
        return self._modules.get(name)

    def place_of(self, oid: str) -> Place | None:
        """Where an object identifier belongs; None when not even its root is known."""
        places = self._places
        if oid in places:
            return places[oid]
        if len(places) >= MIB_NAMES_REMEMBERED:
            places.clear()
        found = places[oid] = self._find(oid)
        return found

    def _find(self, oid: str) -> Place | None:
        head, index = oid, ""
        while head not in self._objects:
            head, dot, last = head.rpartition(".")
            if not dot:
                return None
            index = f"{last}.{index}" if index else last
        module, mib_object = self._objects[head]
        return Place(module.name, mib_object, module.type_of(mib_object), index)

    def name_of(self, oid: str) -> str:
        """``IF-MIB::ifDescr.3``; of an unknown one the nearest name above it, or the numbers as they are."""
        place = self.place_of(oid)
        return oid if place is None else str(place)

    def value_text(self, oid: str, syntax: int, value: Value) -> str:
        """The value of a varbind as people read it."""
        place = self.place_of(oid)
        return printable(value, syntax, None if place is None else place.mib_type, self.name_of)

    def notification(self, oid: str) -> MibObject | None:
        """The definition of a trap; None when no module has one."""
        found = self._objects.get(oid)
        return found[1] if found is not None and found[1].kind is NodeKind.NOTIFICATION else None

    def oid_of(self, name: str) -> str:
        """The object identifier of ``IF-MIB::ifDescr``, ``ifDescr``, ``IF-MIB::ifDescr.3`` or a dotted number itself.

        Raises:
            MibError: nobody knows the name, or several modules mean different things by it.
        """
        numeric = _NUMERIC.fullmatch(name)
        if numeric is not None:
            return numeric[1]
        match = _NAME.fullmatch(name)
        if match is None:
            raise MibError(
                "", 0, f"expected a name such as IF-MIB::ifDescr or an object identifier, got {name!r}"
            )
        found = self._named(match[2], match[1])
        oids = {mib_object.oid for _, mib_object in found}
        if not oids:
            raise MibError("", 0, self._unknown(match[2], match[1]))
        if len(oids) > 1:
            several = ", ".join(sorted(f"{module.name}::{match[2]}" for module, _ in found))
            raise MibError("", 0, f"{match[2]!r} means several objects: say which of {several}")
        return oids.pop() + match[3]

    def _named(self, label: str, module_name: str | None) -> list[tuple[MibModule, MibObject]]:
        if not self._by_name:
            for module in self._modules.values():
                for mib_object in module.objects:
                    self._by_name.setdefault(mib_object.name, []).append((module, mib_object))
        found = self._by_name.get(label, [])
        return found if module_name is None else [one for one in found if one[0].name == module_name]

    def _unknown(self, label: str, module_name: str | None) -> str:
        if module_name is not None and module_name not in self._modules:
            close = difflib.get_close_matches(module_name, self._modules, n=1, cutoff=0.8)
            hint = f", perhaps {close[0]}" if close else "; `ocs faults mib add FILE` adds one"
            return f"no MIB module is called {module_name!r}{hint}"
        known: Iterable[str] = self._by_name
        if module_name is not None:
            known = [mib_object.name for mib_object in self._modules[module_name].objects]
        close = difflib.get_close_matches(label, known, n=1)
        hint = f", perhaps {close[0]}" if close else ""
        where = f"module {module_name}" if module_name else "no MIB module"
        return (
            f"{where} has no object {label!r}{hint}"
            if module_name
            else f"{where} has an object {label!r}{hint}"
        )

    def index_texts(self, oid: str) -> tuple[str, ...]:
        """The parts of an instance's index as people read them, by its row's INDEX; by its numbers where that fails."""
        place = self.place_of(oid)
        if place is None or not place.instance:
            return ()
        numbers = place.instance.split(".")
        types = self._index_types(place.object)
        parts = None
        if types:
            parts = index_values(
                [int(number) for number in numbers], [(kind, implied) for kind, implied, _ in types]
            )
        if parts is None:
            return tuple(numbers)
        return tuple(
            printable(value, syntax, mib_type, self.name_of)
            for (value, syntax), (mib_type, _, _) in zip(parts, types, strict=True)
        )

    def index_names(self, oid: str) -> tuple[str, ...]:
        """Names of the INDEX objects of a column's row."""
        place = self.place_of(oid)
        return () if place is None else tuple(name for _, _, name in self._index_types(place.object))

    def _index_types(self, column: MibObject) -> tuple[tuple[MibType | None, bool, str], ...]:
        """Type, IMPLIED and name of each INDEX object of a column's row."""
        row = self._objects.get(column.oid.rpartition(".")[0])
        if column.kind is not NodeKind.COLUMN or row is None:
            return ()
        return tuple(
            (self._type_named(name.lstrip("!")), name.startswith("!"), name.lstrip("!"))
            for name in row[1].related
        )

    def _type_named(self, name: str) -> MibType | None:
        module_name, _, label = name.partition("::")
        for module, mib_object in self._named(label, module_name):
            return module.type_of(mib_object)
        return None
