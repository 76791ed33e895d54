"""Makes ``standard.mibs``, the table of standard MIBs that we ship, from the packages pysnmp and pysnmp-mibs.

Run by hand when one of them changes: ``python -m ocs.faults.mibs.bundle``. Whoever looks names up reads the table: to
load the modules themselves takes six seconds and runs them as programs.
"""

import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import pysnmp.smi.mibs
import pysnmp_mibs
from pysnmp.smi import builder

from ocs.faults.mibs.model import BaseType, MibModule, MibObject, MibType, NodeKind
from ocs.faults.mibs.standard import STANDARD_TABLE

# Modules whose objects newer ones define again: they come first, so that the newer name is found.
_SUPERSEDED: Final = ("RFC1158-MIB", "RFC1213-MIB", "RFC1253-MIB", "RFC1271-MIB", "RFC1285-MIB")
# What pysnmp adds of its own, or needs to compute with; nobody sends it.
_NOT_STANDARD: Final = ("ASN1", "ASN1-ENUMERATION", "ASN1-REFINEMENT", "PYSNMP-", "__")
_KINDS: Final = {
    "MibScalar": NodeKind.SCALAR,
    "MibTable": NodeKind.TABLE,
    "MibTableRow": NodeKind.ROW,
    "MibTableColumn": NodeKind.COLUMN,
    "NotificationType": NodeKind.NOTIFICATION,
    "MibIdentifier": NodeKind.NODE,
    "ObjectIdentity": NodeKind.NODE,
    "ModuleIdentity": NodeKind.NODE,
}
_BASES: Final = {
    "Bits": BaseType.BITS,
    "IpAddress": BaseType.ADDRESS,
    "NetworkAddress": BaseType.ADDRESS,  # SMIv1: a choice with this one branch
    "TimeTicks": BaseType.TICKS,
    "Opaque": BaseType.OPAQUE,
    "ObjectIdentifier": BaseType.OID,
    "OctetString": BaseType.OCTETS,
    "Integer": BaseType.INTEGER,
    "Integer32": BaseType.INTEGER,
    "Unsigned32": BaseType.INTEGER,
    "Counter32": BaseType.INTEGER,
    "Counter64": BaseType.INTEGER,
    "Gauge32": BaseType.INTEGER,
}


def bundle(names: Sequence[str] | None = None) -> tuple[MibModule, ...]:
    """Read modules of the two packages.

    Args:
        names: which; None reads all of them.
    """
    folders = [Path(next(iter(package.__path__))) for package in (pysnmp_mibs, pysnmp.smi.mibs)]
    loader: Any = builder.MibBuilder()
    loader.add_mib_sources(builder.DirMibSource(str(folders[0])))
    if names is None:
        names = sorted({path.stem for folder in folders for path in folder.glob("*.py")})
    wanted = [name for name in names if not name.startswith(_NOT_STANDARD)]
    for name in wanted:
        loader.load_modules(name)
    modules = [_module(name, loader.mibSymbols[name]) for name in wanted]
    return tuple(sorted(modules, key=lambda module: (module.name not in _SUPERSEDED, module.name)))


def write_table(modules: Iterable[MibModule], path: Path) -> None:
    """Write modules as one table."""
    path.write_bytes(zlib.compress(msgspec.msgpack.encode(tuple(modules)), 9))


def _module(name: str, symbols: dict[str, Any]) -> MibModule:
    types: dict[str, int] = {}
    kept: list[MibType] = []
    objects: list[MibObject] = []
    conventions: list[MibType] = []
    for label, symbol in sorted(symbols.items()):
        if isinstance(symbol, type):
            if _base(symbol) is not None:
                conventions.append(_type(symbol()))
            continue
        kind = _kind(symbol)
        if kind is None:
            continue
        index = -1
        if kind in (NodeKind.SCALAR, NodeKind.COLUMN):
            found = _type(symbol.getSyntax())
            index = types.setdefault(repr(found), len(kept))
            if index == len(kept):
                kept.append(found)
        oid = ".".join(map(str, symbol.getName()))
        objects.append(MibObject(symbol.label or label, oid, kind, index, _related(symbol, kind)))
    return MibModule(name, tuple(kept), tuple(objects), tuple(conventions))


def _kind(symbol: Any) -> NodeKind | None:
    for parent in type(symbol).__mro__:
        if parent.__name__ in _KINDS:
            return _KINDS[parent.__name__]
    return None


def _base(cls: type) -> BaseType | None:
    return next((_BASES[parent.__name__] for parent in cls.__mro__ if parent.__name__ in _BASES), None)


def _type(syntax: Any) -> MibType:
    cls = cast("type[object]", type(syntax))
    base = _base(cls)
    if base is None:
        raise TypeError(f"{cls} refines none of SMIv2's types")
    hint = str(getattr(syntax, "displayHint", "") or "")
    labels = {int(number): str(label) for label, number in syntax.namedValues.items()} if base in (
        BaseType.INTEGER,
        BaseType.BITS,
    ) else {}  # fmt: skip
    size = (getattr(syntax, "fixedLength", None) or 0) if base is BaseType.OCTETS else 0
    return MibType(cls.__name__, base, hint, dict(sorted(labels.items())), size)


def _related(symbol: Any, kind: NodeKind) -> tuple[str, ...]:
    if kind is NodeKind.ROW:
        return tuple(
            f"{'!' if implied else ''}{module}::{name}" for implied, module, name in symbol.getIndexNames()
        )
    if kind is NodeKind.NOTIFICATION:
        return tuple(f"{module}::{name}" for module, name in symbol.getObjects())
    return ()


if __name__ == "__main__":
    write_table(bundle(), STANDARD_TABLE)
