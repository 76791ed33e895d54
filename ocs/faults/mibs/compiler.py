"""MIB sources to modules. pysmi reads the grammar; names are resolved here, against the modules that we know.

Nothing is fetched from anywhere: what a file imports must be known, or be among the files given with it.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from pysmi.error import PySmiError
from pysmi.parser.smiv1compat import SmiV1CompatParser

from ocs.faults.mibs.errors import MibError
from ocs.faults.mibs.folder import MODULE_NAME
from ocs.faults.mibs.model import BaseType, MibModule, MibObject, MibType, NodeKind
from ocs.limits import MIB_SOURCE_OCTETS_MAX

# What modules of SMIv1 define is in these of SMIv2 (RFC 3584 section 2.1.1), type names included.
_MIB_2: Final = (
    "RFC1213-MIB",
    "SNMPv2-MIB",
    "IF-MIB",
    "IP-MIB",
    "TCP-MIB",
    "UDP-MIB",
    "SNMPv2-SMI",
    "SNMPv2-TC",
)
_SUCCESSORS: Final = {
    "RFC1065-SMI": ("SNMPv2-SMI",),
    "RFC1155-SMI": ("SNMPv2-SMI",),
    "RFC1158-MIB": _MIB_2,
    "RFC1213-MIB": _MIB_2,
    "RFC-1212": ("SNMPv2-SMI",),
    "RFC-1215": ("SNMPv2-SMI",),
}
# They define macros and base types, which the grammar knows.
_GRAMMAR: Final = frozenset({*_SUCCESSORS, "SNMPv2-SMI", "SNMPv2-TC", "SNMPv2-CONF"})
_BASES: Final = {
    **dict.fromkeys(
        ("INTEGER", "Integer32", "Unsigned32", "UInteger32", "Counter", "Counter32", "Counter64", "Gauge", "Gauge32"),
        BaseType.INTEGER,
    ),
    "OCTET STRING": BaseType.OCTETS,
    "OBJECT IDENTIFIER": BaseType.OID,
    "ObjectName": BaseType.OID,
    "BITS": BaseType.BITS,
    "IpAddress": BaseType.ADDRESS,
    "NetworkAddress": BaseType.ADDRESS,
    "TimeTicks": BaseType.TICKS,
    "Opaque": BaseType.OPAQUE,
}  # fmt: skip
_ROOTS: Final = {"iso": "1", "ccitt": "0", "joint-iso-ccitt": "2"}
# RFC 2578 section 3.5.
_SUB_IDENTIFIERS_MAX: Final = 128
_LINE: Final = re.compile(r", line (\d+)$")

# A node of pysmi's tree: its name, then its parts.
_Tree = tuple[Any, ...]


class MibSource(NamedTuple):
    """One file: its name for messages, and what it holds."""

    file: str
    text: str


class _Parsed(NamedTuple):
    source: MibSource
    name: str
    imports: dict[str, str]  # symbol to module
    declarations: list[_Tree]


def read_source(path: Path) -> MibSource:
    """Read a MIB file.

    Raises:
        MibError: it cannot be read, is too large or no text.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MIB_SOURCE_OCTETS_MAX + 1)
    except OSError as error:
        raise MibError(str(path), 0, f"cannot read it: {error.strerror}") from None
    if len(content) > MIB_SOURCE_OCTETS_MAX:
        raise MibError(str(path), 0, f"expected at most {MIB_SOURCE_OCTETS_MAX} octets")
    # Vendors' files are in whatever their editors wrote; descriptions hold the only characters that differ.
    return MibSource(str(path), content.decode("utf-8", "replace"))


