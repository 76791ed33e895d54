"""The dialogue with a command line: octets in, what the box waits for out. Without I/O.

A prompt is looked for only after the echo of what was typed, on a last line that nothing follows, and, where the end of
an answer is known, after that end: text that looks like a prompt in the middle of an answer is none.
"""

import enum
import re
from typing import Final, NamedTuple

from ocs.limits import CLI_PROMPT_OCTETS_MAX
from ocs.provisioning.cli.command_line import CommandLine

# Escape sequences of ECMA-48: CSI, OSC (with its two ends), and those of two letters.
_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-Z\\^-~])")


class DialogueError(Exception):
    """What comes is no dialogue that we could follow; ``str()`` says why, without quoting."""


class Mode(enum.Enum):
    """Which prompt the box shows."""

    USER = "user"
    PRIVILEGED = "privileged"
    CONFIGURE = "configure"


class Answered(NamedTuple):
    """The box waits for the next line. text: what it said to the last one."""

    mode: Mode
    text: str


class More(NamedTuple):
    """There is a next page: press the key."""


class PasswordWanted(NamedTuple):
    """It asks for a password."""


class Question(NamedTuple):
    """It asks something that its type foresees. answer: what to type."""

    answer: str


Event = Answered | More | PasswordWanted | Question


class Dialogue:
    """One session's text. Call :meth:`typed` before a line is sent, :meth:`receive` with what comes."""

    def __init__(self, command_line: CommandLine, *, octets_max: int) -> None:
        """Begin before the greeting.

        Args:
            command_line: of the type. octets_max: the longest answer that is taken.
        """
        self._command_line = command_line
        self._octets_max = octets_max
        self._octets = 0
        self._partial = bytearray()
        self._lines: list[str] = []
        self._echo: str | None = None
        self._may_lack_echo = False
        self._until: re.Pattern[str] | None = None
        # A greeting may hold anything: the first echo shows where it ends.
        self._is_greeting = True
        self._has_typed = False

    def typed(self, line: str, *, until: str = "") -> None:
        """A line is about to be sent.

        Args:
            line: without its end. until: the answer is whole only after this line, or with an error.
        """
        self._begin()
        self._echo = line
        self._until = re.compile(re.escape(until)) if until else None
        self._is_greeting = not self._has_typed
        self._has_typed = True

    def typed_answer(self, answer: str, *, is_echoed: bool) -> None:
        """The answer to a question is about to be sent; what follows still answers the line before."""
        self._echo = answer if is_echoed else ""
        self._may_lack_echo = not is_echoed

    def receive(self, data: bytes) -> Event | None:
        """Take in what came.

        Returns:
            What the box waits for; None: it is not done.

        Raises:
            DialogueError: too much of it, or the echo is not what was typed.
        """
        self._octets += len(data)
        if self._octets > self._octets_max:
            raise DialogueError(f"an answer of more than {self._octets_max} octets")
        self._partial += data
        if b"\n" in data:
            *whole, rest = bytes(self._partial).split(b"\n")
            self._partial = bytearray(rest)
            for line in whole:
                self._take(rendered(line.decode("utf-8", "replace")))
        return self._waits_for()

    @property
    def place(self) -> str:
        """Where an answer stopped, for an error's text."""
        if self._echo is not None:
            return "before it had echoed the line"
        return f"after {self._octets} octets of the answer"

    def _begin(self) -> None:
        self._octets = 0
        self._partial.clear()
        self._lines.clear()
        self._may_lack_echo = False

    def _take(self, line: str) -> None:
        if self._echo is None:
            self._lines.append(line)
        elif self._is_greeting:
            if line == self._echo or (
                line.endswith(self._echo) and self._mode(line[: len(line) - len(self._echo)].strip())
            ):
                self._heard_echo()
        elif line.strip() == self._echo.strip():
            self._heard_echo()
        elif self._may_lack_echo:
            self._heard_echo()
            self._lines.append(line)
        else:
            raise DialogueError("it did not echo what was typed: the dialogue is out of step")

    def _heard_echo(self) -> None:
        self._echo = None
        self._may_lack_echo = False
        self._is_greeting = False

    def _waits_for(self) -> Event | None:
        if not self._partial or len(self._partial) > CLI_PROMPT_OCTETS_MAX:
            return None
        if self._echo is not None and not self._may_lack_echo:
            return None
        last = rendered(self._partial.decode("utf-8", "replace"))
        box = self._command_line
        if box.more.fullmatch(last):
            self._partial.clear()
            return More()
        if box.password.fullmatch(last):
            self._partial.clear()
            return PasswordWanted()
        for pattern, answer in box.questions:
            if pattern.fullmatch(last):
                self._partial.clear()
                return Question(answer)
        mode = self._mode(last.strip())
        if mode is None or not self._is_whole():
            return None
        text = "\n".join(self._lines)
        self._begin()
        self._echo = None
        return Answered(mode, text)

    def _is_whole(self) -> bool:
        if self._until is None:
            return True
        if any(self._until.fullmatch(line) for line in reversed(self._lines[-2:])):
            return True
        return bool(self._command_line.error_in("\n".join(self._lines[:3])))

    def _mode(self, prompt: str) -> Mode | None:
        box = self._command_line
        if box.configure.fullmatch(prompt):
            return Mode.CONFIGURE
        if box.privileged.fullmatch(prompt):
            return Mode.PRIVILEGED
        return Mode.USER if box.user.fullmatch(prompt) else None


def rendered(line: str) -> str:
    """A line as a terminal shows it: without escape sequences, overwritten where the cursor went back."""
    line = line.rstrip("\r")
    if not any(mark in line for mark in "\x1b\r\b\0\a"):
        return line.rstrip()
    cells: list[str] = []
    at = 0
    for letter in _ESCAPES.sub("", line):
        if letter == "\r":
            at = 0
        elif letter == "\b":
            at = max(0, at - 1)
        elif letter >= " ":
            cells[at : at + 1] = [letter]
            at += 1
    return "".join(cells).rstrip()
