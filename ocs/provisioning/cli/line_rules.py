"""What the lines of a command line stand for: the ``[[cli.lines]]`` of an element type, made usable. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from ocs.provisioning.cli.description import LineDescription
from ocs.provisioning.cli.kinds import KINDS, SECRET, Kind
from ocs.provisioning.configuration import PathError, Step, format_path, parse_path

# Variable -> its value, as the configuration has it.
Bindings = Mapping[str, str]
Path = tuple[Step, ...]

_VARIABLE: Final = re.compile(r"\{(?P<variable>[a-z_][a-z0-9_]*)(?::(?P<kind>[a-z0-9-]+))?\}")


class LineRuleError(ValueError):
    """A line of a description cannot be used; says which and why."""


class LineRule(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A line under one other (or at the top), with what it stands for. Paths are whole; ``{variable}`` stands in keys.

    Attributes:
        rank: its place in the order of typing. parent: the line in whose section it is.
        parts: texts and variables by turns. kinds: of the variables. pattern: of the whole line.
        base: the path that lines under it start from. entry, leaves, implies, presence, otherwise: see the description.
        anchor: the path by which its instances are found in a configuration; None: it is there when its parent is.
        identity: variables of ``base``, by which an instance is told from others.
        unset: takes it away. is_section: lines may stand under it.
        clears: names of lines beside it that vanish when it changes.
    """

    name: str
    rank: int
    parent: "LineRule | None"
    parts: tuple[str, ...]
    kinds: dict[str, Kind]
    pattern: re.Pattern[str]
    base: Path
    entry: Path | None
    leaves: tuple[tuple[Path, str], ...]
    implies: tuple[tuple[Path, str], ...]
    presence: tuple[Path, ...]
    otherwise: tuple[tuple[Path, str], ...]
    anchor: Path | None
    identity: tuple[str, ...]
    unset: str
    is_single: bool
    is_replaced: bool
    is_definition: bool
    clears: frozenset[str]
    children: "list[LineRule]" = []

    def line(self, bindings: Bindings) -> str:
        """The line with these values.

        Raises:
            ValueError: one of them cannot be typed.
        """
        return "".join(
            self.kinds[part].to_line(bindings[part]) if number % 2 else part
            for number, part in enumerate(self.parts)
        )

    def shown(self, line: str) -> str:
        """The line (or what takes it away) for people, without the secrets that it holds."""
        if not any(kind.name == SECRET for kind in self.kinds.values()):
            return line
        match = self.pattern.fullmatch(line)
        if match is None:
            return " ".join([*line.split()[:3], "..."])
        return "".join(
            ("***" if self.kinds[part].name == SECRET else match[part]) if number % 2 else part
            for number, part in enumerate(self.parts)
        )

    def match(self, line: str, outer: Bindings) -> dict[str, str] | None:
        """The variables of a line, with those of the lines that it is under; None when it is no such line.

        Named groups of a kind's pattern are variables too: parts of its words.
        """
        match = self.pattern.fullmatch(line)
        if match is None:
            return None
        bindings = {**outer, **match.groupdict("")}
        for variable in self.kinds:
            if variable in outer:
                bindings[variable] = outer[variable]
            else:
                del bindings[variable]
        for variable, kind in self.kinds.items():
            try:
                value = kind.to_value(match[variable])
            except ValueError:
                return None
            if bindings.setdefault(variable, value) != value:
                return None
        return bindings

    def taken_away(self, line: str, bindings: Bindings) -> str:
        """What is typed to take a line away."""
        if not self.unset:
            return f"no {line}"
        return _VARIABLE.sub(
            lambda found: (
                self.kinds[found["variable"]].to_line(bindings[found["variable"]])
                if found["variable"] in self.kinds
                else bindings[found["variable"]]
            ),
            self.unset,
        )


