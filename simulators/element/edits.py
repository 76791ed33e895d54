"""edit-config on a tree: default operation, operations of single nodes, order given by the user. Pure.

An edit succeeds as a whole or leaves the tree as it was, whatever error-option asks for: nothing stricter is needed of
a simulator, and rollback-on-error is what it announces.
"""

from typing import Any, Final, NamedTuple, cast

from simulators.element.errors import Condition, ConditionError, RpcError
from simulators.element.model import AnyNode, Kind, LeafError, Model, Node, Tree
from simulators.element.tree import Element, Step, format_path, without_other_cases

BASE: Final = "urn:ietf:params:xml:ns:netconf:base:1.0"
YANG: Final = "urn:ietf:params:xml:ns:yang:1"
_OPERATIONS: Final = frozenset({"merge", "replace", "create", "delete", "remove"})
DEFAULT_OPERATIONS: Final = frozenset({"merge", "replace", "none"})

_Above = tuple[Step, ...]


class _Edit(NamedTuple):
    """What an element of the request wants done with the node that it stands for."""

    operation: str
    exists: bool
    path: str

    def check(self) -> None:
        """Refuse what must be there and is not, or the other way round (RFC 6241 section 7.2)."""
        if self.operation == "create" and self.exists:
            raise ConditionError(Condition.DATA_EXISTS, "it is there already", path=self.path)
        if self.operation == "delete" and not self.exists:
            raise RpcError("data-missing", "it is not there", path=self.path)

    @property
    def is_removal(self) -> bool:
        return self.operation in {"delete", "remove"}


def edited(model: Model, tree: Tree, config: Element, default_operation: str = "merge") -> Tree:
    """A tree after an edit-config.

    Args:
        config: the element ``config`` of the request.

    Raises:
        RpcError, ConditionError: the edit is refused.
    """
    if default_operation not in DEFAULT_OPERATIONS:
        raise RpcError("bad-element", f"default-operation {default_operation!r}", error_type="protocol")
    start: Tree = {} if default_operation == "replace" else tree
    return _Editor(model).children(cast("AnyNode", model.root), start, config, default_operation, ())


