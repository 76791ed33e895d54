"""What a set of YANG modules allows: nodes by path, values by type. Pure; :mod:`.yang` loads it."""

import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from ocs.provisioning.configuration import (
    SELF,
    Configuration,
    PathError,
    Step,
    entries_above,
    format_path,
    parse_path,
)
from ocs.provisioning.schema.value_type import ValueType


class NodeKind(enum.Enum):
    """What a node of the data tree is. Choices and cases are none: they do not show in data."""

    CONTAINER = "container"
    PRESENCE = "presence"  # a container that says something by being there
    LIST = "list"
    LEAF = "leaf"
    LEAF_LIST = "leaf-list"


class SchemaError(Exception):
    """A path, a value or a module does not fit; ``str()`` names it.

    Attributes:
        path: where; empty when it is about modules.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.path = path
        self.reason = reason


class SchemaFault(NamedTuple):
    """What is wrong with one path of a configuration."""

    path: str
    reason: str


class SchemaNode(msgspec.Struct, kw_only=True, eq=False, dict=False):
    """One node of the schema.

    Attributes:
        name: ``module:local``. namespace: of its module. kind: what it is.
        keys: local names of a list's keys, in the order of the module; a list of state may have none.
        is_config: whether it is configuration rather than state. is_mandatory: it must be there when its parent is.
        default: of a leaf, canonical; None without one.
        is_ordered_by_user: the order of the entries says something.
        children: by ``module:local``, in the order of the module.
        value_type: of a leaf and a leaf-list.
    """

    name: str
    namespace: str
    kind: NodeKind
    keys: tuple[str, ...] = ()
    is_config: bool = True
    is_mandatory: bool = False
    default: str | None = None
    is_ordered_by_user: bool = False
    children: dict[str, "SchemaNode"] = {}
    value_type: ValueType | None = None

    @property
    def module(self) -> str:
        """The module that defines it."""
        return self.name.partition(":")[0]

    @property
    def local_name(self) -> str:
        """Its name without the module."""
        return self.name.partition(":")[2]

    def key(self, local_name: str) -> "SchemaNode":
        """The leaf of one of a list's keys; keys are of the list's own module (RFC 7950 section 7.8.2)."""
        return self.children[f"{self.module}:{local_name}"]

    def check(self, value: str) -> str | None:
        """What is wrong with a value; None when it is one of this node's."""
        try:
            self.canonical(value)
        except ValueError as error:
            return str(error)
        return None

    def canonical(self, value: str) -> str:
        """The one form of a value: two are equal when these texts are.

        Raises:
            ValueError: it is none of this node's; says why.
        """
        if self.value_type is None:
            raise ValueError(f"a {self.kind.value} has no value")
        return self.value_type.canonical(value)


