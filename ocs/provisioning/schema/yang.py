"""Loads YANG modules by pyang into a :class:`~ocs.provisioning.schema.schema.Schema`."""

import ipaddress
import os
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

from pyang import context as untyped_context
from pyang import error as untyped_error
from pyang import repository as untyped_repository
from pyang import types as untyped_types

from ocs.limits import SCHEMAS_KEPT, YANG_VALUES_REMEMBERED
from ocs.provisioning.schema.schema import NodeKind, Schema, SchemaError, SchemaNode
from ocs.provisioning.schema.value_type import (
    NO_XML,
    BitsType,
    DecimalType,
    EmptyType,
    IdentityType,
    InstanceType,
    IntegerType,
    TextType,
    UnionType,
    ValueType,
)

# pyang has no annotations: its statements are Any here and nowhere else.
yang_context: Any = untyped_context
yang_error: Any = untyped_error
yang_repository: Any = untyped_repository
yang_types: Any = untyped_types

_DATA_NODES: Final = frozenset({"container", "list", "leaf", "leaf-list"})
# What pyang stumbles over in a file that is hardly YANG, beside what it reports.
_STUMBLES: Final = (yang_error.Abort, IndexError, KeyError, AttributeError, TypeError, ValueError)
_TRANSPARENT: Final = frozenset({"choice", "case"})


def load_schema(folders: Sequence[Path], modules: Sequence[str]) -> Schema:
    """Read modules, with what they import, from the first of some folders that has them; remembered per set.

    Args:
        folders: where YANG files lie, as ``module.yang`` or ``module@revision.yang``; not looked into deeper.
        modules: names of modules whose nodes are wanted; all features are taken to be there.

    Raises:
        SchemaError: a module is missing or is no YANG; names file, line and fault.
    """
    return _load(tuple(str(folder) for folder in folders), tuple(sorted(set(modules))))


@lru_cache(SCHEMAS_KEPT)
def _load(folders: tuple[str, ...], modules: tuple[str, ...]) -> Schema:
    repository = yang_repository.FileRepository(os.pathsep.join(folders), use_env=False, no_path_recurse=True)
    context = yang_context.Context(repository)
    loaded: list[Any] = []
    try:
        loaded += [context.search_module(yang_error.Position(name), name) for name in modules]
        context.validate()
    except _STUMBLES as error:
        raise SchemaError("", _first_fault(context) or f"{modules}: no YANG: {error}") from None
    if None in loaded:
        missing = f"no file of module {modules[loaded.index(None)]} in {', '.join(folders)}"
        raise SchemaError("", _first_fault(context) or missing)
    if fault := _first_fault(context):
        raise SchemaError("", fault)
    every = [statement for statement in context.modules.values() if statement.keyword == "module"]
    identities = _derived_identities(every)
    namespaces = {module.arg: module.search_one("namespace").arg for module in every}
    roots = [
        node
        for module in loaded
        for node in _nodes(module.i_children, namespaces, identities, is_config=True)
    ]
    return Schema(namespaces, roots)


def _first_fault(context: Any) -> str:
    """The first error that pyang found; warnings are the modules' own matter."""
    errors: list[Any] = context.errors
    for position, tag, arguments in sorted(errors, key=_place_of_error):
        if yang_error.is_error(yang_error.err_level(tag)):
            return f"{Path(str(position.ref)).name}:{position.line}: {yang_error.err_to_str(tag, arguments)}"
    return ""


def _place_of_error(found: Any) -> tuple[str, int]:
    return str(found[0].ref), found[0].line


# --- Nodes -------------------------------------------------------------------------------------------------------


def _nodes(
    statements: Iterable[Any],
    namespaces: dict[str, str],
    identities: dict[str, frozenset[str]],
    *,
    is_config: bool,
) -> Iterable[SchemaNode]:
    for statement in statements:
        if statement.keyword in _TRANSPARENT:
            yield from _nodes(statement.i_children, namespaces, identities, is_config=is_config)
        elif statement.keyword in _DATA_NODES:
            yield _node(statement, namespaces, identities, is_config=is_config)


def _node(
    statement: Any, namespaces: dict[str, str], identities: dict[str, frozenset[str]], *, is_config: bool
) -> SchemaNode:
    module = statement.i_module.i_modulename
    own_config = is_config and statement.i_config is not False
    kind = NodeKind.PRESENCE if statement.search_one("presence") is not None else NodeKind(statement.keyword)
    mandatory, ordered = statement.search_one("mandatory"), statement.search_one("ordered-by")
    node = SchemaNode(
        name=f"{module}:{statement.arg}",
        namespace=namespaces[module],
        kind=kind,
        keys=tuple(key.arg for key in getattr(statement, "i_key", None) or ()),
        is_config=own_config,
        is_mandatory=kind is NodeKind.LEAF and mandatory is not None and mandatory.arg == "true",
        is_ordered_by_user=ordered is not None and ordered.arg == "user",
    )
    if kind in {NodeKind.LEAF, NodeKind.LEAF_LIST}:
        node.value_type = _value_type(statement.search_one("type"), module, identities)
        node.default = _default(statement, node) if kind is NodeKind.LEAF else None
    else:
        below = _nodes(statement.i_children, namespaces, identities, is_config=own_config)
        node.children = {child.name: child for child in below}
    return node


