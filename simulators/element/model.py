"""The YANG model that elements share: yangson's data model behind the few questions that a datastore asks.

One :class:`Model` serves every element of a process. It is read once and never changed.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum, auto
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from yangson import DataModel
from yangson.enumerations import ContentType, ValidationScope
from yangson.exceptions import ValidationError, YangsonException
from yangson.instance import RootNode
from yangson.instvalue import ArrayValue, ObjectValue

# A container or a list's entry by full names; a list by key values; a leaf's text; a leaf-list's texts.
Tree = dict[str, Any]

# The modules of the IETF and our own, where elements of any kind have them; they stand in one place only.
SERVICE_YANG: Final = Path(__file__).parents[2] / "config" / "network" / "yang"
# What a server needs for its own sake, whatever it configures.
_SERVER_MODULES: Final = (
    "ietf-netconf-acm",
    "ietf-netconf-monitoring",
    "ietf-netconf-nmda",
    "ietf-netconf-notifications",
    "ietf-yang-library",
)
MODULES: Final = (
    "iana-if-type",
    "ietf-interfaces",
    "ietf-ip",
    "ietf-network-instance",
    "ietf-snmp",
    "ietf-system",
)
# Implemented where somebody has put them into the folder of our own modules.
_WELCOME: Final = ("ocs-*.yang", "ietf-hardware.yang", "ietf-syslog.yang")
_IDENTIFIER: Final = r"[A-Za-z_][\w.-]*"
_PREFIXED: Final = re.compile(rf"(?<![\w.'\"-])({_IDENTIFIER}):(?={_IDENTIFIER})")


class ModelError(Exception):
    """Modules are missing or do not fit together."""


class LeafError(ValueError):
    """A text is no value of a leaf's type."""


class RuleError(Exception):
    """A configuration breaks a rule of the model.

    Attributes:
        tag: yangson's name for it. path: an instance identifier.
    """

    def __init__(self, tag: str, path: str, reason: str) -> None:
        super().__init__(reason)
        self.tag = tag
        self.path = path


class Kind(Enum):
    """What a schema node is."""

    CONTAINER = auto()
    LIST = auto()
    LEAF = auto()
    LEAF_LIST = auto()
    ANY = auto()


_KINDS: Final = {
    "ContainerNode": Kind.CONTAINER,
    "ListNode": Kind.LIST,
    "LeafNode": Kind.LEAF,
    "LeafListNode": Kind.LEAF_LIST,
    "AnydataNode": Kind.ANY,
    "AnyxmlNode": Kind.ANY,
}


class Choice(NamedTuple):
    """A choice that has to be made in a container or an entry.

    Attributes:
        names: of the nodes in its cases, one of which has to stand.
        container: one of them that makes the choice without standing in the configuration; empty: there is none.
    """

    name: str
    names: frozenset[str]
    container: str


class Node:
    """One data node of the schema.

    Attributes:
        name: ``module:local``. namespace: its URI. keys: full names of a list's keys. default: of a leaf, canonical.
        choices: the cases that it stands in, by choice; nodes of other cases of one choice exclude each other.
        to_choose: the mandatory choices among its children.
    """

    __slots__ = (
        "children",
        "choices",
        "default",
        "is_config",
        "is_ordered_by_user",
        "is_presence",
        "keys",
        "kind",
        "local_name",
        "module",
        "name",
        "namespace",
        "schema",
        "to_choose",
    )

    def __init__(self, schema: Any, namespace: str) -> None:
        self.schema = schema
        self.local_name, self.module = cast("tuple[str, str]", schema.qual_name)
        self.name = f"{self.module}:{self.local_name}"
        self.namespace = namespace
        self.kind = _KINDS[type(schema).__name__]
        self.is_config = bool(schema.config)
        self.is_presence = self.kind is Kind.CONTAINER and bool(schema.presence)
        self.is_ordered_by_user = bool(getattr(schema, "user_ordered", False))
        self.keys = (
            tuple(f"{module}:{local}" for local, module in schema.keys) if self.kind is Kind.LIST else ()
        )
        self.children: dict[str, Node] = {}
        self.choices = _cases_of(schema)
        self.to_choose = _to_choose(schema)
        value = schema.default if self.kind is Kind.LEAF else None
        self.default: str | None = None if value is None else str(schema.type.canonical_string(value))

    @property
    def tag(self) -> str:
        """The name as XML has it."""
        return f"{{{self.namespace}}}{self.local_name}"

    def child_of_tag(self, tag: str) -> "Node | None":
        """The child that an XML element is, if there is one."""
        return next((child for child in self.children.values() if child.tag == tag), None)

    def parse(self, text: str) -> str:
        """A leaf's text in canonical form; identities by their module's name (RFC 7951 section 6.8).

        Raises:
            LeafError: the text is no value of the type.
        """
        value = self.cooked(text)
        return str(self.schema.type.canonical_string(value) or "")

    def cooked(self, text: str) -> Any:
        """A leaf's text as yangson keeps it.

        Raises:
            LeafError: the text is no value of the type.
        """
        data_type = self.schema.type
        try:
            value = data_type.parse_value(text)
            known = value is not None and value in data_type
        except (ValueError, TypeError, ArithmeticError, KeyError, YangsonException):
            known, value = False, None
        if not known:
            raise LeafError(f"{text!r} is no {data_type.yang_type()} as {self.name} wants it")
        return value

    @property
    def holds_names(self) -> bool:
        """Whether values may name nodes or identities, so that XML writes them with prefixes."""
        return _holds_names(self.schema.type)


