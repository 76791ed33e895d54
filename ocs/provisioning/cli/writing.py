"""From a change of a configuration to the lines that make it, and back. Pure.

A configuration is rendered to the tree of lines that says it; two trees differ by lines to type. What the tree after
the change says is read back here before anything is sent: what does not come out as it was wanted, the type cannot
express.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from ocs.provisioning.cli.line_rules import (
    Bindings,
    LineRule,
    LineRules,
    Path,
    bound,
    bound_path,
    filled,
    shape,
)
from ocs.provisioning.cli.reading import Reading, Tree, read_tree
from ocs.provisioning.configuration import (
    Configuration,
    ConfigurationDiff,
    changed,
    entries_above,
    outermost,
    parse_path,
    restricted,
)

_ABSENT: Final = object()
_UNKNOWN_RANK: Final = 1_000_000


class WritingError(Exception):
    """A change cannot be expressed in lines.

    Attributes:
        path: where. reason: why.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class Command(NamedTuple):
    """One line to type.

    Attributes:
        context: the sections in which it is typed, outermost first. line: what is typed.
        rule: which line it is; None: one that the type does not know, and that is only put back.
    """

    context: tuple[str, ...]
    line: str
    rule: LineRule | None


class Change(NamedTuple):
    """A change as trees of lines."""

    before: Tree
    after: Tree


def planned(rules: LineRules, reading: Reading, diff: ConfigurationDiff) -> Change:
    """What a change of a configuration does to the lines. To set a path is to have the entries that it lies in.

    Raises:
        WritingError: names the first path that the type cannot express.
    """
    rendered = render(rules, changed(reading.configuration, _with_entries(diff)), reading.tree)
    after = _merged(rules, None, {}, reading.tree, rendered)
    realised = read_tree(rules, after).configuration
    for path, value in diff.set.items():
        if realised.get(path, _ABSENT) != value:
            raise WritingError(path, _why_not(rules, path, value))
    for path in diff.removed:
        if left := restricted(realised, [path]):
            raise WritingError(min(left), "elements of this type always have it")
    return Change(reading.tree, after)


def _with_entries(diff: ConfigurationDiff) -> ConfigurationDiff:
    whole: dict[str, str | None] = {}
    for path in diff.set:
        whole.update(dict.fromkeys(entries_above(path)))
    return ConfigurationDiff({**whole, **diff.set}, diff.removed)


def check_paths(rules: LineRules, paths: Iterable[str]) -> None:
    """Find paths that no line of a type ever says.

    Raises:
        WritingError: names the first.
    """
    for path in paths:
        if not rules.saying(path):
            raise WritingError(path, "no line of elements of this type says that")


def _why_not(rules: LineRules, path: str, value: str | None) -> str:
    if not rules.saying(path):
        return "no line of elements of this type says that"
    what = "an entry like this" if value is None else "this value"
    return f"no line of elements of this type says {what} here, or one that it belongs to is missing"


# --- Configuration to lines ---------------------------------------------------------------------------------


class _Instance(NamedTuple):
    """A line that was rendered: its variables, its section, and the same section as it stands now."""

    bindings: Mapping[str, str]
    section: Tree
    current: Tree


class _Found(NamedTuple):
    path: str
    bindings: dict[str, str]
    line: str


def render(rules: LineRules, configuration: Configuration, current: Tree) -> Tree:
    """The lines that say a configuration, as far as lines do.

    Args:
        rules: of the type. configuration: all of it.
        current: the lines that stand now: where two lines can say the same, those are kept.
    """
    by_shape: dict[tuple[str, ...], list[tuple[str, Path]]] = {}
    for path in configuration:
        steps = parse_path(path)
        by_shape.setdefault(shape(steps), []).append((path, steps))
    top: Tree = {}
    root = _Instance({}, top, current)
    instances: dict[LineRule | None, dict[tuple[str, ...], _Instance]] = {None: {(): root}}
    consumed: set[str] = set()
    for rule in rules.all:
        parents = instances.get(rule.parent, {})
        if rule.anchor is None:
            chosen = [
                (parent, _Found("", dict(parent.bindings), rule.parts[0])) for parent in parents.values()
            ]
        else:
            chosen = list(
                _chosen(rule, parents, configuration, by_shape.get(shape(rule.anchor), ()), consumed)
            )
        for parent, found in chosen:
            if found.path:
                consumed.add(found.path)
            section = parent.section.setdefault(found.line, {})
            key = tuple(found.bindings[variable] for variable in rule.identity)
            instances.setdefault(rule, {})[key] = _Instance(
                found.bindings, section, parent.current.get(found.line, {})
            )
    return top


