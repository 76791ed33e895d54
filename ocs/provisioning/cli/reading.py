"""What a box shows of its configuration: text to a tree of lines, and the tree to paths and values. Pure."""

import re
from typing import NamedTuple, TypeAlias

from ocs.limits import CLI_SECTIONS_DEPTH_MAX
from ocs.provisioning.cli.line_rules import Bindings, LineRule, LineRules, filled, value_of

# A line to the lines of its section, in the order in which they are shown.
Tree: TypeAlias = "dict[str, Tree]"


class Reading(NamedTuple):
    """A configuration that was read.

    Attributes:
        configuration: what the lines that the type knows stand for. tree: all lines, the known ones in their one form.
        unknown: how many lines the type does not know.
    """

    configuration: dict[str, str | None]
    tree: Tree
    unknown: int


def tree_of(text: str, *, shown_last: str = "end", block: re.Pattern[str] | None = None) -> Tree:
    """The lines of a configuration, each under the one that is indented less.

    Args:
        text: as shown. shown_last: nothing follows it. block: see the description.
    """
    top: Tree = {}
    sections: list[tuple[int, Tree]] = [(-1, top)]
    until = ""
    for raw in text.splitlines():
        line = raw.strip()
        if until:
            if line.endswith(until):
                until = ""
            continue
        if raw.rstrip() == shown_last:
            break
        if not line or line.startswith("!"):
            continue
        if block is not None and (found := block.fullmatch(line)):
            until = found["end"]
        indent = len(raw) - len(raw.lstrip(" "))
        while sections[-1][0] >= indent:
            sections.pop()
        below = sections[-1][1].setdefault(line, {})
        if len(sections) < CLI_SECTIONS_DEPTH_MAX:
            sections.append((indent, below))
    return top


def read_tree(rules: LineRules, tree: Tree) -> Reading:
    """What a tree of lines stands for."""
    configuration: dict[str, str | None] = {}
    counter = _Counter()
    canonical = _read_section(rules, None, {}, tree, configuration, counter)
    return Reading(configuration, canonical, counter.unknown)


class _Counter:
    def __init__(self) -> None:
        self.unknown = 0


def _read_section(
    rules: LineRules,
    parent: LineRule | None,
    outer: Bindings,
    tree: Tree,
    configuration: dict[str, str | None],
    counter: _Counter,
) -> Tree:
    canonical: Tree = {}
    present: set[int] = set()
    for line, below in tree.items():
        found = rules.find(parent, line, outer)
        if found is None:
            counter.unknown += 1
            canonical[line] = below
            continue
        rule, bindings = found
        present.add(rule.rank)
        _note(rule, bindings, configuration)
        canonical[rule.line(bindings)] = _read_section(rules, rule, bindings, below, configuration, counter)
    for rule in rules.below(parent):
        if rule.otherwise and rule.rank not in present:
            for path, value in rule.otherwise:
                configuration.setdefault(filled(path, outer), value)
    return canonical


def _note(rule: LineRule, bindings: Bindings, configuration: dict[str, str | None]) -> None:
    for path in (*rule.presence, *(() if rule.entry is None else (rule.entry,))):
        configuration[filled(path, bindings)] = None
    for path, value in (*rule.leaves, *rule.implies):
        configuration[filled(path, bindings)] = value_of(value, bindings)