class Model:
    """Several modules made one schema.

    Attributes:
        root: whose children are the top-level nodes. namespaces: URI of each module. prefixes: of each module.
        sources: files of modules and submodules by name; revisions: of each.
    """

    def __init__(
        self,
        library: dict[str, Any],
        sources: dict[str, Path],
        prefixes: dict[str, str],
        revisions: dict[str, str],
    ) -> None:
        self.library = library
        self.sources = sources
        self.prefixes = prefixes
        self.revisions = revisions
        folders = sorted({str(path.parent) for path in sources.values()})
        try:
            self._data = DataModel(json.dumps(library), folders)
        except YangsonException as error:
            raise ModelError(f"the modules do not fit together: {error!r}") from error
        modules = library["ietf-yang-library:modules-state"]["module"]
        self.namespaces: dict[str, str] = {one["name"]: one["namespace"] for one in modules}
        self.implemented: tuple[str, ...] = tuple(
            one["name"] for one in modules if one["conformance-type"] == "implement"
        )
        self.module_of_namespace = {uri: name for name, uri in self.namespaces.items()}
        self.root = _Root()
        self._grow(self.root, self._data.schema)

    @property
    def content_id(self) -> str:
        """Changes when the modules do (RFC 8525 section 3)."""
        return str(cast("Any", self._data).module_set_id())

    def _grow(self, parent: Any, schema: Any) -> None:
        for one in schema.data_children():
            if type(one).__name__ not in _KINDS:
                continue
            node = Node(one, self.namespaces[one.ns])
            parent.children[node.name] = node
            if node.kind in {Kind.CONTAINER, Kind.LIST}:
                self._grow(node, one)

    def from_prefixes(self, node: Node, text: str, prefixes: Mapping[str | None, str]) -> str:
        """Text of a leaf in XML, with prefixes replaced by modules' names where its type has them."""
        if not node.holds_names:
            return text

        def named(match: re.Match[str]) -> str:
            module = self.module_of_namespace.get(prefixes.get(match[1]) or "")
            return f"{module}:" if module else match[0]

        return _PREFIXED.sub(named, text)

    def prefixes_in(self, node: Node, text: str) -> dict[str | None, str]:
        """The prefixes, which are modules' names, that a leaf's text needs declared in XML."""
        if not node.holds_names:
            return {}
        return {name: self.namespaces[name] for name in _PREFIXED.findall(text) if name in self.namespaces}

    def check(self, tree: Tree) -> None:
        """Hold a configuration against every rule of the model.

        Raises:
            RuleError: it breaks one; the first is told.
        """
        try:
            self._instance(tree, is_chosen=True).validate(ValidationScope.all, ContentType.config)
        except TypeError as error:
            # yangson cannot name what a choice lacks whose nodes are all optional (RFC 7950 section 15.6).
            unmade = _unmade(self.root, tree, "")
            if unmade is None:
                raise
            path, choice = unmade
            raise RuleError("missing-data", path, f"missing-data: the choice {choice} is not made") from error
        except ValidationError as error:
            route = str(error.instance.instance_route()) if error.instance else ""
            message = str(error.message or "")
            raise RuleError(str(error.tag or ""), route, f"{error.tag}: {message}".strip(": ")) from error

    def with_defaults(self, tree: Tree) -> Tree:
        """A configuration with the defaults in use written out (RFC 6243 section 3.1)."""
        full = self._instance(tree).add_defaults(ContentType.config)
        return _plain(self.root, full.value)

    def _instance(self, tree: Tree, *, is_chosen: bool = False) -> Any:
        data = cast("Any", self._data)
        now = datetime.now()  # noqa: DTZ005  # yangson compares it with times of its own, which have no zone
        return RootNode(
            _cooked(self.root, tree, now, is_chosen=is_chosen), data.schema, data.schema_data, now
        )