def _chosen(
    rule: LineRule,
    parents: Mapping[tuple[str, ...], _Instance],
    configuration: Configuration,
    paths: Iterable[tuple[str, Path]],
    consumed: set[str],
) -> Iterator[tuple[_Instance, _Found]]:
    """The instances of a line, each with what it is under; one at most in a section where there is room for one."""
    taken: dict[tuple[str, ...], list[_Found]] = {}
    for path, steps in paths:
        if path in consumed:
            continue
        bindings: dict[str, str] = {}
        if rule.anchor is None or not bound_path(rule.anchor, steps, bindings):
            continue
        key = (
            tuple(bindings[variable] for variable in rule.parent.identity) if rule.parent is not None else ()
        )
        parent = parents.get(key)
        if parent is None:
            continue
        bindings = {**parent.bindings, **bindings}
        if not _binds_leaves(rule, configuration, bindings):
            continue
        try:
            line = rule.line(bindings)
        except ValueError:
            continue
        read = rule.match(line, parent.bindings)
        # What is typed must be read as what was meant.
        if read is not None and read.items() >= bindings.items():
            taken.setdefault(key, []).append(_Found(path, read, line))
    for key, every in taken.items():
        section = parents[key]
        if rule.is_single:
            yield section, min(every, key=lambda one: (one.line not in section.current, one.line))
        else:
            yield from ((section, one) for one in every)


def _binds_leaves(rule: LineRule, configuration: Configuration, bindings: dict[str, str]) -> bool:
    for path, template in rule.leaves:
        value = configuration.get(filled(path, bindings))
        if value is None or not bound(template, value, bindings):
            return False
    return True


def _merged(
    rules: LineRules, parent: LineRule | None, outer: Bindings, current: Tree, rendered: Tree
) -> Tree:
    """What stands now, with the known lines that are wanted and without those that are not."""
    merged: Tree = {}
    for line, below in current.items():
        found = rules.find(parent, line, outer)
        if found is None:
            merged[line] = below
        elif line in rendered:
            merged[line] = _merged(rules, found[0], found[1], below, rendered[line])
    for line, below in rendered.items():
        merged.setdefault(line, below)
    return merged


# --- Trees to commands ----------------------------------------------------------------------------------------


# The place of a line in the order of typing: of each section that it is in, and its own; by rank, then by name.
_Rank = tuple[tuple[int, str], ...]


class _Edit(NamedTuple):
    rank: _Rank
    command: Command


class _Edits(NamedTuple):
    removals: list[_Edit]
    sets: list[_Edit]
    removals_last: list[_Edit]


def commands(rules: LineRules, before: Tree, after: Tree) -> list[Command]:
    """The lines to type that lead from one tree to another: taken away, then set, then definitions taken away."""
    edits = _Edits([], [], [])
    _compare(rules, _Place(None, {}, (), ()), before, after, edits)
    return [
        edit.command
        for edit in (
            *sorted(edits.removals, key=lambda edit: edit.rank, reverse=True),
            *sorted(edits.sets, key=lambda edit: edit.rank),
            *sorted(edits.removals_last, key=lambda edit: edit.rank, reverse=True),
        )
    ]