class LineRules:
    """All lines of an element type.

    Attributes:
        top: those that stand in no section. all: in the order of typing, a section before what is in it.
    """

    def __init__(self, descriptions: Sequence[LineDescription], kinds: Mapping[str, Kind]) -> None:
        """Make them usable.

        Raises:
            LineRuleError: names the line and what is wrong with it.
        """
        self.top: list[LineRule] = []
        self.all: list[LineRule] = []
        self._of_shape: dict[tuple[str, ...], list[LineRule]] = {}
        every = {**KINDS, **kinds}
        for rank, description in enumerate(descriptions):
            try:
                self._add(description, rank, every)
            except (LineRuleError, PathError) as error:
                raise LineRuleError(f"lines[{rank}] {description.line!r}: {error}") from None

    def _add(self, description: LineDescription, rank: int, kinds: Mapping[str, Kind]) -> None:
        parents: list[LineRule | None] = [None]
        if description.under:
            parents = [rule for rule in self.all if rule.name in description.under]
            if missing := set(description.under) - {rule.name for rule in parents if rule is not None}:
                raise LineRuleError(f"under: no line before it is named {min(missing)!r}")
        for parent in parents:
            rule = _compiled(description, rank, parent, kinds)
            (self.top if parent is None else parent.children).append(rule)
            self.all.append(rule)
            for path in _paths(rule):
                self._of_shape.setdefault(shape(path), []).append(rule)

    def below(self, rule: LineRule | None) -> list[LineRule]:
        """The lines that may stand in a section; at the top without one."""
        return self.top if rule is None else rule.children

    def saying(self, path: str) -> list[LineRule]:
        """The lines that may say something of a path, whatever its value and its keys."""
        return self._of_shape.get(shape(parse_path(path)), [])

    def find(
        self, parent: LineRule | None, line: str, outer: Bindings
    ) -> tuple[LineRule, dict[str, str]] | None:
        """Which line this is, and its variables; None: one that the type does not know."""
        for rule in self.below(parent):
            bindings = rule.match(line, outer)
            if bindings is not None:
                return rule, bindings
        return None


def shape(path: Iterable[Step]) -> tuple[str, ...]:
    """A path without its keys."""
    return tuple(step.name for step in path)


def filled(path: Path, bindings: Bindings) -> str:
    """A path with the values of its variables."""
    return format_path(
        tuple(
            Step(step.name, tuple((key, value_of(value, bindings)) for key, value in step.keys))
            for step in path
        )
    )


def value_of(template: str, bindings: Bindings) -> str:
    """A value with those of its variables."""
    variable = _variable(template)
    return template if variable is None else bindings[variable]


def bound(template: str, value: str, bindings: dict[str, str]) -> bool:
    """Whether a value fits a template; binds its variable."""
    variable = _variable(template)
    if variable is None:
        return template == value
    return bindings.setdefault(variable, value) == value


def bound_path(template: Path, path: Path, bindings: dict[str, str]) -> bool:
    """Whether a path of the same shape fits a template; binds its variables."""
    for wanted, found in zip(template, path, strict=True):
        values = dict(found.keys)
        if len(values) != len(wanted.keys):
            return False
        for key, value in wanted.keys:
            if key not in values or not bound(value, values[key], bindings):
                return False
    return True


def _paths(rule: LineRule) -> Iterable[Path]:
    if rule.entry is not None:
        yield rule.entry
    yield from rule.presence
    for path, _ in (*rule.leaves, *rule.implies, *rule.otherwise):
        yield path


def _variable(template: str) -> str | None:
    return template[1:-1] if template.startswith("{") and template.endswith("}") else None


def _variables(path: Path) -> tuple[str, ...]:
    found = [_variable(value) for step in path for _, value in step.keys]
    return tuple(dict.fromkeys(variable for variable in found if variable is not None))


