"""Configuration trees: as XML, as a flat mapping of instance identifiers, and what differs between two. Pure.

Trees are never changed in place once they stand in a datastore: what edits them copies along the way, so that running,
candidate and startup share what they have in common.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, cast

from lxml import etree

from simulators.element.model import AnyNode, Kind, LeafError, Model, Node, Tree

# The only name that lxml has for it.
Element = etree._Element  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
# A flat configuration: paths as RFC 7951 section 6.11 writes instance identifiers; None where there is no value.
Flat = Mapping[str, str | None]

_STEP: Final = re.compile(
    r"/(?:(?P<module>[A-Za-z_][\w.-]*):)?(?P<name>[A-Za-z_][\w.-]*)"
    r"(?P<keys>(?:\[[^\]=]+=(?:'[^']*'|\"[^\"]*\")\])*)"
)
_KEY: Final = re.compile(r"\[([^\]=]+)=(?:'([^']*)'|\"([^\"]*)\")\]")


class PathError(ValueError):
    """A text is no path of the model."""


class Step(NamedTuple):
    """A node on a path. entry: of a list, its key values; of a leaf-list, the value alone; else empty."""

    node: Node
    entry: tuple[str, ...] = ()


# --- paths -------------------------------------------------------------------------------------------------------


def parse_path(model: Model, path: str) -> tuple[Step, ...]:
    """Cut an instance identifier into steps.

    Raises:
        PathError: it is none, or the model has no such node.
    """
    steps: list[Step] = []
    at, module, parent = 0, "", cast("AnyNode", model.root)
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            raise PathError(f"{path!r}: no path from character {at} on")
        module = match["module"] or module
        node = parent.children.get(f"{module}:{match['name']}")
        if node is None:
            raise PathError(f"{path!r}: the model has no {module}:{match['name']} there")
        given = {key: single or double for key, single, double in _KEY.findall(match["keys"])}
        steps.append(Step(node, _entry(node, given, path)))
        at, parent = match.end(), node
    if not steps:
        raise PathError("an empty text is no path")
    return tuple(steps)


def _entry(node: Node, given: dict[str, str], path: str) -> tuple[str, ...]:
    names = {Kind.LIST: node.keys, Kind.LEAF_LIST: (".",)}.get(node.kind, ())
    by_local = {key.rpartition(":")[2]: value for key, value in given.items()}
    try:
        values = tuple(by_local.pop(name.rpartition(":")[2]) for name in names)
        if by_local:
            raise PathError(f"{path!r}: {node.name} has no key {', '.join(by_local)}")
        if node.kind is Kind.LEAF_LIST:
            return (node.parse(values[0]),)
        return tuple(node.children[key].parse(value) for key, value in zip(node.keys, values, strict=True))
    except KeyError as error:
        raise PathError(f"{path!r}: {node.name} needs the key {error}") from None
    except LeafError as error:
        raise PathError(f"{path!r}: {error}") from None


def format_path(steps: tuple[Step, ...]) -> str:
    """Write steps as an instance identifier, the module's name where it differs from the parent's."""
    text, module = "", ""
    for node, entry in steps:
        text += f"/{node.local_name}" if node.module == module else f"/{node.name}"
        names = ["."] if node.kind is Kind.LEAF_LIST else [key.partition(":")[2] for key in node.keys]
        text += "".join(f"[{name}={_quoted(value)}]" for name, value in zip(names, entry, strict=False))
        module = node.module
    return text


def _quoted(value: str) -> str:
    return f'"{value}"' if "'" in value else f"'{value}'"


def flatten(model: Model, tree: Tree) -> dict[str, str | None]:
    """A tree as paths and values: leaves, entries of lists and leaf-lists, containers with presence."""
    return {format_path(steps): value for steps, value in _leaves(model.root, tree, ())}


def _leaves(
    parent: AnyNode, tree: Tree, above: tuple[Step, ...]
) -> Iterator[tuple[tuple[Step, ...], str | None]]:
    for name, value in tree.items():
        node = parent.children[name]
        match node.kind:
            case Kind.LEAF:
                if name not in parent.keys:
                    yield (*above, Step(node)), value
            case Kind.LEAF_LIST:
                for one in value:
                    yield (*above, Step(node, (one,))), None
            case Kind.LIST:
                for entry, inside in value.items():
                    steps = (*above, Step(node, entry))
                    yield steps, None
                    yield from _leaves(node, inside, steps)
            case _:
                steps = (*above, Step(node))
                if node.is_presence:
                    yield steps, None
                yield from _leaves(node, value, steps)


def with_path(model: Model, tree: Tree, path: str, value: str | None) -> Tree:
    """A tree in which a path stands; a leaf's value is checked.

    Raises:
        PathError: no such path. LeafError: no such value.
    """
    steps = parse_path(model, path)
    last = steps[-1].node
    if last.kind is Kind.LEAF:
        if value is None:
            raise LeafError(f"{path} needs a value")
        value = last.parse(value)
    return _with(model.root, tree, steps, value)


def _with(parent: AnyNode, tree: Tree, steps: tuple[Step, ...], value: str | None) -> Tree:
    (node, entry), rest = steps[0], steps[1:]
    after = without_other_cases(parent, tree, node)
    old = after.get(node.name)
    match node.kind:
        case Kind.LEAF:
            after[node.name] = value
        case Kind.LEAF_LIST:
            after[node.name] = (*(one for one in old or () if one != entry[0]), entry[0])
        case Kind.LIST:
            entries = dict(old or {})
            inside = entries.get(entry) or dict(zip(node.keys, entry, strict=True))
            entries[entry] = _with(node, inside, rest, value) if rest else inside
            after[node.name] = entries
        case _:
            after[node.name] = _with(node, old or {}, rest, value) if rest else (old or {})
    return after


def without_other_cases(parent: AnyNode, tree: Tree, node: Node) -> Tree:
    """A copy of a container without what a node excludes (RFC 7950 section 7.9)."""
    after = dict(tree)
    for choice, case in node.choices:
        for name in tree:
            if any(one == choice and other != case for one, other in parent.children[name].choices):
                del after[name]
    return after


def without_path(model: Model, tree: Tree, path: str) -> Tree:
    """A tree in which a path does not stand, nor anything below it.

    Raises:
        PathError: the model has no such path.
    """
    return _without(tree, parse_path(model, path))


def _without(tree: Tree, steps: tuple[Step, ...]) -> Tree:
    (node, entry), rest = steps[0], steps[1:]
    if node.name not in tree:
        return tree
    after, old = dict(tree), tree[node.name]
    left: Any
    if node.kind is Kind.LIST:
        left = dict(old)
        if entry in left:
            left[entry] = _without(left[entry], rest) if rest else None
        left = {key: inside for key, inside in left.items() if inside is not None}
    elif node.kind is Kind.LEAF_LIST:
        left = tuple(one for one in old if one != entry[0])
    else:
        left = _without(old, rest) if rest else None
    if left or (left is not None and node.is_presence):
        after[node.name] = left
    else:
        del after[node.name]
    return after


# --- XML ---------------------------------------------------------------------------------------------------------


def write_xml(model: Model, tree: Tree, into: Element) -> None:
    """Append a tree's top-level nodes to an XML element."""
    _write(model, cast("AnyNode", model.root), tree, into)