def _default(statement: Any, node: SchemaNode) -> str | None:
    """A leaf's default, which may stand at its typedef (RFC 7950 section 7.6.1)."""
    default = statement.search_one("default")
    written: str | None = default.arg if default is not None else None
    definition = getattr(statement.search_one("type"), "i_typedef", None)
    while written is None and definition is not None:
        default = definition.search_one("default")
        written = default.arg if default is not None else None
        definition = getattr(definition.search_one("type"), "i_typedef", None)
    if written is None or node.value_type is None:
        return None
    prefixes: dict[str, tuple[str, Any]] = statement.i_module.i_prefixes
    home = statement.i_module.i_modulename
    return node.value_type.of_xml(written, lambda prefix: prefixes[prefix][0] if prefix in prefixes else home)


# --- Types -------------------------------------------------------------------------------------------------------


def _value_type(statement: Any, home: str, identities: dict[str, frozenset[str]]) -> ValueType:
    """The type of a ``type`` statement as pyang resolved it."""
    spec = statement.i_type_spec
    if isinstance(spec, yang_types.PathTypeSpec):
        target = getattr(spec, "i_target_node", None)
        if target is None:
            return TextType(lambda _: "")
        return _value_type(target.search_one("type"), target.i_module.i_modulename, identities)
    if isinstance(spec, yang_types.UnionTypeSpec):
        return UnionType(tuple(_value_type(member, home, identities) for member in spec.types))
    return _plain_type(statement, spec, home, identities)


def _plain_type(statement: Any, spec: Any, home: str, identities: dict[str, frozenset[str]]) -> ValueType:
    name: str = spec.name
    if name == "identityref":
        bases = [base.i_identity for base in spec.idbases]
        # Derived from all of them (RFC 7950 section 9.10.2).
        named = [identities[_identity_name(base)] for base in bases]
        return IdentityType(home, named[0].intersection(*named[1:]))
    if name == "bits":
        while not hasattr(spec, "bits"):
            spec = spec.base
        return BitsType(dict(spec.bits))
    check = _checked_by(spec, statement.i_module)
    if name == "empty":
        return EmptyType()
    if name == "instance-identifier":
        return InstanceType()
    if name == "decimal64":
        return DecimalType(check)
    if "int" in name:
        return IntegerType(check)
    return TextType(check, _normaliser(statement))


def _checked_by(spec: Any, module: Any) -> Callable[[str], str]:
    """A function that has pyang judge a text: ranges, lengths, patterns, enumerations."""

    @lru_cache(YANG_VALUES_REMEMBERED)
    def fault_of(text: str) -> str:
        if NO_XML.search(text):
            return "expected characters that XML allows"
        errors: list[tuple[Any, str, tuple[Any, ...]]] = []
        position = yang_error.Position("")
        value = spec.str_to_val(errors, position, text, module)
        if value is not None:
            spec.validate(errors, position, value, module)
        if not errors:
            return "" if value is not None else "expected another value"
        reason = str(errors[0][2][-1])
        return re.sub(r" (?:for \w+ )?defined at .*", "", reason).strip()

    return fault_of


def _identity_name(identity: Any) -> str:
    return f"{identity.i_module.i_modulename}:{identity.arg}"


def _derived_identities(modules: Iterable[Any]) -> dict[str, frozenset[str]]:
    """Each identity's derived ones, itself not among them."""
    bases: dict[str, set[str]] = {}
    for module in modules:
        for identity in module.i_identities.values():
            bases[_identity_name(identity)] = {
                _identity_name(base.i_identity)
                for base in identity.search("base")
                if hasattr(base, "i_identity")
            }

    @cache
    def above(name: str) -> frozenset[str]:
        return frozenset(bases[name]).union(*(above(base) for base in bases[name]))

    derived: dict[str, set[str]] = {name: set() for name in bases}
    for name in bases:
        for base in above(name):
            derived[base].add(name)
    return {name: frozenset(found) for name, found in derived.items()}


# --- Canonical forms that stand in typedefs' descriptions ---------------------------------------------------------


def _normaliser(statement: Any) -> Callable[[str], str]:
    """What brings a text of this type into its canonical form, which its typedef's description gives in words."""
    definition = getattr(statement, "i_typedef", None)
    while definition is not None:
        if found := _NORMALISERS.get(definition.arg):
            return found
        definition = getattr(definition.search_one("type"), "i_typedef", None)
    return str


def _address(text: str) -> str:
    """RFC 5952; a zone stays as it is."""
    address, percent, zone = text.partition("%")
    try:
        return f"{ipaddress.ip_address(address)}{percent}{zone}"
    except ValueError:
        return text


def _prefix(text: str) -> str:
    """RFC 6991 section 4: bits behind the prefix are zero."""
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return text


# By the typedefs of ietf-inet-types and ietf-yang-types (RFC 6991).
_NORMALISERS: Final[dict[str, Callable[[str], str]]] = {
    "ipv4-address": _address,
    "ipv6-address": _address,
    "ipv4-prefix": _prefix,
    "ipv6-prefix": _prefix,
    "phys-address": str.lower,
    "mac-address": str.lower,
    "hex-string": str.lower,
    "uuid": str.lower,
    "domain-name": str.lower,
}
