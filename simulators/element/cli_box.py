"""A CLI box and the dialogue of its sessions: prompts, paging, enable, configuration mode, commit and rollback. Pure.

Two styles: ``direct`` (each line runs at once, as IOS does) and ``commit`` (lines are collected, as IOS XR does).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from simulators.element.cli_config import (
    INCOMPLETE,
    INVALID,
    Edit,
    LineError,
    Lines,
    applied,
    form_of,
    prompt_of,
    written,
)

DIRECT: Final = "direct"
COMMIT: Final = "commit"
STYLES: Final = (DIRECT, COMMIT)
MORE: Final = " --More-- "
_PAGE_LINES: Final = 24
_BANNER: Final = "\r\nAuthorised access only\r\n"


@dataclass
class CliBox:
    """What sessions of one box share. Times are seconds of one clock of the caller's.

    Attributes:
        before: what runs again when a confirmed commit is not confirmed before ``deadline``; None: none waits.
        locked_by: who has configuration mode for himself; empty: nobody.
    """

    name: str
    style: str
    enable_password: str
    running: Lines
    startup: Lines
    before: Lines | None = None
    deadline: float = 0.0
    locked_by: str = ""
    history: list[Lines] = field(default_factory=list[Lines])

    @property
    def hostname(self) -> str:
        """As prompts have it."""
        return next((line.split()[1] for line in self.running if line.startswith("hostname ")), self.name)

    def run(self, lines: Lines) -> None:
        """Have a configuration run."""
        self.history.append(self.running)
        del self.history[:-10]
        self.running = lines

    def commit_confirmed(self, lines: Lines, deadline: float) -> None:
        """Have a configuration run until a deadline, unless it is confirmed."""
        if self.before is None:
            self.before = self.running
        self.run(lines)
        self.deadline = deadline

    def expire(self, now: float) -> bool:
        """Undo a confirmed commit whose time is over; whether one was."""
        if self.before is None or now < self.deadline:
            return False
        self.run(self.before)
        self.before = None
        return True


class _Mode(Enum):
    USER = auto()
    PRIVILEGED = auto()
    CONFIGURE = auto()


class Dialogue:
    """One session: keys in, text out. The line is run apart from being typed, so that faults fit in between.

    Attributes:
        is_over: the box ends the session.
    """

    def __init__(self, box: CliBox, user: str, line: str, now: Callable[[], float]) -> None:
        self._box = box
        self._who = f"{user} on {line}"
        self._now = now
        self._mode = _Mode.USER
        self._section = ""
        self._parent = ""
        self._edits: list[Edit] = []
        self._typed = ""
        self._page_lines = _PAGE_LINES
        self._rest: list[str] = []
        self._question: Callable[[str], str] | None = None
        self._is_hidden = False
        self._ends_with_cr = False
        self.is_over = False

    # --- keys ----------------------------------------------------------------------------------------------------

    def greeting(self) -> str:
        """What comes first."""
        return f"{_BANNER}\r\n{self.prompt()}"

    def key(self, key: str) -> tuple[str, str | None]:
        """Take one key.

        Returns:
            What is echoed, and the line when it is whole; :meth:`run` it then.
        """
        if self._rest:
            return self._page_key(key), None
        after_cr, self._ends_with_cr = self._ends_with_cr, key == "\r"
        if key == "\n" and after_cr:
            return "", None
        if key in "\r\n":
            line, self._typed = self._typed, ""
            return "\r\n", line
        if key in "\x7f\b":
            had, self._typed = bool(self._typed), self._typed[:-1]
            return ("\b \b" if had and not self._is_hidden else ""), None
        if key == "\x03":
            self._typed = ""
            return f"^C\r\n{self.prompt()}", None
        if not key.isprintable():
            return "", None
        self._typed += key
        return ("" if self._is_hidden else key), None

    def _page_key(self, key: str) -> str:
        wiped = f"\r{' ' * len(MORE)}\r"
        if key in "qQ\x03":
            self._rest = []
            return wiped + self.prompt()
        if key == " ":
            return wiped + self._page(self._page_lines)
        return wiped + self._page(1) if key in "\r\n" else ""

    def _page(self, count: int) -> str:
        shown, self._rest = self._rest[:count], self._rest[count:]
        text = "".join(f"{line}\r\n" for line in shown)
        return text + (MORE if self._rest else self.prompt())

    def prompt(self) -> str:
        """What the box prints when it waits for a line."""
        if self.is_over:
            return ""
        if self._question is not None:
            return ""
        name = self._box.hostname
        match self._mode:
            case _Mode.USER:
                return f"{name}>"
            case _Mode.PRIVILEGED:
                return f"{name}#"
            case _Mode.CONFIGURE:
                return f"{name}({prompt_of(self._section)})#"

    # --- lines ---------------------------------------------------------------------------------------------------

    def run(self, line: str) -> str:
        """Run a whole line.

        Returns:
            What the box prints, the next prompt included.
        """
        if self._question is not None:
            question, self._question, self._is_hidden = self._question, None, False
            return self._shown(question(line.strip()))
        try:
            return self._shown(self._perform(" ".join(line.split())))
        except LineError as error:
            return self.refusal(str(error))

    def refusal(self, text: str) -> str:
        """An error as the box prints it."""
        return self._shown(text)

    def _shown(self, text: str) -> str:
        lines = text.splitlines()
        if self._question is not None:
            # A question waits on its own line.
            return "".join(f"{line}\r\n" for line in lines[:-1]) + (lines[-1] if lines else "")
        if self._page_lines and len(lines) > self._page_lines:
            self._rest = lines
            return self._page(self._page_lines)
        return "".join(f"{line}\r\n" for line in lines) + self.prompt()

    def _perform(self, line: str) -> str:
        if not line or line.startswith("!"):
            return ""
        if self._mode is _Mode.CONFIGURE:
            return self._configure(line)
        match line.split():
            case ["exit" | "quit" | "logout"]:
                self.is_over = True
                return ""
            case ["enable"] if self._mode is _Mode.USER:
                return self._ask("Password: ", self._enable, hidden=True)
            case ["enable"]:
                return ""
            case ["disable"]:
                self._mode = _Mode.USER
                return ""
            case ["terminal", "length", number] if number.isdecimal():
                self._page_lines = int(number)
                return ""
            case ["terminal", "width", number] if number.isdecimal():
                return ""
            case ["show", "version"]:
                return f"Simulated element {self._box.name}\nStyle: {self._box.style}\nVersion 1.0"
            case _ if self._mode is _Mode.PRIVILEGED:
                return self._privileged(line)
            case _:
                raise LineError(INVALID)

    def _privileged(self, line: str) -> str:
        box = self._box
        match line.split():
            case ["show", "running-config"]:
                return _running(box.running)
            case ["show", "startup-config"] if box.style == DIRECT:
                return "\n".join(["!", *written(box.startup), "end"])
            case ["configure"]:
                raise LineError(INCOMPLETE)
            case ["configure", "terminal" | "exclusive" as how]:
                return self._enter(is_exclusive=how == "exclusive")
            case ["write", "memory"] if box.style == DIRECT:
                return self._save("")
            case ["copy", "running-config", "startup-config"] if box.style == DIRECT:
                return self._ask("Destination filename [startup-config]? ", self._save)
            case ["rollback", "configuration", "last", number] if box.style == COMMIT and number.isdecimal():
                return self._roll_back(int(number))
            case _:
                raise LineError(INVALID)

    def _ask(self, question: str, answer: Callable[[str], str], *, hidden: bool = False) -> str:
        self._question, self._is_hidden = answer, hidden
        return question

    def _enable(self, password: str) -> str:
        if password != self._box.enable_password:
            return "% Access denied"
        self._mode = _Mode.PRIVILEGED
        return ""

    def _save(self, name: str) -> str:
        if name not in {"", "startup-config"}:
            return "%Error opening file (Permission denied)"
        self._box.startup = self._box.running
        return "Building configuration...\n[OK]"

    def _roll_back(self, number: int) -> str:
        if not 1 <= number <= len(self._box.history):
            raise LineError("% No such commit")
        self._box.run(self._box.history[-number])
        return "Configuration successfully rolled back."

    # --- configuration mode --------------------------------------------------------------------------------------

    def _enter(self, *, is_exclusive: bool) -> str:
        if self._box.locked_by and self._box.locked_by != self._who:
            raise LineError(f"% Configuration is locked by {self._box.locked_by}")
        if is_exclusive:
            self._box.locked_by = self._who
        self._mode = _Mode.CONFIGURE
        self._section = self._parent = ""
        self._edits.clear()
        return "Enter configuration commands, one per line.  End with CNTL/Z."

    def _leave(self) -> str:
        if self._box.locked_by == self._who:
            self._box.locked_by = ""
        self._mode = _Mode.PRIVILEGED
        self._section = self._parent = ""
        self._edits.clear()
        return ""

    def _configure(self, line: str) -> str:
        match line.split():
            case ["exit"] if self._section:
                self._section = self._parent = ""
                return ""
            case ["end"] | ["exit"]:
                return self._leave() if not self._edits else self._ask_about_edits()
            case ["do", *words]:
                return self._privileged(" ".join(words))
            case ["commit" | "abort" | "clear", *_] | ["show", "configuration"] if self._box.style == COMMIT:
                return self._committing(line.split())
            case _:
                return self._type(line)

    def _ask_about_edits(self) -> str:
        question = "Uncommitted changes found, commit them before exiting(yes/no/cancel)? [cancel]:"
        return self._ask(question, self._after_question)

    def _after_question(self, answer: str) -> str:
        match answer.lower():
            case "yes" | "y":
                try:
                    self._commit(None)
                except LineError as error:
                    return str(error)
                return self._leave()
            case "no" | "n":
                return self._leave()
            case _:
                return ""

    def _type(self, line: str) -> str:
        """A line of configuration: of the open section, or of the top, which closes the section."""
        edit = Edit(self._section, self._parent, line)
        try:
            after, said = applied(self._wanted(), edit)
        except LineError:
            if not self._section:
                raise
            edit = Edit("", "", line)
            after, said = applied(self._wanted(), edit)
            self._section = self._parent = ""
        if self._box.style == DIRECT:
            self._box.run(after)
        else:
            self._edits.append(edit)
        if not edit.section and not line.startswith("no "):
            opened = form_of("", line).section
            self._section, self._parent = opened, line if opened else ""
        return said

    def _wanted(self) -> Lines:
        lines = self._box.running
        for edit in self._edits:
            lines, _ = applied(lines, edit)
        return lines

    def _committing(self, words: list[str]) -> str:
        match words:
            case ["commit"]:
                return self._commit(None)
            case ["commit", "confirmed", number] if number.isdecimal() and int(number):
                return self._commit(int(number))
            case ["abort"]:
                return self._leave()
            case ["clear"]:
                self._edits.clear()
                return ""
            case ["show", "configuration"]:
                return "\n".join(f"{' ' if edit.parent else ''}{edit.line}" for edit in self._edits) or "!"
            case _:
                raise LineError(INVALID)

    def _commit(self, seconds: int | None) -> str:
        box = self._box
        if not self._edits and seconds is None and box.before is None:
            return "% No configuration changes to commit."
        try:
            lines = self._wanted()
        except LineError as error:
            raise LineError(f"% Failed to commit one or more configuration items.\n{error}") from error
        if seconds is not None:
            box.commit_confirmed(lines, self._now() + seconds)
        else:
            if self._edits:
                box.run(lines)
            box.before = None
        self._edits.clear()
        return ""

    def hang_up(self) -> None:
        """The session is over, and what it held is free."""
        if self._box.locked_by == self._who:
            self._box.locked_by = ""


def _running(lines: Lines) -> str:
    shown = ["!", *written(lines), "end"]
    size = sum(len(line) + 1 for line in shown)
    return "\n".join(["Building configuration...", "", f"Current configuration : {size} bytes", *shown])