def _write(model: Model, parent: AnyNode, tree: Tree, into: Element) -> None:
    names = [*parent.keys, *(name for name in tree if name not in parent.keys)]
    for name in names:
        node, value = parent.children[name], tree[name]
        declare: dict[str | None, str] = {None: node.namespace} if node.namespace != _namespace(into) else {}
        match node.kind:
            case Kind.LEAF:
                _write_leaf(model, node, value, into, declare)
            case Kind.LEAF_LIST:
                for one in value:
                    _write_leaf(model, node, one, into, declare)
            case Kind.LIST:
                for inside in value.values():
                    _write(model, node, inside, etree.SubElement(into, node.tag, nsmap=declare))
            case _:
                _write(model, node, value, etree.SubElement(into, node.tag, nsmap=declare))


def _write_leaf(model: Model, node: Node, value: str, into: Element, declare: dict[str | None, str]) -> None:
    names = {**declare, **model.prefixes_in(node, value)}
    etree.SubElement(into, node.tag, nsmap=names).text = value


def _namespace(element: Element) -> str:
    return element.nsmap.get(None, "")


# --- differences -------------------------------------------------------------------------------------------------


class Change(NamedTuple):
    """One edit between two trees, as RFC 6470 tells it: operation is create, replace or delete."""

    steps: tuple[Step, ...]
    operation: str


def changes(model: Model, before: Tree, after: Tree) -> list[Change]:
    """What differs, the highest node that was made or removed and every leaf that changed."""
    found: list[Change] = []
    _compare(cast("AnyNode", model.root), before, after, (), found)
    return found


def _compare(
    parent: AnyNode, before: Tree, after: Tree, above: tuple[Step, ...], found: list[Change]
) -> None:
    if before is after:
        return
    for name in before | after:
        node = parent.children[name]
        old, new = before.get(name), after.get(name)
        if old is new:
            continue
        if node.kind is Kind.LIST:
            _compare_entries(node, old or {}, new or {}, above, found)
        elif node.kind is Kind.LEAF_LIST:
            found += _compare_values(node, old or (), new or (), above)
        elif node.kind is Kind.CONTAINER and not node.is_presence:
            # It is there with what it holds and counts for nothing itself.
            _compare(node, old or {}, new or {}, (*above, Step(node)), found)
        elif old is None or new is None:
            found.append(Change((*above, Step(node)), "create" if old is None else "delete"))
        elif node.kind is Kind.LEAF:
            if old != new:
                found.append(Change((*above, Step(node)), "replace"))
        else:
            _compare(node, old, new, (*above, Step(node)), found)


def _compare_entries(
    node: Node, before: Tree, after: Tree, above: tuple[Step, ...], found: list[Change]
) -> None:
    for entry in before | after:
        steps = (*above, Step(node, cast("tuple[str, ...]", entry)))
        if entry not in before or entry not in after:
            found.append(Change(steps, "create" if entry not in before else "delete"))
        else:
            _compare(node, before[entry], after[entry], steps, found)


def _compare_values(
    node: Node, before: tuple[str, ...], after: tuple[str, ...], above: tuple[Step, ...]
) -> Iterator[Change]:
    for one in dict.fromkeys((*before, *after)):
        if one not in before or one not in after:
            yield Change((*above, Step(node, (one,))), "create" if one not in before else "delete")


def prefixed_path(model: Model, steps: tuple[Step, ...]) -> tuple[str, dict[str | None, str]]:
    """An instance identifier as XML writes it, every name with a prefix, and the prefixes that it uses."""
    names: dict[str | None, str] = {}
    text = ""
    for node, entry in steps:
        prefix = model.prefixes[node.module]
        names[prefix] = node.namespace
        text += f"/{prefix}:{node.local_name}"
        keys = [model.prefixes[key.partition(":")[0]] + ":" + key.partition(":")[2] for key in node.keys]
        if node.kind is Kind.LEAF_LIST:
            keys = ["."]
        text += "".join(f"[{key}={_quoted(value)}]" for key, value in zip(keys, entry, strict=False))
    return text, names
