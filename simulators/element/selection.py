"""What of a tree is asked for: subtree filters (RFC 6241 section 6) and the modes of defaults (RFC 6243). Pure."""

from typing import Any, Final, cast

from simulators.element.edits import node_value
from simulators.element.model import AnyNode, Kind, Model, Node, Tree
from simulators.element.tree import Element

WITH_DEFAULTS: Final = "urn:ietf:params:xml:ns:netconf:default:1.0"
DEFAULT_MODES: Final = ("explicit", "report-all", "report-all-tagged", "trim")


def selected(model: Model, tree: Tree, filter_: Element) -> Tree:
    """The part of a tree that a subtree filter selects; keys of a list's entry always come along.

    An empty filter selects nothing.
    """
    return _below(model, cast("AnyNode", model.root), tree, _elements(filter_)) or {}


def _elements(xml: Element) -> list[Element]:
    return [one for one in xml if isinstance(one.tag, str)]


def _below(model: Model, parent: AnyNode, tree: Tree, filters: list[Element]) -> Tree | None:
    """What siblings of a filter select among a container's children; None where one of them does not match."""
    matched: Tree = {}
    wanted: list[tuple[Node, Element]] = []
    for one in filters:
        for node in _named(parent, str(one.tag)):
            if (one.text or "").strip() and not _elements(one):
                if not _matches(model, node, tree.get(node.name), one):
                    return None
                matched[node.name] = tree[node.name]
            else:
                wanted.append((node, one))
        if not _named(parent, str(one.tag)) and (one.text or "").strip():
            return None
    if not wanted:
        # Content match nodes alone, and nothing else asked for: everything (RFC 6241 section 6.2.5).
        return tree if matched else None
    found = {key: tree[key] for key in parent.keys}
    found.update(matched)
    is_any = bool(matched)
    for node, one in wanted:
        value = _of_child(model, node, tree.get(node.name), one)
        if value is not None:
            found[node.name] = _together(node, found.get(node.name), value)
            is_any = True
    return found if is_any else None


def _named(parent: AnyNode, tag: str) -> list[Node]:
    """The children that an element of a filter means; without a namespace those of any."""
    return [
        child
        for child in parent.children.values()
        if tag == child.tag or ("}" not in tag and tag == child.local_name)
    ]


def _matches(model: Model, node: Node, value: Any, xml: Element) -> bool:
    wanted = node_value(model, node, xml) if node.kind in {Kind.LEAF, Kind.LEAF_LIST} else None
    if wanted is None or value is None:
        return False
    return wanted in value if node.kind is Kind.LEAF_LIST else wanted == value


def _of_child(model: Model, node: Node, value: Any, xml: Element) -> Any:
    inside = _elements(xml)
    if value is None or not inside:
        return value
    if node.kind is Kind.CONTAINER:
        return _below(model, node, value, inside)
    if node.kind is not Kind.LIST:
        return None
    entries = {key: _below(model, node, entry, inside) for key, entry in value.items()}
    return {key: entry for key, entry in entries.items() if entry is not None} or None


def _together(node: Node, first: Any, second: Any) -> Any:
    """Two selections of one node as one."""
    if first is None or node.kind in {Kind.LEAF, Kind.LEAF_LIST}:
        return second
    if node.kind is Kind.LIST:
        return {key: merged(node, first.get(key), second.get(key)) for key in first | second}
    return merged(node, first, second)


def merged(parent: AnyNode, first: Tree | None, second: Tree | None) -> Tree:
    """Two trees as one; the second wins where both have a leaf."""
    if first is None or second is None:
        return first or second or {}
    after = dict(first)
    for name, value in second.items():
        after[name] = _together(parent.children[name], first.get(name), value)
    return after


def in_mode(model: Model, tree: Tree, mode: str) -> Tree:
    """A tree with defaults as a mode of with-defaults wants them."""
    if mode in {"report-all", "report-all-tagged"}:
        return model.with_defaults(tree)
    return _trimmed(cast("AnyNode", model.root), tree) if mode == "trim" else tree


def _trimmed(parent: AnyNode, tree: Tree) -> Tree:
    after: Tree = {}
    for name, value in tree.items():
        node = parent.children[name]
        if node.kind is Kind.LEAF:
            if value != node.default or name in parent.keys:
                after[name] = value
        elif node.kind is Kind.LIST:
            after[name] = {key: _trimmed(node, entry) for key, entry in value.items()}
        elif node.kind is Kind.CONTAINER:
            inside = _trimmed(node, value)
            if inside or node.is_presence:
                after[name] = inside
        else:
            after[name] = value
    return after


def tag_defaults(model: Model, xml: Element) -> None:
    """Mark every leaf of XML that has its default value (report-all-tagged, RFC 6243 section 3.4)."""
    _tag(cast("AnyNode", model.root), xml)


def _tag(parent: AnyNode, xml: Element) -> None:
    for one in _elements(xml):
        node = parent.child_of_tag(str(one.tag))
        if node is None:
            continue
        if node.kind is Kind.LEAF and node.default is not None and one.text == node.default:
            one.set(f"{{{WITH_DEFAULTS}}}default", "true")
        elif node.kind in {Kind.CONTAINER, Kind.LIST}:
            _tag(node, one)
