"""Configurations as NETCONF carries them: a difference as XML, XML as paths and values. Pure."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

from ocs.limits import NETCONF_FILTER_PATHS_MAX
from ocs.provisioning.configuration import SELF, ConfigurationDiff, Step, format_path, parse_path
from ocs.provisioning.netconf.documents import NETCONF, XmlElement, child, element, names_of
from ocs.provisioning.schema.schema import NodeKind, Schema, SchemaNode

_OPERATION: Final = f"{{{NETCONF}}}operation"


def to_xml(
    diff: ConfigurationDiff,
    schema: Schema,
    *,
    resolve: Callable[[str], str] = str,
    removal: str = "remove",
) -> XmlElement:
    """The ``config`` of an edit-config whose default operation is merge.

    Entries of lists that their user orders are sent in the order of the difference, each at the end (RFC 7950 section
    7.8.6, the default of insert).

    Args:
        diff: what to change; its paths and values are those of the schema.
        schema: of the element.
        resolve: gives what is sent for a value: the secret behind its name.
        removal: ``remove`` does not mind what is absent; elements of base:1.0 know only ``delete`` (RFC 4741).

    Raises:
        SchemaError: a path is none of the schema's.
    """
    builder = _Builder(element(NETCONF, "config", prefixes={"nc": NETCONF}), schema)
    # With a node goes what lies below it; that of the difference which lies there too is not said again.
    for steps in _without_inner(dict.fromkeys(parse_path(path) for path in diff.removed)):
        builder.at(steps).set(_OPERATION, removal)
    for path, value in diff.set.items():
        steps = parse_path(path)
        # What is set below something removed stands in what replaces it.
        made = builder.at(steps, replacing=True)
        if value is not None:
            builder.write(made, schema.node(steps), resolve(value))
    return builder.root


def filter_xml(paths: Iterable[str], schema: Schema) -> XmlElement:
    """A subtree filter for what lies at or below some paths (RFC 6241 section 6).

    It may let pass more than that: an entry of a leaf-list brings its siblings, and of very many paths only their
    top-level containers are asked for.

    Raises:
        SchemaError: a path is none of the schema's.
    """
    wanted = _without_inner(dict.fromkeys(parse_path(path) for path in paths))
    if len(wanted) > NETCONF_FILTER_PATHS_MAX:
        wanted = list(dict.fromkeys(steps[:1] for steps in wanted))
    root = element(NETCONF, "filter")
    root.set("type", "subtree")
    builder = _Builder(root, schema)
    for steps in wanted:
        builder.select(steps)
    return root


def _without_inner(paths: Collection[tuple[Step, ...]]) -> list[tuple[Step, ...]]:
    """Paths without those below another of them, in their order."""
    return [steps for steps in paths if not any(steps[:end] in paths for end in range(1, len(steps)))]


def from_xml(data: XmlElement, schema: Schema, *, with_state: bool = False) -> dict[str, str | None]:
    """The configuration in the children of ``data`` or ``config``.

    Values are canonical where their type takes them. What the schema does not know is passed over: an element has
    modules that we never write.

    Args:
        data: its children are top-level nodes. schema: of the element. with_state: also nodes that are state.

    Raises:
        PathError: a key holds both kinds of quotes.
    """
    found: dict[str, str | None] = {}
    _read_children(data, schema.children, ("", ""), found, schema, with_state=with_state)
    return found


def _read_children(
    parent: XmlElement,
    nodes: Mapping[str, SchemaNode],
    above: tuple[str, str],
    found: dict[str, str | None],
    schema: Schema,
    *,
    with_state: bool,
) -> None:
    """Read what lies below; ``above`` is the path so far and the module of its last node."""
    path_above, module_above = above
    for item in parent:
        namespace, local_name = names_of(item)
        module = schema.module_of(namespace)
        node = nodes.get(f"{module}:{local_name}")
        if node is None or not (node.is_config or with_state):
            continue
        step = _step_of(item, node, schema)
        if step is None:
            continue
        text = format_path((step,))
        path = path_above + (f"/{text[len(node.module) + 2 :]}" if node.module == module_above else text)
        if node.kind is NodeKind.LEAF:
            found[path] = _value(item, node, schema)
        else:
            if node.kind is not NodeKind.CONTAINER:
                found[path] = None
            below = {name: one for name, one in node.children.items() if one.local_name not in node.keys}
            _read_children(item, below, (path, node.module), found, schema, with_state=with_state)


def _step_of(item: XmlElement, node: SchemaNode, schema: Schema) -> Step | None:
    """The step that leads to an element; None for an entry without its keys, which has no name."""
    if node.kind is NodeKind.LEAF_LIST:
        return Step(node.name, ((SELF, _value(item, node, schema)),))
    if node.kind is not NodeKind.LIST:
        return Step(node.name)
    keys: list[tuple[str, str]] = []
    for name in node.keys:
        key = node.key(name)
        leaf = item.find(f"{{{key.namespace}}}{name}")
        if leaf is None:
            return None
        keys.append((name, _value(leaf, key, schema)))
    return Step(node.name, tuple(keys)) if keys else None


def _value(item: XmlElement, node: SchemaNode, schema: Schema) -> str:
    text = item.text or ""
    if node.value_type is None:
        return text

    def module_of(prefix: str) -> str | None:
        namespace = item.nsmap.get(prefix or None)
        return node.module if namespace is None and not prefix else schema.module_of(namespace or "")

    return node.value_type.of_xml(text, module_of)


class _Builder:
    """Grows a tree by paths; what two paths share is there once."""

    def __init__(self, root: XmlElement, schema: Schema) -> None:
        self.root = root
        self._schema = schema
        self._made: dict[tuple[Step, ...], XmlElement] = {}

    def at(self, steps: tuple[Step, ...], *, replacing: bool = False) -> XmlElement:
        """The element of a path, made with what lies above it.

        Args:
            steps: the path. replacing: something removed on the way is replaced instead.
        """
        found = self._made.get(steps)
        if found is not None:
            if replacing and found.get(_OPERATION):
                found.set(_OPERATION, "replace")
            return found
        *above, step = steps
        parent = self.at(tuple(above), replacing=replacing) if above else self.root
        node = self._schema.node(steps)
        made = child(parent, self._schema.namespace(step.module), step.local_name)
        for name, value in step.keys:
            # Keys come first, in the order of the module (RFC 7950 section 7.8.5).
            if name == SELF:
                made = self.write(made, node, value)
            else:
                key = node.key(name)
                self.write(child(made, key.namespace, name), key, value)
        self._made[steps] = made
        return made

    def select(self, steps: tuple[Step, ...]) -> None:
        """Make the element of a path for a filter.

        Several values of a leaf-list would all have to be there (RFC 6241 section 6.2.5): all entries are asked for.
        """
        node = self._schema.node(steps)
        *above, last = steps
        if node.kind is not NodeKind.LEAF_LIST:
            self.at(steps)
        elif above and (without_value := (*above, Step(last.name))) not in self._made:
            self._made[without_value] = child(self.at(tuple(above)), node.namespace, node.local_name)

    def write(self, made: XmlElement, node: SchemaNode, value: str) -> XmlElement:
        """Give an element its text, with the prefixes that the text needs.

        Returns:
            The element that has it: prefixes come with a new one.
        """
        try:
            modules = node.value_type.modules(node.canonical(value)) if node.value_type is not None else ()
        except ValueError:  # a secret, or what the caller sends unchecked: then it names no modules
            modules = ()
        if modules:
            parent = made.getparent()
            if parent is None:
                raise ValueError("the root of a configuration has no value")
            prefixes: dict[str | None, str] = {
                module: self._schema.namespace(module) for module in modules if module in self._schema.modules
            }
            named = child(parent, node.namespace, node.local_name, prefixes=prefixes)
            for name, attribute in made.items():
                named.set(name, attribute)
            parent.replace(made, named)
            made, value = named, _prefixed(node.canonical(value), modules)
        made.text = value
        return made


def _prefixed(value: str, modules: tuple[str, ...]) -> str:
    """A value as XML wants it: in a path every node and every key has its prefix (RFC 7950 section 9.13.2)."""
    if not value.startswith("/") or not modules:
        return value
    parts: list[str] = []
    for step in parse_path(value):
        parts.append(f"/{step.name}")
        for name, key in step.keys:
            quote = '"' if "'" in key else "'"
            parts.append(f"[{name if name == SELF else f'{step.module}:{name}'}={quote}{key}{quote}]")
    return "".join(parts)