class _Root:
    """Stands above the top-level nodes, with as much of a node's face as they need."""

    def __init__(self) -> None:
        self.children: dict[str, Node] = {}
        self.kind = Kind.CONTAINER
        self.name = ""
        self.keys: tuple[str, ...] = ()
        self.is_presence = False
        self.to_choose: tuple[Choice, ...] = ()

    def child_of_tag(self, tag: str) -> Node | None:
        return next((child for child in self.children.values() if child.tag == tag), None)


AnyNode = Node | _Root


@lru_cache(8)
def load_model(modules: Sequence[str] = (), folders: tuple[Path, ...] = (SERVICE_YANG,)) -> Model:
    """Read modules and all that they import; without a list: those of :data:`MODULES` and all of our own.

    Args:
        modules: to implement beside those of the server itself.
        folders: where files lie; the first that has a module wins.

    Raises:
        ModelError: a module is missing, or they do not fit together.
    """
    files: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.yang")):
            files.setdefault(path.stem.partition("@")[0], path)
    welcome = (path.stem for pattern in _WELCOME for path in SERVICE_YANG.glob(pattern))
    wanted = sorted({*_SERVER_MODULES, *(modules or (*MODULES, *welcome))})
    return Model(*_library(files, wanted))


def _library(
    files: dict[str, Path], implemented: Sequence[str]
) -> tuple[dict[str, Any], dict[str, Path], dict[str, str], dict[str, str]]:
    """What RFC 7895 calls modules-state, of some modules and of what they import."""
    found: dict[str, _Header] = {}
    waiting = list(implemented)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        if name not in files:
            raise ModelError(f"no file of module {name}")
        header = found[name] = _Header(files[name].read_text(encoding="utf-8"))
        waiting += header.imports
        for part in header.includes:
            if part not in files:
                raise ModelError(f"no file of submodule {part} of {name}")
            found.setdefault(part, _Header(files[part].read_text(encoding="utf-8")))
            waiting += found[part].imports
    modules: list[dict[str, Any]] = []
    for name, header in sorted(found.items()):
        if not header.namespace:
            continue
        module: dict[str, Any] = {
            "name": name,
            "revision": header.revision,
            "namespace": header.namespace,
            "conformance-type": "implement" if name in implemented else "import",
            "feature": [*header.features, *(one for part in header.includes for one in found[part].features)],
        }
        if header.includes:
            module["submodule"] = [
                {"name": part, "revision": found[part].revision} for part in header.includes
            ]
        modules.append(module)
    return (
        {"ietf-yang-library:modules-state": {"module-set-id": "simulated", "module": modules}},
        {name: files[name] for name in found},
        {name: header.prefix for name, header in found.items()},
        {name: header.revision for name, header in found.items()},
    )


class _Header:
    """What a YANG file says of itself before its definitions; enough to build a library from."""

    def __init__(self, text: str) -> None:
        def one(pattern: str) -> str:
            found = re.search(pattern, text, re.MULTILINE)
            return found[1] if found else ""

        self.namespace = one(r'^\s*namespace\s+"?([^";\s]+)')
        self.prefix = one(r'^\s*prefix\s+"?([^";\s]+)')
        self.revision = one(r'^\s*revision\s+"?(\d{4}-\d\d-\d\d)')
        self.imports: list[str] = re.findall(r"^\s*import\s+([\w.-]+)\s*\{", text, re.MULTILINE)
        self.includes: list[str] = re.findall(r"^\s*include\s+([\w.-]+)\s*[;{]", text, re.MULTILINE)
        self.features: list[str] = re.findall(r"^\s*feature\s+([\w.-]+)\s*[;{]", text, re.MULTILINE)


def _cases_of(schema: Any) -> tuple[tuple[int, int], ...]:
    cases: list[tuple[int, int]] = []
    at = schema
    while at.parent is not None and type(at.parent).__name__ in {"CaseNode", "ChoiceNode"}:
        if type(at.parent).__name__ == "ChoiceNode":
            cases.append((id(at.parent), id(at)))
        at = at.parent
    return tuple(cases)