def compile_mibs(sources: Sequence[MibSource], known: Mapping[str, MibModule]) -> tuple[MibModule, ...]:
    """Compile files, which may import each other, in whichever order they come.

    Args:
        known: modules by name that they may import besides.

    Raises:
        MibError: the first thing that is wrong, with its file and line.
    """
    waiting = {parsed.name: parsed for source in sources for parsed in _parse(source)}
    modules = dict(known)
    compiled: list[MibModule] = []
    while waiting:
        ready = [
            one for one in waiting.values() if not (set(one.imports.values()) - {one.name}) & waiting.keys()
        ]
        if not ready:
            names = ", ".join(sorted(waiting))
            first = next(iter(waiting.values()))
            raise MibError(first.source.file, 0, f"the modules {names} import each other in a circle")
        for parsed in ready:
            module = _Resolver(parsed, modules).module()
            modules[module.name] = module
            compiled.append(module)
            del waiting[parsed.name]
    return tuple(compiled)


@cache
def _parser() -> Any:
    """The parser of pysmi; its tables take half a second to build."""
    return SmiV1CompatParser()


def _parse(source: MibSource) -> list[_Parsed]:
    try:
        # Module name, nothing, imports, declarations.
        trees: list[tuple[str, Any, Any, Any]] = _parser().parse(source.text)
    except PySmiError as error:
        text = str(error)
        line = _LINE.search(text)
        number = int(line[1]) if line else 0
        written = source.text.splitlines()[number - 1 : number] if number else []
        near = f" near {written[0].strip()[:60]!r}" if written and written[0].strip() else ""
        raise MibError(source.file, number, f"expected SMI as RFC 2578 defines it{near}") from None
    except RecursionError:
        raise MibError(source.file, 0, "expected SMI, nested less deeply") from None
    found: list[_Parsed] = []
    for name, _, imports, written in trees:
        if MODULE_NAME.fullmatch(name) is None:
            raise MibError(
                source.file, 0, f"expected a module's name of letters, digits and hyphens, got {name!r}"
            )
        named: dict[str, list[str]] = dict(imports or {})
        symbols = {symbol: module for module, several in named.items() for symbol in several}
        declarations: list[_Tree] = [one for one in written or () if one]
        found.append(_Parsed(source, name, symbols, declarations))
    if not found:
        raise MibError(source.file, 0, "expected a MIB module, found none")
    return found


