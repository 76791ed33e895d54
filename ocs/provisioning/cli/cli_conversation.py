"""One session with a command line over a transport: a line goes out, its answer comes back, in bounded time."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import trio

from ocs.limits import CLI_ANSWER_OCTETS_MAX, CLI_QUESTIONS_MAX
from ocs.provisioning.cli.command_line import CommandLine
from ocs.provisioning.cli.dialogue import (
    Answered,
    Dialogue,
    DialogueError,
    Event,
    Mode,
    More,
    PasswordWanted,
    Question,
)
from ocs.provisioning.errors import ElementError, ElementFault
from ocs.provisioning.netconf.transport import Transport


class Typed(NamedTuple):
    """A line to type, and how to speak of it.

    Attributes:
        line: what is typed. shown: the same for people, without secrets; empty: as it is.
    """

    line: str
    shown: str = ""

    @property
    def operation(self) -> str:
        """What errors call it."""
        return self.shown or self.line

    def concealed(self, text: str) -> str:
        """What the box says of the line, without what is not shown of it."""
        for word in set(self.line.split()) - set(self.operation.split()):
            text = text.replace(word, "***")
        return text


class CliConversation:
    """Types and reads; used by one task at a time.

    Every fault of the element or of the way to it is an :class:`ElementError`. After UNREACHABLE and PROTOCOL, and
    after a cancellation, it is over.
    """

    def __init__(
        self,
        name: str,
        transport: Transport,
        command_line: CommandLine,
        *,
        octets_max: int = CLI_ANSWER_OCTETS_MAX,
    ) -> None:
        """Begin.

        Args:
            name: the element's. transport: to its shell. command_line: of its type.
            octets_max: the longest answer that is taken.
        """
        self._name = name
        self._transport = transport
        self._command_line = command_line
        self._dialogue = Dialogue(command_line, octets_max=octets_max)
        self._mode = Mode.USER
        self._is_open = False

    @property
    def is_configuring(self) -> bool:
        """Whether it shows the prompt of configuration mode."""
        return self._mode is Mode.CONFIGURE

    @property
    def is_open(self) -> bool:
        """Whether it can be used."""
        return self._is_open

    async def open(self, timeout_s: float, *, enable_password: str = "") -> None:
        """Wait for the first prompt, prepare the terminal, and become privileged.

        Raises:
            ElementError: UNREACHABLE, PROTOCOL, or ACCESS without the right password.
        """
        description = self._command_line.description
        self._is_open = True
        await self._bounded("login", timeout_s, lambda: self._answer("login", ""))
        for line in description.prepare:
            await self.type(Typed(line), timeout_s)
        if self._mode is Mode.USER and description.enable:
            answer = await self.type(Typed(description.enable), timeout_s, password=enable_password)
            if self._mode is Mode.USER:
                reason = "it does not accept the enable password"
                raise self._error(
                    description.enable, ElementFault.ACCESS, reason, tag=self._command_line.error_in(answer)
                )

    async def ask(self, typed: Typed, timeout_s: float, *, until: str = "") -> str:
        """Type a line.

        Returns:
            What the box said.

        Raises:
            ElementError: what it said is an error, whose line is the tag; or UNREACHABLE, PROTOCOL.
        """
        answer = await self.type(typed, timeout_s, until=until)
        self.check(typed, answer)
        return answer

    def check(self, typed: Typed, answer: str) -> None:
        """Look for an error in the answer to a line.

        Raises:
            ElementError: with the box's line as its tag.
        """
        if error := self._command_line.error_in(answer):
            said = typed.concealed(error)
            raise self._error(typed.operation, self._fault(error), f"it said {said!r}", tag=said)

    async def type(self, typed: Typed, timeout_s: float, *, until: str = "", password: str = "") -> str:
        """As :meth:`ask`, whatever it says.

        Args:
            typed: the line. timeout_s: for the answer. until: the answer's last line, where it is known.
            password: for the question that may follow.
        """
        if not self._is_open:
            raise self._error(typed.operation, ElementFault.UNREACHABLE, "the session is over")

        async def exchange() -> str:
            self._dialogue.typed(typed.line, until=until)
            await self._send(typed.operation, typed.line)
            return await self._answer(typed.operation, password)

        return await self._bounded(typed.operation, timeout_s, exchange)

    async def _answer(self, operation: str, password: str) -> str:
        questions = 0
        while True:
            match await self._event(operation):
                case Answered(mode, text):
                    self._mode = mode
                    return text
                case More():
                    await self._transmit(operation, b" ")
                    continue
                case PasswordWanted():
                    if not password or questions:
                        raise self._error(operation, ElementFault.ACCESS, _no_password(password))
                    self._dialogue.typed_answer(password, is_echoed=False)
                    await self._send(operation, password)
                case Question(answer):
                    self._dialogue.typed_answer(answer, is_echoed=True)
                    await self._send(operation, answer)
            questions += 1
            if questions > CLI_QUESTIONS_MAX:
                raise self._error(operation, ElementFault.PROTOCOL, "it keeps asking questions")

    async def _event(self, operation: str) -> Event:
        while True:
            try:
                data = await self._transport.receive()
            except OSError as error:
                reason = f"the connection broke {self._dialogue.place}: {error}"
                raise self._error(operation, ElementFault.UNREACHABLE, reason) from None
            if not data:
                reason = f"the element ended the connection {self._dialogue.place}"
                raise self._error(operation, ElementFault.UNREACHABLE, reason)
            try:
                event = self._dialogue.receive(data)
            except DialogueError as error:
                raise self._error(operation, ElementFault.PROTOCOL, str(error)) from None
            if event is not None:
                return event

    async def _send(self, operation: str, line: str) -> None:
        await self._transmit(operation, f"{line}\r".encode())

    async def _transmit(self, operation: str, octets: bytes) -> None:
        try:
            await self._transport.send(octets)
        except OSError as error:
            raise self._error(operation, ElementFault.UNREACHABLE, f"the connection broke: {error}") from None

    async def _bounded(self, operation: str, timeout_s: float, exchange: Callable[[], Awaitable[str]]) -> str:
        try:
            with trio.fail_after(timeout_s):
                return await exchange()
        except trio.TooSlowError:
            self._is_open = False
            reason = f"no prompt within {timeout_s:g} s; it stopped {self._dialogue.place}"
            raise self._error(operation, ElementFault.UNREACHABLE, reason) from None
        except BaseException:
            # Also when we are cancelled: the answer may still come, and nobody would know whose it is.
            self._is_open = False
            raise

    def _fault(self, line: str) -> ElementFault:
        box = self._command_line
        if box.busy.search(line):
            return ElementFault.BUSY
        if box.access.search(line):
            return ElementFault.ACCESS
        return ElementFault.UNSUPPORTED if box.unsupported.search(line) else ElementFault.REQUEST

    def _error(self, operation: str, fault: ElementFault, reason: str, *, tag: str = "") -> ElementError:
        return ElementError(element=self._name, operation=operation, fault=fault, reason=reason, tag=tag)


def _no_password(password: str) -> str:
    return (
        "it asks for the password again"
        if password
        else "it asks for a password, and the credential has none"
    )