def _compiled(
    description: LineDescription, rank: int, parent: LineRule | None, kinds: Mapping[str, Kind]
) -> LineRule:
    parts, own_kinds = _parts(description.line, kinds)
    outer: Path = parent.base if parent is not None else ()
    entry = _path(description.entry, outer) if description.entry else None
    base = entry if entry is not None else outer
    leaves = _valued(description.leaves, base)
    anchor = entry if entry is not None else (leaves[0][0] if leaves else None)
    rule = LineRule(
        name=description.name or description.line.partition("{")[0].strip(),
        rank=rank,
        parent=parent,
        parts=parts,
        kinds=own_kinds,
        pattern=_pattern(parts, own_kinds),
        base=base,
        entry=entry,
        leaves=leaves,
        implies=_valued(description.implies, base),
        presence=tuple(_path(path, outer) for path in description.presence),
        otherwise=_valued(description.otherwise, outer),
        anchor=anchor,
        identity=_variables(base),
        unset=description.unset,
        is_single=description.is_single,
        is_replaced=description.is_replaced,
        is_definition=description.is_definition,
        clears=frozenset(description.clears),
        children=[],
    )
    _check(rule, description)
    return rule


def _check(rule: LineRule, description: LineDescription) -> None:
    outer = rule
    known = set(rule.pattern.groupindex)
    while outer.parent is not None:
        outer = outer.parent
        known |= set(outer.pattern.groupindex)
    if rule.anchor is None and rule.kinds:
        raise LineRuleError("expected an entry or leaves that hold its variables")
    if rule.parent is not None and rule.anchor is not None:
        lost = set(rule.parent.identity) - set(_variables(rule.anchor))
        if lost:
            raise LineRuleError(f"its path does not lie below {description.under}: {{{min(lost)}}} is lost")
    told = {variable for path in _paths(rule) for variable in _variables(path)}
    told |= {v for _, value in (*rule.leaves, *rule.implies) if (v := _variable(value)) is not None}
    if unknown := sorted(told - known):
        raise LineRuleError(f"{{{unknown[0]}}} stands in a path, and in no line that it could be read from")
    bindable = {v for _, value in rule.leaves if (v := _variable(value)) is not None}
    bindable |= set(_variables(rule.anchor)) if rule.anchor is not None else set()
    if untold := sorted(set(rule.kinds) - bindable):
        raise LineRuleError(f"{{{untold[0]}}} stands in no path and no value")
    if strange := sorted({found["variable"] for found in _VARIABLE.finditer(rule.unset)} - known):
        raise LineRuleError(f"unset: no variable {strange[0]!r} in the line")
    if any(_variable(value) is not None for _, value in rule.otherwise):
        raise LineRuleError("otherwise: expected values without variables")


def _parts(line: str, kinds: Mapping[str, Kind]) -> tuple[tuple[str, ...], dict[str, Kind]]:
    parts: list[str] = []
    own: dict[str, Kind] = {}
    at = 0
    for found in _VARIABLE.finditer(line):
        kind = kinds.get(found["kind"] or "word")
        if kind is None:
            raise LineRuleError(f"no kind {found['kind']!r}: expected one of {', '.join(sorted(kinds))}")
        if found["variable"] in own:
            raise LineRuleError(f"{{{found['variable']}}} stands in it twice")
        own[found["variable"]] = kind
        parts += [line[at : found.start()], found["variable"]]
        at = found.end()
    parts.append(line[at:])
    if "{" in "".join(parts[::2]) or not line.strip() or line != line.strip():
        raise LineRuleError("expected words and {variable:kind}")
    return tuple(parts), own


def _pattern(parts: tuple[str, ...], kinds: Mapping[str, Kind]) -> re.Pattern[str]:
    pieces = [
        f"(?P<{part}>{kinds[part].pattern})" if number % 2 else re.escape(part)
        for number, part in enumerate(parts)
    ]
    try:
        return re.compile("".join(pieces))
    except re.error as error:
        raise LineRuleError(f"its kinds' patterns do not fit together: {error}") from None


def _path(text: str, base: Path) -> Path:
    if text.startswith("/"):
        return parse_path(text)
    if not base:
        raise LineRuleError(f"{text!r}: expected a whole path, /module:name")
    return parse_path(f"{format_path(base)}/{text}")


def _valued(texts: Mapping[str, str], base: Path) -> tuple[tuple[Path, str], ...]:
    return tuple((_path(path, base), value) for path, value in texts.items())