class _Place(NamedTuple):
    """A section: which line, its variables, the lines that lead to it, and their ranks."""

    rule: LineRule | None
    bindings: Bindings
    context: tuple[str, ...]
    rank: _Rank

    def ranked(self, rule: LineRule | None, line: str) -> _Rank:
        return (*self.rank, (_UNKNOWN_RANK if rule is None else rule.rank, line))

    def below(self, rule: LineRule | None, bindings: Bindings, line: str) -> "_Place":
        return _Place(rule, bindings, (*self.context, line), self.ranked(rule, line))

    def found(self, rules: LineRules, line: str) -> tuple[LineRule | None, Bindings]:
        if self.context and self.rule is None:
            return None, {}
        return rules.find(self.rule, line, self.bindings) or (None, {})


def _compare(rules: LineRules, place: _Place, before: Tree, after: Tree, edits: _Edits) -> None:
    new = {line: place.found(rules, line) for line in after if line not in before}
    old = {line: place.found(rules, line) for line in before if line not in after}
    cleared = {name for rule, _ in (*new.values(), *old.values()) if rule is not None for name in rule.clears}
    replaced = {_slot(rule, bindings) for rule, bindings in new.values() if rule is not None}
    for line, (rule, bindings) in old.items():
        if rule is not None and rule.is_replaced and _slot(rule, bindings) in replaced:
            continue
        text = _taken_away(line, rule, bindings)
        where = edits.removals
        if rule is not None and rule.is_definition:
            where = edits.removals_last
        elif rule is not None and rule.otherwise:
            where = edits.sets  # it says something by not being there
        where.append(_Edit(place.ranked(rule, line), Command(place.context, text, rule)))
    for line, below in after.items():
        rule, bindings = new[line] if line in new else place.found(rules, line)
        inner = place.below(rule, bindings, line)
        if line in new or (rule is not None and rule.name in cleared):
            edits.sets.append(_Edit(inner.rank, Command(place.context, line, rule)))
        if line in new:
            _say_otherwise(rules, inner, below, edits)
        _compare(rules, inner, before.get(line, {}), below, edits)


def _slot(rule: LineRule, bindings: Bindings) -> tuple[object, ...]:
    """What two lines share of which one takes the place of the other."""
    return (rule.rank,) if rule.is_single else (rule.rank, *(bindings[name] for name in rule.identity))


def _taken_away(line: str, rule: LineRule | None, bindings: Bindings) -> str:
    if rule is not None:
        return rule.taken_away(line, bindings)
    return line.removeprefix("no ") if line.startswith("no ") else f"no {line}"


def _say_otherwise(rules: LineRules, place: _Place, section: Tree, edits: _Edits) -> None:
    """A new section may begin otherwise than one without the line is (an interface of many boxes is shut down)."""
    if place.rule is None:
        return
    present = {rule.rank for line in section if (rule := place.found(rules, line)[0]) is not None}
    for rule in rules.below(place.rule):
        if rule.otherwise and rule.rank not in present:
            text = rule.taken_away(rule.parts[0], place.bindings)
            edits.sets.append(_Edit(place.ranked(rule, text), Command(place.context, text, rule)))


def typed(wanted: Iterable[Command], section_end: str) -> Iterator[Command]:
    """Commands with the lines that enter and leave their sections."""
    at: list[str] = []
    for command in wanted:
        while tuple(at) != command.context[: len(at)]:
            at.pop()
            yield Command(tuple(at), section_end, None)
        for line in command.context[len(at) :]:
            yield Command(tuple(at), line, None)
            at.append(line)
        yield command
        if (
            command.rule is not None
            and command.rule.children
            and command.rule.pattern.fullmatch(command.line)
        ):
            at.append(command.line)  # setting a section's own line has entered it
    while at:
        at.pop()
        yield Command(tuple(at), section_end, None)


def redone(now: Tree, change: Change) -> Tree:
    """What should stand after a change, given what stands now; what others did stays."""
    return restored(now, Change(change.after, change.before))