class _Editor:
    def __init__(self, model: Model) -> None:
        self._model = model

    def children(self, parent: AnyNode, tree: Tree, xml: Element, default: str, above: _Above) -> Tree:
        if xml.text and xml.text.strip():
            raise RpcError("bad-element", "text where elements belong", path=format_path(above))
        after = tree
        for one in xml:
            if not isinstance(one.tag, str):
                continue
            node = self._node(parent, one, above)
            if node.name in parent.keys:
                continue
            after = self._child(parent, after, node, one, default, above)
        return after

    def _node(self, parent: AnyNode, xml: Element, above: _Above) -> Node:
        node = parent.child_of_tag(str(xml.tag))
        if node is not None and node.is_config:
            return node
        namespace, _, local_name = str(xml.tag).rpartition("}")
        namespace = namespace.removeprefix("{")
        path = format_path(above)
        if namespace not in self._model.module_of_namespace:
            raise ConditionError(
                Condition.UNKNOWN_NAMESPACE,
                f"no module has the namespace {namespace!r}",
                path=path,
                info={"bad-element": local_name, "bad-namespace": namespace},
            )
        reason = "it is no configuration" if node else "the model has no such node"
        raise RpcError(
            "unknown-element", f"{local_name}: {reason}", path=path, info={"bad-element": local_name}
        )

    def _child(
        self, parent: AnyNode, tree: Tree, node: Node, xml: Element, default: str, above: _Above
    ) -> Tree:
        operation = xml.get(f"{{{BASE}}}operation", default)
        if operation not in _OPERATIONS | {"none"}:
            info = {"bad-attribute": "operation", "bad-element": node.local_name}
            raise RpcError("bad-attribute", f"operation {operation!r}", path=format_path(above), info=info)
        after = without_other_cases(parent, tree, node)
        old = after.get(node.name)
        match node.kind:
            case Kind.LEAF:
                new = self._leaf(node, old, xml, operation, above)
            case Kind.LEAF_LIST:
                new = self._value(node, old or (), xml, operation, above)
            case Kind.LIST:
                new = self._entry(node, old or {}, xml, operation, above)
            case Kind.CONTAINER:
                new = self._container(node, old, xml, operation, above)
            case Kind.ANY:
                raise RpcError("operation-not-supported", f"{node.name} is of no known structure")
        if new or (new is not None and (node.kind is Kind.LEAF or node.is_presence)):
            after[node.name] = new
        else:
            after.pop(node.name, None)
        return after

    def _leaf(self, node: Node, old: str | None, xml: Element, operation: str, above: _Above) -> str | None:
        path = format_path((*above, Step(node)))
        edit = _Edit(operation, old is not None, path)
        edit.check()
        if edit.is_removal:
            return None
        return old if operation == "none" else self.text(node, xml, path)

    def _value(
        self, node: Node, old: tuple[str, ...], xml: Element, operation: str, above: _Above
    ) -> tuple[str, ...]:
        value = self.text(node, xml, format_path((*above, Step(node))))
        edit = _Edit(operation, value in old, format_path((*above, Step(node, (value,)))))
        edit.check()
        if edit.is_removal:
            return tuple(one for one in old if one != value)
        if operation == "none":
            return old
        where, beside = xml.get(f"{{{YANG}}}insert"), xml.get(f"{{{YANG}}}value")
        if value in old and where is None:
            return old
        others = [one for one in old if one != value]
        others.insert(_position(others, where, beside, edit.path), value)
        return tuple(others)

    def _entry(
        self,
        node: Node,
        old: dict[tuple[str, ...], Tree],
        xml: Element,
        operation: str,
        above: _Above,
    ) -> dict[tuple[str, ...], Tree]:
        entry = self._keys(node, xml, above)
        steps = (*above, Step(node, entry))
        edit = _Edit(operation, entry in old, format_path(steps))
        edit.check()
        after = dict(old)
        if edit.is_removal:
            after.pop(entry, None)
            return after
        if operation == "none" and entry not in old:
            raise RpcError("data-missing", "it is not there", path=edit.path)
        keys = dict(zip(node.keys, entry, strict=True))
        start = keys if operation in {"replace", "create"} else after.get(entry, keys)
        inherited = "merge" if operation == "create" else operation
        after[entry] = self.children(node, start, xml, inherited, steps)
        where = xml.get(f"{{{YANG}}}insert")
        if where is not None:
            beside = xml.get(f"{{{YANG}}}key")
            inside = after.pop(entry)
            order = list(after)
            names = [_predicates(node, one) for one in order]
            order.insert(_position(names, where, beside, edit.path), entry)
            after[entry] = inside
            after = {one: after[one] for one in order}
        return after

    def _container(
        self, node: Node, old: Tree | None, xml: Element, operation: str, above: _Above
    ) -> Tree | None:
        steps = (*above, Step(node))
        edit = _Edit(operation, old is not None, format_path(steps))
        edit.check()
        if edit.is_removal:
            return None
        start = {} if operation in {"replace", "create"} else (old or {})
        inherited = "merge" if operation == "create" else operation
        inside = self.children(node, start, xml, inherited, steps)
        return old if operation == "none" and not inside else inside

    def _keys(self, node: Node, xml: Element, above: _Above) -> tuple[str, ...]:
        found: list[str] = []
        for key in node.keys:
            child = node.children[key]
            element = xml.find(child.tag)
            if element is None:
                raise RpcError(
                    "missing-element",
                    f"{node.local_name} needs the key {child.local_name}",
                    path=format_path((*above, Step(node))),
                    info={"bad-element": child.local_name},
                )
            found.append(self.text(child, element, format_path((*above, Step(node)))))
        return tuple(found)

    def text(self, node: Node, xml: Element, path: str) -> str:
        """A leaf's value out of XML.

        Raises:
            ConditionError: BAD_VALUE.
        """
        if len(xml):
            raise RpcError("bad-element", "elements in a leaf", path=path)
        text = self._model.from_prefixes(node, (xml.text or "").strip(), xml.nsmap)
        try:
            return node.parse(text)
        except LeafError as error:
            raise ConditionError(
                Condition.BAD_VALUE, str(error), path=path, info={"bad-element": node.local_name}
            ) from error


def _position(others: list[str], where: str | None, beside: str | None, path: str) -> int:
    """Where an entry goes among the others (RFC 7950 sections 7.7.9 and 7.8.6)."""
    match where:
        case None | "last":
            return len(others)
        case "first":
            return 0
        case "before" | "after" if beside in others:
            return others.index(str(beside)) + (where == "after")
        case _:
            raise RpcError(
                "bad-attribute", f"insert {where!r} {beside!r}", app_tag="missing-instance", path=path
            )


def _predicates(node: Node, entry: tuple[str, ...]) -> str:
    """How the attribute ``key`` names an entry; prefixes are not looked at."""
    names = (key.partition(":")[2] for key in node.keys)
    return "".join(f"[{name}='{value}']" for name, value in zip(names, entry, strict=True))


def node_value(model: Model, node: Node, xml: Element) -> Any:
    """A leaf's value in a filter, or None where it is none of its type."""
    try:
        return _Editor(model).text(node, xml, "")
    except (ConditionError, RpcError):
        return None