class Schema:
    """The data tree of a set of modules.

    Attributes:
        modules: name -> namespace, of all modules, also of those that only others import.
    """

    def __init__(self, modules: Mapping[str, str], roots: Iterable[SchemaNode]) -> None:
        """Make the schema of these top-level nodes."""
        self.modules = dict(modules)
        self._modules_by_namespace = {namespace: module for module, namespace in self.modules.items()}
        self.children = {node.name: node for node in roots}

    def namespace(self, module: str) -> str:
        """The XML namespace of a module.

        Raises:
            SchemaError: no such module.
        """
        try:
            return self.modules[module]
        except KeyError:
            raise SchemaError("", f"no module {module} in this schema") from None

    def module_of(self, namespace: str) -> str | None:
        """The module of an XML namespace; None when none is known by it."""
        return self._modules_by_namespace.get(namespace)

    def node(self, path: str | Sequence[Step]) -> SchemaNode:
        """The node that a path leads to.

        Raises:
            SchemaError: there is none, or a list's entry is not named by its keys; says from where on.
        """
        steps = _steps(path)
        children = self.children
        node: SchemaNode | None = None
        for number, step in enumerate(steps, 1):
            above, node = node, children.get(step.name)
            if node is None:
                raise SchemaError(
                    format_path(tuple(steps[:number])), _unknown(step, above, children, self.modules)
                )
            if reason := _key_fault(step, node, is_last=number == len(steps)):
                raise SchemaError(format_path(tuple(steps[:number])), reason)
            children = node.children
        if node is None:
            raise SchemaError("", "an empty path leads nowhere")
        return node

    def canonical_path(self, path: str) -> str:
        """A path with its keys' values in their one form.

        Raises:
            SchemaError: it leads nowhere, or a key takes no such value.
        """
        steps: list[Step] = []
        for step in _steps(path):
            node = self.node([*steps, step]) if step.keys else None
            if node is None:
                steps.append(step)
                continue
            try:
                steps.append(
                    Step(
                        step.name,
                        tuple(
                            (name, (node if name == SELF else node.key(name)).canonical(value))
                            for name, value in step.keys
                        ),
                    )
                )
            except ValueError as error:
                raise SchemaError(path, str(error)) from None
        return format_path(tuple(steps))

    def canonical(self, configuration: Configuration) -> dict[str, str | None]:
        """A configuration in the form in which an element's, once read, can be compared with it.

        Raises:
            SchemaError: the first path or value that does not fit.
        """
        canonical: dict[str, str | None] = {}
        for path, value in configuration.items():
            fault = self._fault(path, value)
            if fault:
                raise SchemaError(path, fault)
            canonical[self.canonical_path(path)] = value
            if value is not None and not value.startswith("secret:"):
                canonical[self.canonical_path(path)] = self.node(path).canonical(value)
        return canonical

    def check(self, configuration: Configuration, *, is_complete: bool = False) -> list[SchemaFault]:
        """Everything that is wrong with a configuration.

        Args:
            configuration: what is to be checked; values that start with ``secret:`` are taken as they stand.
            is_complete: it is all there is, so that mandatory leaves of its entries must be in it.
        """
        faults = [
            SchemaFault(path, reason)
            for path, value in configuration.items()
            if (reason := self._fault(path, value))
        ]
        if is_complete and not faults:
            faults += self._missing(configuration)
        return faults

    def _fault(self, path: str, value: str | None) -> str:
        try:
            node = self.node(path)
        except SchemaError as error:
            return error.reason if error.path == path else str(error)
        except PathError as error:
            return str(error)
        if not node.is_config:
            return "this is state, not configuration"
        for step, step_node in zip(parse_path(path), self._nodes(path), strict=True):
            for name, key_value in step.keys:
                if reason := (step_node if name == SELF else step_node.key(name)).check(key_value):
                    return f"key {name}: {reason}"
        if node.kind is not NodeKind.LEAF:
            if value is not None:
                return f"a {node.kind.value} has no value"
            return "only implied by what lies in it" if node.kind is NodeKind.CONTAINER else ""
        if value is None:
            return "a leaf needs a value"
        # What a secret is, this program does not look at before it is sent.
        return "" if value.startswith("secret:") else node.check(value) or ""

    def _nodes(self, path: str) -> list[SchemaNode]:
        children, nodes = self.children, list[SchemaNode]()
        for step in parse_path(path):
            nodes.append(children[step.name])
            children = nodes[-1].children
        return nodes

    def _missing(self, configuration: Configuration) -> list[SchemaFault]:
        """Mandatory leaves that entries and containers with presence lack."""
        holders = {entry for path in configuration for entry in entries_above(path)}
        holders |= {path for path, value in configuration.items() if value is None}
        faults: list[SchemaFault] = []
        for holder in sorted(holders):
            steps = parse_path(holder)
            for child in self.node(holder).children.values():
                path = format_path((*steps, Step(child.name)))
                is_key = child.local_name in self.node(holder).keys
                if child.is_mandatory and child.is_config and not is_key and path not in configuration:
                    faults.append(SchemaFault(path, "this leaf must be there"))
        return faults


def _steps(path: str | Sequence[Step]) -> Sequence[Step]:
    return parse_path(path) if isinstance(path, str) else path


def _unknown(
    step: Step, above: SchemaNode | None, children: Mapping[str, SchemaNode], modules: Mapping[str, str]
) -> str:
    if step.module not in modules:
        return f"no module {step.module} in this schema"
    elsewhere = [name for name in children if name.partition(":")[2] == step.local_name]
    if elsewhere:
        return f"no such node; is {elsewhere[0]} meant?"
    return f"no node {step.name} in {above.name if above is not None else 'the schema'}"


def _key_fault(step: Step, node: SchemaNode, *, is_last: bool) -> str:
    """What is wrong with the predicates of a step."""
    names = tuple(name for name, _ in step.keys)
    if node.kind is NodeKind.LIST:
        if names != node.keys and (names or node.is_config):
            return "expected the list's keys: " + "".join(f"[{name}='...']" for name in node.keys)
    elif node.kind is NodeKind.LEAF_LIST:
        if names != (SELF,):
            return "expected the entry's value: [.='...']"
    elif names:
        return f"a {node.kind.value} has no keys"
    if not is_last and node.value_type is not None:
        return f"nothing lies below a {node.kind.value}"
    return ""