def restored(now: Tree, change: Change) -> Tree:
    """What stands now without what a change has done, wherever it got to; what others did stays."""
    after: Tree = {}
    for line, below in now.items():
        if line in change.before:
            inner = Change(change.before[line], change.after.get(line, {}))
            after[line] = restored(below, inner)
        elif line not in change.after:
            after[line] = below
    for line, below in change.before.items():
        if line not in after and line not in change.after:
            after[line] = below
    return after


# --- For people -----------------------------------------------------------------------------------------------


def native(
    rules: LineRules, diff: ConfigurationDiff, section_end: str, before: Configuration | None = None
) -> list[str]:
    """The lines that a change comes to, as far as they do not depend on what the element has.

    Args:
        before: what is known to stand at the paths of the change and below them; nothing is known without it.

    Raises:
        WritingError: no line of the type says one of the paths.
    """
    check_paths(rules, diff.paths)
    known = _with_entries(ConfigurationDiff(dict(before or {}))).set
    tree = render(rules, known, {})
    standing = read_tree(rules, tree).configuration
    wanted = render(rules, changed(known, _with_entries(diff)), tree)
    said = read_tree(rules, wanted).configuration
    lines = [
        line
        for path in diff.removed
        for unsaid in _unsaid(path, known, standing)
        for line in _removal(rules, unsaid)
    ]
    lines += _indented(typed(commands(rules, tree, wanted), section_end))
    lines += [
        f"! a part of a line: {path}{'' if value is None else f' = {value}'}"
        for path, value in sorted(diff.set.items())
        if said.get(path, _ABSENT) != value
    ]
    return lines


def _unsaid(path: str, known: Configuration, standing: Configuration) -> tuple[str, ...]:
    """What of a path that goes is said by no line that is known whole."""
    below = restricted(known, [path])
    return outermost(at for at in below if standing.get(at, _ABSENT) != below[at]) if below else (path,)


def _removal(rules: LineRules, path: str) -> Iterator[str]:
    """What takes a path away of which no more is known; variables that nobody knows stand as ``<variable>``."""
    steps = parse_path(path)
    is_refused = False
    inside: list[str] = []
    for rule in rules.saying(path):
        at = rule.anchor
        bindings: dict[str, str] = {}
        if at is None or shape(at)[: len(steps)] != shape(steps):
            continue
        if not bound_path(at[: len(steps)], steps, bindings):
            continue
        try:
            lines = [*_contexts(rule, bindings), _template_line(rule, bindings)]
        except ValueError:
            is_refused = (
                True  # a line of other names than this one, such as of ports and not of sub-interfaces
            )
            continue
        if len(at) == len(steps):
            yield from (f"{' ' * depth}{line}" for depth, line in enumerate(lines))
            return
        inside.append(" / ".join(lines))
    for line in dict.fromkeys(inside):
        yield f"! {path} goes: for each that the element has: {line}"
    if not inside:
        yield f"! no line says this: {path}" if is_refused else f"! a part of a line goes: {path}"


def _template_line(rule: LineRule, bindings: Bindings) -> str:
    if not rule.unset:
        return f"no {_filled_line(rule, bindings)}"
    line = rule.unset
    for name in {**rule.kinds, **bindings}:
        line = line.replace(f"{{{name}}}", _word(rule, name, bindings))
    return line


def _contexts(rule: LineRule, bindings: Bindings) -> list[str]:
    lines: list[str] = []
    outer = rule.parent
    while outer is not None:
        lines.append(_filled_line(outer, bindings))
        outer = outer.parent
    return lines[::-1]


def _filled_line(rule: LineRule, bindings: Bindings) -> str:
    return "".join(
        _word(rule, part, bindings) if number % 2 else part for number, part in enumerate(rule.parts)
    )


def _word(rule: LineRule, name: str, bindings: Bindings) -> str:
    if name not in bindings:
        return f"<{name}>"
    return rule.kinds[name].to_line(bindings[name]) if name in rule.kinds else bindings[name]


def _indented(typed_commands: Iterable[Command]) -> Iterator[str]:
    for command in typed_commands:
        yield f"{' ' * len(command.context)}{command.line}"