class _Resolver:
    """One module's names: every object's numbers and type."""

    def __init__(self, parsed: _Parsed, modules: Mapping[str, MibModule]) -> None:
        self._parsed = parsed
        self._modules = modules
        self._types: list[MibType] = []
        self._declared = {tree[1]: tree for tree in parsed.declarations if tree[0] != "typeDeclaration"}
        self._declared_types = {tree[1]: tree for tree in parsed.declarations if tree[0] == "typeDeclaration"}
        self._oids: dict[str, str] = {}
        for symbol, module in parsed.imports.items():
            if module not in modules and module not in _GRAMMAR and module != parsed.name:
                raise self._error(
                    module, f"imports {symbol} from {module}, which nobody knows: add that MIB too, or before"
                )

    def module(self) -> MibModule:
        objects = tuple(self._object(tree) for tree in self._declared.values() if self._has_oid(tree))
        conventions = tuple(
            found for name in self._declared_types if (found := self._convention(name)) is not None
        )
        return MibModule(self._parsed.name, tuple(self._types), objects, conventions)

    # --- Objects ------------------------------------------------------------------------------------------------

    def _has_oid(self, tree: _Tree) -> bool:
        return tree[0] == "trapTypeClause" or _part(tree, "objectIdentifier") is not None

    def _object(self, tree: _Tree) -> MibObject:
        clause, name = tree[0], tree[1]
        oid = self._oid(name, ())
        if clause == "trapTypeClause":
            return MibObject(name, oid, NodeKind.NOTIFICATION, -1, self._named_in(_part(tree, "VarTypes")))
        if clause == "notificationTypeClause":
            return MibObject(name, oid, NodeKind.NOTIFICATION, -1, self._named_in(_part(tree, "Objects")))
        if clause != "objectTypeClause":
            return MibObject(name, oid, NodeKind.NODE)
        return self._object_type(tree, name, oid)

    def _object_type(self, tree: _Tree, name: str, oid: str) -> MibObject:
        syntax = tree[2]
        if syntax[0] == "conceptualTable":
            return MibObject(name, oid, NodeKind.TABLE)
        index = self._index(name, ())
        if index is not None:
            return MibObject(name, oid, NodeKind.ROW, -1, index)
        found = self._type(syntax, name)
        if found not in self._types:
            self._types.append(found)
        parent = self._declared.get(str(_part(tree, "objectIdentifier")[1][0]))
        is_column = parent is not None and self._index(parent[1], ()) is not None
        kind = NodeKind.COLUMN if is_column else NodeKind.SCALAR
        return MibObject(name, oid, kind, self._types.index(found))

    def _index(self, row: str, seen: tuple[str, ...]) -> tuple[str, ...] | None:
        """INDEX of a row, or of the row that it augments; None for what is no row."""
        tree = self._declared.get(row)
        if tree is None:
            module = self._modules.get(self._parsed.imports.get(row, ""))
            known = [one for one in module.objects if one.name == row] if module else []
            return known[0].related if known and known[0].kind is NodeKind.ROW else None
        if tree[0] != "objectTypeClause" or row in seen:
            return None
        index = _part(tree, "INDEX")
        if index is not None:
            return tuple(f"{'!' if implied else ''}{self._qualified(name)}" for implied, name in index[1])
        augmented = next((part for part in tree[3:] if isinstance(part, str)), None)
        return None if augmented is None else self._index(augmented, (*seen, row))

    def _named_in(self, part: _Tree | None) -> tuple[str, ...]:
        return () if part is None else tuple(self._qualified(name) for name in part[1])

    def _qualified(self, name: str) -> str:
        if name in self._declared:
            return f"{self._parsed.name}::{name}"
        return f"{self._parsed.imports.get(name, self._parsed.name)}::{name}"

    # --- Object identifiers -------------------------------------------------------------------------------------

    def _oid(self, name: str, seen: tuple[str, ...]) -> str:
        if name in self._oids:
            return self._oids[name]
        if name in seen:
            raise self._error(name, f"the object identifier of {name} leads back to itself")
        tree = self._declared.get(name)
        if tree is None:
            found = self._imported_oid(name, seen)
        elif tree[0] == "trapTypeClause":
            # RFC 2576 section 2.1.2: a trap of SMIv1 is enterprise.0.number, a generic one a child of snmpTraps.
            enterprise = self._joined(tree[2][1], (*seen, name))
            number = int(tree[-1])
            is_generic = enterprise == "1.3.6.1.2.1.11"
            found = f"1.3.6.1.6.3.1.1.5.{number + 1}" if is_generic else f"{enterprise}.0.{number}"
        else:
            part = _part(tree, "objectIdentifier")
            if part is None:
                raise self._error(name, f"{name} has no object identifier")
            found = self._joined(part[1], (*seen, name))
        if found.count(".") >= _SUB_IDENTIFIERS_MAX:
            raise self._error(name, f"expected at most {_SUB_IDENTIFIERS_MAX} sub-identifiers in {name}")
        self._oids[name] = found
        return found

    def _joined(self, steps: Sequence[Any], seen: tuple[str, ...]) -> str:
        if len(seen) > _SUB_IDENTIFIERS_MAX:
            raise self._error(
                seen[0], f"expected at most {_SUB_IDENTIFIERS_MAX} sub-identifiers in {seen[0]}"
            )
        # Steps after the first may be written as name(number).
        return ".".join(self._oid(step, seen) if isinstance(step, str) else _number(step) for step in steps)

    def _imported_oid(self, name: str, seen: tuple[str, ...]) -> str:
        if name in _ROOTS:
            return _ROOTS[name]
        for module in self._origins(name):
            for mib_object in module.objects:
                if mib_object.name == name:
                    return mib_object.oid
        origin = self._parsed.imports.get(name)
        where = (
            f"imported from {origin}, which has no such object" if origin else "neither defined nor imported"
        )
        raise self._error(seen[-1] if seen else name, f"{name} is {where}")

    def _origins(self, name: str) -> list[MibModule]:
        """The modules in which an imported name may stand."""
        origin = self._parsed.imports.get(name)
        if origin is None:
            return []
        names = _SUCCESSORS.get(origin, (origin,))
        return [self._modules[one] for one in names if one in self._modules]

    # --- Types --------------------------------------------------------------------------------------------------

    def _convention(self, name: str) -> MibType | None:
        """A type that the module declares; None for a SEQUENCE, which only repeats the columns."""
        right = self._declared_types[name][2]
        syntax = _syntax(right)
        if syntax is None:
            return None
        found = self._type(syntax, name)
        hint = _part(right, "DISPLAY-HINT")
        return MibType(name, found.base, str(hint[1]) if hint else found.hint, found.labels, found.size)

    def _type(self, syntax: _Tree, user: str, seen: tuple[str, ...] = ()) -> MibType:
        if syntax[0] == "BITS":
            return MibType("BITS", BaseType.BITS, "", {number: label for label, number in syntax[1]})
        named = self._named_type(str(syntax[1]), user, seen)
        labels, size = named.labels, named.size
        for part in filter(None, syntax[2:]):
            if part[0] == "enumSpec":
                labels = {number: label for label, number in part[1]}
            elif part[0] == "octetStringSubType" and len(part[1]) == 1 and len(part[1][0]) == 1:
                size = _plain_number(part[1][0][0])
        return MibType(named.name, named.base, named.hint, labels, size)

    def _named_type(self, name: str, user: str, seen: tuple[str, ...]) -> MibType:
        if name in self._declared_types:
            if name in seen:
                raise self._error(name, f"the type {name} leads back to itself")
            right = self._declared_types[name][2]
            syntax = _syntax(right)
            if syntax is None:
                raise self._error(user, f"{user} has the type {name}, which is a row: its INDEX is missing")
            found = self._type(syntax, name, (*seen, name))
            hint = _part(right, "DISPLAY-HINT")
            return MibType(name, found.base, str(hint[1]) if hint else found.hint, found.labels, found.size)
        for module in self._origins(name):
            for convention in module.conventions:
                if convention.name == name:
                    return convention
        if name in _BASES:
            return MibType(name, _BASES[name])
        origin = self._parsed.imports.get(name)
        where = (
            f"imported from {origin}, which has no such type" if origin else "neither defined nor imported"
        )
        raise self._error(user, f"the type {name} of {user} is {where}")

    def _error(self, symbol: str, expectation: str) -> MibError:
        """The error at the line where a symbol is declared, or else is first named."""
        text = re.sub(r"--[^\n]*", lambda comment: " " * len(comment[0]), self._parsed.source.text)
        written = re.escape(symbol)
        found = re.search(rf"^[ \t]*{written}[ \t\n]+(?:[A-Z]+-|OBJECT\b|::=)", text, re.MULTILINE)
        found = found or re.search(rf"(?<![\w-]){written}(?![\w-])", text)
        at = found.start() + len(found[0]) - len(found[0].lstrip()) if found else 0
        return MibError(self._parsed.source.file, text.count("\n", 0, at) + 1 if found else 0, expectation)


def _part(tree: _Tree, name: str) -> Any:
    """The part of a tree's node that has a name; None without one."""
    for part in tree:
        if isinstance(part, tuple) and part and part[0] == name:
            return cast("_Tree", part)
    return None


def _syntax(right: _Tree) -> _Tree | None:
    """What a type is declared as; None for a SEQUENCE, which only repeats the columns of a row."""
    for part in reversed(right):
        if isinstance(part, tuple):
            return None if part[0] == "SEQUENCE" else cast("_Tree", part)
    return None


def _number(step: Any) -> str:
    """One step of an object identifier: a number, or ``name(number)``."""
    return str(cast("_Tree", step)[1] if isinstance(step, tuple) else step)


def _plain_number(written: Any) -> int:
    """A size: some files write it in hexadecimal, which is then none that we keep."""
    return written if isinstance(written, int) and 0 < written <= 65_535 else 0
