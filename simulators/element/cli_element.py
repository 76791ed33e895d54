"""An element with a command line."""

import asyncio
from collections.abc import Iterable
from itertools import count
from typing import Any

import asyncssh

from simulators.element.cli_box import DIRECT, CliBox
from simulators.element.cli_channel import CliChannel
from simulators.element.cli_config import Edit, Lines, applied, form_of, parse_lines, written
from simulators.element.faults import Fault
from simulators.element.memory import Memory
from simulators.element.network_element import NetworkElement


class CliElement(NetworkElement):
    """A CLI box; configurations go in and out as the lines that ``show running-config`` prints.

    Attributes:
        box: what its sessions share. echo_delay_s: between a key and its echo.
    """

    def __init__(
        self,
        name: str,
        loop: asyncio.AbstractEventLoop,
        memory: Memory,
        *,
        style: str = DIRECT,
        enable_password: str = "enable",  # noqa: S107  # of a simulator
        lines: Iterable[str] = (),
        echo_delay_s: float = 0.0,
        **ssh: Any,
    ) -> None:
        super().__init__(name, loop, memory, **ssh)
        self.echo_delay_s = echo_delay_s
        self._style = style
        self._enable_password = enable_password
        self._first = parse_lines([f"hostname {name}", *lines])
        self._numbers = count(1)
        self._timer: asyncio.TimerHandle | None = None
        self._kept: tuple[object, ...] = ()
        self.box = self._wake_up()

    # --- for tests and stories -----------------------------------------------------------------------------------

    def running(self) -> list[str]:
        """The lines that run, as they are shown."""
        return self.call(lambda: _lines(self.box.running))

    def startup(self) -> list[str]:
        """The lines that it starts with."""
        return self.call(lambda: _lines(self.box.startup))

    def change(self, lines: Iterable[str]) -> None:
        """Change what runs as somebody at the console does; a line below another begins with a blank.

        Raises:
            LineError: the box does not know a line.
        """
        typed = list(lines)

        def do() -> None:
            self.box.run(_typed(self.box.running, typed))
            self.settle()

        self.call(do)

    def hold_lock(self, who: str = "operator on console") -> None:
        """Have somebody hold configuration mode for himself."""
        self.call(lambda: setattr(self.box, "locked_by", who))

    def release_lock(self) -> None:
        """Have nobody hold it."""
        self.call(lambda: setattr(self.box, "locked_by", ""))

    def is_confirmation_pending(self) -> bool:
        """Whether a ``commit confirmed`` waits."""
        return self.call(lambda: self.box.before is not None)

    def expire_confirmed_commit(self) -> bool:
        """Have the time of a ``commit confirmed`` be over now; whether one waited."""
        return self.call(lambda: self._expire(float("inf")))

    # --- for sessions --------------------------------------------------------------------------------------------

    def _new_session(self, connection: asyncssh.SSHServerConnection) -> CliChannel:
        return CliChannel(self, connection, next(self._numbers))

    def now(self) -> float:
        """Seconds of the loop's clock."""
        return self._loop.time()

    def do_other(self, fault: Fault) -> None:
        """Do what was not asked for."""
        self.box.run(_typed(self.box.running, fault.other))

    def settle(self) -> None:
        """After something may have happened: remember it, and set the clock for a confirmed commit."""
        box = self.box
        kept = (box.running, box.startup, box.before, box.deadline)
        if kept == self._kept:
            return
        self._kept = kept
        self.memory.save(
            running=_lines(box.running),
            startup=_lines(box.startup),
            before=None if box.before is None else _lines(box.before),
        )
        self._set_timer()

    # --- life ----------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        self.box = self._wake_up()

    def _wake_up(self) -> CliBox:
        """The direct style starts with what was saved; the other with what was committed for good."""
        record = self.memory.load()
        running = parse_lines(record["running"]) if "running" in record else self._first
        startup = parse_lines(record["startup"]) if "startup" in record else self._first
        if self._style == DIRECT:
            running = startup
        elif record.get("before") is not None:
            running = parse_lines(record["before"])
        self._kept = ()
        if self._timer is not None:
            self._timer.cancel()
        return CliBox(self.name, self._style, self._enable_password, running, startup)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.box.before is not None:
            self._timer = self._loop.call_at(self.box.deadline, self._expire, self.box.deadline)

    def _expire(self, now: float) -> bool:
        expired = self.box.expire(now)
        self.settle()
        return expired


def _lines(lines: Lines) -> list[str]:
    return [line for line in written(lines) if line != "!"]


def _typed(lines: Lines, typed: Iterable[str]) -> Lines:
    parent, section = "", ""
    for line in typed:
        if line.startswith(" "):
            lines, _ = applied(lines, Edit(section, parent, line.strip()))
            continue
        lines, _ = applied(lines, Edit("", "", line))
        opened = "" if line.startswith("no ") else form_of("", line).section
        parent, section = (line, opened) if opened else ("", "")
    return lines
