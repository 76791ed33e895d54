"""``[cli]`` of an element type: how its command line is spoken, and which lines say what. Data only.

:mod:`.command_line` checks it and makes it usable.
"""

import msgspec

from ocs.limits import ELEMENT_OPERATION_TIMEOUT_S


class PromptsDescription(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[cli.prompts]``: regular expressions of what stands on the last line when the box waits.

    Attributes:
        user: before ``enable``; empty: there is no such mode. privileged: where configurations are shown.
        configure: where they are changed, in every section. password: a question for one.
        more: there is a next page.
    """

    privileged: str
    configure: str
    user: str = ""
    password: str = "[Pp]assword: ?"  # noqa: S105 (the question, not the answer)
    more: str = " ?--More-- ?"


class QuestionDescription(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[cli.questions]]``: what the box asks, and what it is told.

    Attributes:
        pattern: a regular expression of the whole last line. answer: what is typed.
    """

    pattern: str
    answer: str


class ErrorsDescription(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[cli.errors]``: regular expressions, found anywhere in a line of an answer.

    Attributes:
        error: the line is an error. harmless: it is none all the same. busy: somebody else holds the box.
        access: we may not. unsupported: the box does not know the line. nothing: there is nothing to be committed.
    """

    error: tuple[str, ...]
    harmless: tuple[str, ...] = ()
    busy: tuple[str, ...] = ()
    access: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = ()
    nothing: tuple[str, ...] = ()


class CommitDescription(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[cli.commit]``: lines are collected and run together.

    Attributes:
        commit: makes them run. abort: drops them and leaves configuration mode.
        confirmed: makes them run until ``{timeout_s}`` are over, unless ``commit`` follows, in whatever session: only
            for boxes where such a commit outlives its own; empty: it cannot.
        cancel: undoes such a commit; empty: it cannot be undone but by the reverse or the time-out.
        validate: checks what is collected; empty: it cannot.
    """

    commit: str
    abort: str
    confirmed: str = ""
    cancel: str = ""
    validate: str = ""


class KindDescription(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[cli.kinds.NAME]``: words of a kind: those of a pattern, or those that stand for values.

    Attributes:
        pattern: a regular expression. values: value -> word.
    """

    pattern: str = ""
    values: dict[str, str] = {}


class LineDescription(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[[cli.lines]]``: one line of configuration, and which paths and values it stands for.

    Variables are ``{name}`` or ``{name:kind}`` in ``line``, ``{name}`` elsewhere. Paths are relative to the entry of
    the line that this one is under; those of ``leaves`` and the like to ``entry``, where there is one. The order of the
    lines is the order in which they are typed; what is taken away goes in the reverse order, before.

    Attributes:
        line: as the box shows it. name: what others say about it; more than one line may share it.
        under: names of the lines in whose section it stands; of none: at the top.
        entry: the list's entry that is there when the line is. leaves: path -> value, likewise.
        implies: path -> value: true of an element that has the line, and need not be asked for.
        presence: paths of entries and containers with presence that are there when the line is.
        otherwise: path -> value: true when the section has no such line.
        unset: takes the line away; empty: ``no`` and the line.
        is_single: a section has one at most; a further entry is for the next line that can say it.
        is_replaced: a line with other values for the same entry takes the place of this one.
        is_definition: others refer to it: it is taken away last.
        clears: names of lines of the section that vanish when this one changes, and are typed again.
    """

    line: str
    name: str = ""
    under: tuple[str, ...] = ()
    entry: str = ""
    leaves: dict[str, str] = {}
    implies: dict[str, str] = {}
    presence: tuple[str, ...] = ()
    otherwise: dict[str, str] = {}
    unset: str = ""
    is_single: bool = False
    is_replaced: bool = True
    is_definition: bool = False
    clears: tuple[str, ...] = ()


class CliDescription(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[cli]``.

    Attributes:
        modules: YANG modules whose paths the lines stand for.
        prompts, questions, errors, commit, kinds, lines: see there; without ``commit`` each line runs at once.
        enable: asks for the privileged mode; empty: one is in it after the login.
        prepare: typed at the beginning, for no paging and wide lines.
        enter, leave: configuration mode. locks: ``enter`` keeps others out meanwhile.
        do: has a command of the privileged mode run inside configuration mode, as ``{command}``.
        section_end: leaves a section.
        show: shows what runs. shown_last: the last line of it, so that nothing in it is taken for a prompt.
        save: makes what runs be there after a restart; empty: it is.
        block: a line of what is shown after which free text follows, up to a line that ends with its group ``end``.
        timeout_s: for the answer to one line. commit_timeout_s: for the one to a commit, to ``show`` and to ``save``.
        keepalive_s: an idle connection is tried so often; 0: never.
    """

    modules: tuple[str, ...]
    prompts: PromptsDescription
    errors: ErrorsDescription
    enter: str
    show: str
    shown_last: str
    lines: tuple[LineDescription, ...]
    questions: tuple[QuestionDescription, ...] = ()
    commit: CommitDescription | None = None
    kinds: dict[str, KindDescription] = {}
    enable: str = ""
    prepare: tuple[str, ...] = ()
    leave: str = "end"
    locks: bool = False
    do: str = "do {command}"
    section_end: str = "exit"
    save: str = ""
    block: str = ""
    timeout_s: float = ELEMENT_OPERATION_TIMEOUT_S
    commit_timeout_s: float = 2 * ELEMENT_OPERATION_TIMEOUT_S
    keepalive_s: float = 15.0