def _to_choose(schema: Any) -> tuple[Choice, ...]:
    """The mandatory choices of a container or a list.

    A container without presence that needs nothing inside is there whether or not it stands anywhere (RFC 7950
    section 7.5.1), as the mount points of RFC 8529 are: it makes the choice by itself.
    """
    found: list[Choice] = []
    for choice in getattr(schema, "children", ()):
        if type(choice).__name__ != "ChoiceNode" or not (choice.mandatory and choice.config):
            continue
        nodes = list(choice.data_children())
        names = [":".join(reversed(node.qual_name)) for node in nodes]
        free = (
            name
            for name, node in zip(names, nodes, strict=True)
            if type(node).__name__ == "ContainerNode"
            and not (node.presence or node.mandatory)
            and len(node.parent.children) == 1
        )
        found.append(Choice(choice.name, frozenset(names), next(free, "")))
    return tuple(found)


def _unmade(node: AnyNode, tree: Tree, path: str) -> tuple[str, str] | None:
    """Where the first mandatory choice is not made, and which; None: all are."""
    for choice in node.to_choose:
        if not choice.container and choice.names.isdisjoint(tree):
            return path, choice.name
    for name, value in tree.items():
        child = node.children[name]
        below: dict[str, Tree] = {}
        if child.kind is Kind.LIST:
            for entry, inside in value.items():
                keys = "".join(f"[{key}='{one}']" for key, one in zip(child.keys, entry, strict=True))
                below[f"{path}/{name}{keys}"] = inside
        elif child.kind is Kind.CONTAINER:
            below[f"{path}/{name}"] = value
        for at, inside in below.items():
            if (unmade := _unmade(child, inside, at)) is not None:
                return unmade
    return None


def _holds_names(data_type: Any) -> bool:
    match type(data_type).__name__:
        case "IdentityrefType" | "InstanceIdentifierType":
            return True
        case "LeafrefType":
            return _holds_names(data_type.ref_type)
        case "UnionType":
            return any(_holds_names(one) for one in data_type.types)
        case _:
            return False


def _cooked(node: AnyNode, tree: Tree, now: datetime, *, is_chosen: bool) -> Any:
    """A container or entry as yangson keeps it: names without the module where the parent has the same.

    Args:
        is_chosen: with the containers that make choices by themselves.
    """
    # Not ObjectValue's own: each assignment there reads the clock.
    members: dict[str, Any] = {}
    for name, value in tree.items():
        child = node.children[name]
        members[child.schema.iname()] = _cooked_child(child, value, now, is_chosen=is_chosen)
    if is_chosen:
        for choice in node.to_choose:
            if choice.container and choice.names.isdisjoint(tree):
                members[node.children[choice.container].schema.iname()] = ObjectValue({}, now)
    return ObjectValue(members, now)


def _cooked_child(child: Node, value: Any, now: datetime, *, is_chosen: bool) -> Any:
    match child.kind:
        case Kind.LEAF:
            return child.cooked(value)
        case Kind.LEAF_LIST:
            return ArrayValue([child.cooked(one) for one in value], now)
        case Kind.LIST:
            entries = (_cooked(child, entry, now, is_chosen=is_chosen) for entry in value.values())
            return ArrayValue(list(entries), now)
        case _:
            return _cooked(child, value, now, is_chosen=is_chosen)


def _plain(node: AnyNode, cooked: Any) -> Tree:
    by_name = {child.schema.iname(): child for child in node.children.values()}
    return {
        by_name[name].name: _plain_child(by_name[name], value)
        for name, value in cooked.items()
        if name in by_name
    }


def _plain_child(child: Node, value: Any) -> Any:
    match child.kind:
        case Kind.LEAF:
            return str(child.schema.type.canonical_string(value) or "")
        case Kind.LEAF_LIST:
            return tuple(str(child.schema.type.canonical_string(one)) for one in value)
        case Kind.LIST:
            entries = (_plain(child, entry) for entry in value)
            return {tuple(entry[key] for key in child.keys): entry for entry in entries}
        case _:
            return _plain(child, value)


def nodes_below(node: AnyNode) -> Iterator[Node]:
    """Every node below one, depth first."""
    for child in node.children.values():
        yield child
        yield from nodes_below(child)
