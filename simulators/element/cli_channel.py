"""One session of a CLI box over an SSH channel, and the faults between line and answer (asyncio)."""

import asyncio
import os
import traceback
from collections import deque
from contextlib import suppress
from typing import Any, Final, Protocol

import asyncssh

from simulators.element.cli_box import CliBox, Dialogue
from simulators.element.faults import Fault, FaultKind, Faults
from simulators.element.ssh import EXIT_STATUS, user_of

_KEYS_WAITING_MAX: Final = 1_000_000


class Host(Protocol):
    """The element as its sessions see it."""

    faults: Faults
    box: CliBox
    echo_delay_s: float

    def now(self) -> float:
        """Seconds of a clock that only goes forward."""
        ...

    def settle(self) -> None:
        """After every line: remember what changed."""
        ...

    def die(self, seconds: float) -> None:
        """Go down and come back."""
        ...

    def do_other(self, fault: Fault) -> None:
        """Do what was not asked for."""
        ...


class CliChannel(asyncssh.SSHServerSession[bytes]):
    """A session from its shell request to its end; every line that is typed is a step for faults."""

    def __init__(self, host: Host, connection: asyncssh.SSHServerConnection, number: int) -> None:
        self._host = host
        self._connection = connection
        self._number = number
        self._channel: Any = None
        self._dialogue: Dialogue | None = None
        self._keys: deque[str] = deque()
        self._worker: asyncio.Task[None] | None = None

    # --- called by asyncssh --------------------------------------------------------------------------------------

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        """The channel is there."""
        self._channel = chan

    def pty_requested(self, term_type: str, term_size: tuple[int, int, int, int], term_modes: Any) -> bool:
        """A terminal, whatever its size, is fine."""
        del term_type, term_size, term_modes
        return True

    def shell_requested(self) -> bool:
        """A box has a shell."""
        return True

    def session_started(self) -> None:
        """Greet."""
        user, _ = user_of(self._connection)
        self._dialogue = Dialogue(self._host.box, user, f"vty{self._number}", self._host.now)
        self._start(self._greet(self._dialogue))

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """Take in what the client sent."""
        del datatype
        self._keys.extend(data.decode("utf-8", "replace"))
        if len(self._keys) > _KEYS_WAITING_MAX:
            self._connection.abort()
        elif self._dialogue is not None and (self._worker is None or self._worker.done()):
            self._start(self._work(self._dialogue))

    def eof_received(self) -> bool:
        """The end of what the client sends is the end of the session."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The session is over, whoever ended it."""
        del exc
        if self._worker is not None:
            self._worker.cancel()
        if self._dialogue is not None:
            self._dialogue.hang_up()
            self._dialogue = None

    # --- the work ------------------------------------------------------------------------------------------------

    def _start(self, work: Any) -> None:
        self._worker = asyncio.get_running_loop().create_task(work)

    async def _greet(self, dialogue: Dialogue) -> None:
        for fault in self._host.faults.take("hello"):
            if await self._ends_before(fault):
                return
        self._write(dialogue.greeting())
        await self._work(dialogue)

    async def _work(self, dialogue: Dialogue) -> None:
        with suppress(asyncssh.Error, BrokenPipeError):
            while self._keys and not dialogue.is_over:
                echo, line = dialogue.key(self._keys.popleft())
                if echo and self._host.echo_delay_s:
                    await asyncio.sleep(self._host.echo_delay_s)
                self._write(echo)
                if line is not None:
                    await self._run(dialogue, line)
            if dialogue.is_over and self._channel is not None:
                self._channel.exit(0)

    async def _run(self, dialogue: Dialogue, line: str) -> None:
        # A password is typed into a question, and is no step that anybody may read later.
        step = " ".join(line.split()) if dialogue.prompt() else "answer"
        faults = self._host.faults.take(step) if step else []
        for fault in faults:
            if await self._ends_before(fault):
                return
        try:
            output = self._output(dialogue, line, faults)
            self._host.settle()
        except Exception as error:  # noqa: BLE001 (a line without an answer hangs its client and tells nobody why)
            traceback.print_exc()
            output = dialogue.refusal(f"% Internal error: {type(error).__name__}")
        for fault in faults:
            match fault.kind:
                case FaultKind.DROP_AFTER:
                    self._connection.abort()
                case FaultKind.DIE_AFTER:
                    self._host.die(fault.seconds)
                case FaultKind.EXIT_AFTER:
                    os._exit(EXIT_STATUS)
                case FaultKind.STOP_MID_REPLY:
                    output = output[: len(output) // 2]
                case FaultKind.GARBAGE:
                    output = "\x1b[2J\x00\ufffd~~~"
                case FaultKind.HUGE_REPLY:
                    output = "x" * (fault.megabytes * 1_048_576)
                case _:
                    pass
        self._write(output)

    def _output(self, dialogue: Dialogue, line: str, faults: list[Fault]) -> str:
        for fault in faults:
            if fault.kind is FaultKind.REFUSE:
                return dialogue.refusal(f"% {fault.message}")
            if fault.kind is FaultKind.LIE:
                return dialogue.prompt()
            if fault.kind is FaultKind.LIE_OTHER:
                self._host.do_other(fault)
                return dialogue.prompt()
        return dialogue.run(line)

    async def _ends_before(self, fault: Fault) -> bool:
        match fault.kind:
            case FaultKind.LATENCY:
                await asyncio.sleep(fault.seconds)
                return False
            case FaultKind.STALL:
                return True
            case FaultKind.DROP_BEFORE:
                self._connection.abort()
                return True
            case FaultKind.DIE_BEFORE:
                self._host.die(fault.seconds)
                return True
            case FaultKind.EXIT_BEFORE:
                os._exit(EXIT_STATUS)
            case _:
                return False

    def _write(self, text: str) -> None:
        if text and self._channel is not None and not self._channel.is_closing():
            self._channel.write(text.encode())
