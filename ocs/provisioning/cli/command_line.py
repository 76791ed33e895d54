"""The command line of an element type, checked and ready: its patterns and what its lines stand for. Pure."""

import re
from collections.abc import Sequence
from typing import Final

from ocs.provisioning.cli.description import CliDescription, KindDescription
from ocs.provisioning.cli.kinds import KINDS, Kind, named_kind, word_kind
from ocs.provisioning.cli.line_rules import LineRuleError, LineRules

_NOTHING: Final = re.compile(r"(?!)")


class CommandLineError(ValueError):
    """A description of a command line cannot be used; says which key and what was expected there."""


class CommandLine:
    """How elements of a type are spoken to.

    Attributes:
        description: as it was written. rules: what its lines stand for.
        user, privileged, configure, password, more: patterns of a last line. questions: with their answers.
        error, harmless, busy, access, unsupported, nothing: patterns in a line of an answer.
        block: begins free text in what is shown.
    """

    def __init__(self, description: CliDescription) -> None:
        """Check a description.

        Raises:
            CommandLineError: names the key.
        """
        self.description = description
        _check_texts(description)
        prompts, errors = description.prompts, description.errors
        self.user = _compiled("prompts.user", prompts.user) if prompts.user else _NOTHING
        self.privileged = _compiled("prompts.privileged", prompts.privileged)
        self.configure = _compiled("prompts.configure", prompts.configure)
        self.password = _compiled("prompts.password", prompts.password)
        self.more = _compiled("prompts.more", prompts.more)
        self.questions = tuple(
            (_compiled(f"questions[{number}].pattern", one.pattern), one.answer)
            for number, one in enumerate(description.questions)
        )
        self.error = _any_of("errors.error", errors.error)
        self.harmless = _any_of("errors.harmless", errors.harmless)
        self.busy = _any_of("errors.busy", errors.busy)
        self.access = _any_of("errors.access", errors.access)
        self.unsupported = _any_of("errors.unsupported", errors.unsupported)
        self.nothing = _any_of("errors.nothing", errors.nothing)
        self.block = _compiled("block", description.block) if description.block else _NOTHING
        if description.block and "end" not in self.block.groupindex:
            raise CommandLineError("block: expected a group (?P<end>...)")
        kinds = {name: _kind(name, kind) for name, kind in description.kinds.items()}
        try:
            self.rules = LineRules(description.lines, kinds)
        except LineRuleError as error:
            raise CommandLineError(str(error)) from None

    def error_in(self, answer: str) -> str:
        """The first line of an answer that is an error; empty when there is none."""
        for line in answer.splitlines():
            if self.error.search(line) and not self.harmless.search(line):
                return line.strip()
        return ""


def _check_texts(description: CliDescription) -> None:
    if not description.modules:
        raise CommandLineError("modules: expected at least one YANG module")
    if not description.lines:
        raise CommandLineError("lines: expected at least one")
    if not description.errors.error:
        raise CommandLineError("errors.error: expected at least one pattern")
    for key in ("enter", "leave", "show", "shown_last", "section_end"):
        if not getattr(description, key).strip():
            raise CommandLineError(f"{key}: expected a line")
    if "{command}" not in description.do:
        raise CommandLineError("do: expected {command} in it")
    if bool(description.enable) != bool(description.prompts.user):
        raise CommandLineError("enable: expected together with prompts.user")
    commit = description.commit
    if commit is not None and commit.confirmed and "{timeout_s}" not in commit.confirmed:
        raise CommandLineError("commit.confirmed: expected {timeout_s} in it")
    for key in ("timeout_s", "commit_timeout_s"):
        if not 0.1 <= getattr(description, key) <= 3_600:
            raise CommandLineError(f"{key}: expected 0.1 to 3600 seconds")
    if not 0 <= description.keepalive_s <= 3_600:
        raise CommandLineError("keepalive_s: expected 0 to 3600 seconds")


def _compiled(key: str, pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise CommandLineError(f"{key}: no regular expression: {error}") from None


def _any_of(key: str, patterns: Sequence[str]) -> re.Pattern[str]:
    for pattern in patterns:
        _compiled(key, pattern)
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns)) if patterns else _NOTHING


def _kind(name: str, description: KindDescription) -> Kind:
    if name in KINDS:
        raise CommandLineError(f"kinds.{name}: this kind is built in")
    if bool(description.pattern) == bool(description.values):
        raise CommandLineError(f"kinds.{name}: expected either a pattern or values")
    try:
        if description.values:
            return named_kind(name, description.values)
        _compiled(f"kinds.{name}.pattern", description.pattern)
        return word_kind(name, description.pattern)
    except ValueError as error:
        text = str(error)
        raise CommandLineError(text if text.startswith("kinds.") else f"kinds.{name}: {text}") from None
