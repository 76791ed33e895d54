"""Drive the load generator, which runs in a process of its own.

For a benchmark::

    with LoadGenerator(LoadPlan(host="127.0.0.1", port=3868, run=1)) as load:
        load.open_sessions()
        result = load.update(in_flight=64, duration_s=30.0)
        load.close_sessions()
        tally = load.tally()

For a test that kills what it measures: ``start(in_flight=64)``, kill, restart, look at ``progress()``, then
``stop()`` and compare ``tally()`` with balances and events. All methods block; from trio call them through
``trio.to_thread.run_sync``.
"""

import contextlib
import os
import select
import subprocess
import sys
from types import TracebackType
from typing import Final, Self

import msgspec

from bench.pump import Kind, PhaseResult, Pump, Tally
from bench.templates import LoadPlan

# The longest phase of a benchmark plus its draining; a generator that is silent for longer has failed.
_REPLY_TIMEOUT_S: Final = 300.0
_OPEN_IN_FLIGHT: Final = 64
_PHASE_TIME_MAX_S: Final = 3600.0
_COMMAND_OCTETS_MAX: Final = 65_536


class GeneratorError(RuntimeError):
    """The generator process ended, refused a command, or stayed silent."""


class Command(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line from the parent to the generator process: run a phase, or answer a question."""

    do: str
    kind: int = 0
    in_flight: int = 0
    duration_s: float = 0.0
    drain_s: float = 10.0
    rate_per_s: float = 0.0


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line back; exactly one for each command but ``start``, whose result ``stop`` brings."""

    error: str = ""
    phase: PhaseResult | None = None
    tally: Tally | None = None
    answered: int = 0


class LoadGenerator:
    """A running generator process. Use it in a ``with`` block, which connects and in the end kills it.

    Raises (all methods):
        GeneratorError: the process failed; its reason is in the message.
    """

    def __init__(self, plan: LoadPlan, *, connect_timeout_s: float = 10.0) -> None:
        self._plan = plan
        self._connect_timeout_s = connect_timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._running = False

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.load", str(self._connect_timeout_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._send(msgspec.json.encode(self._plan))
        try:
            self._reply()
        except GeneratorError:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process and its connections at once."""
        if self._process is None:
            return
        self._process.kill()
        self._process.communicate()
        self._process = None

    @property
    def pid(self) -> int:
        """Of the generator process."""
        if self._process is None:
            raise GeneratorError("the generator is not running")
        return self._process.pid

    def open_sessions(self, *, in_flight: int = _OPEN_IN_FLIGHT, drain_s: float = 30.0) -> PhaseResult:
        """Send a CCR INITIAL for every account."""
        return self._phase(Kind.OPEN, in_flight, _PHASE_TIME_MAX_S, drain_s)

    def update(self, *, in_flight: int, duration_s: float, drain_s: float = 10.0) -> PhaseResult:
        """Send CCR UPDATEs for a time, always ``in_flight`` of them without answer."""
        return self._phase(Kind.UPDATE, in_flight, duration_s, drain_s)

    def offer(self, *, rate_per_s: float, duration_s: float, drain_s: float = 30.0) -> PhaseResult:
        """Send CCR UPDATEs by the clock, whatever is answered; each account has at most one without answer."""
        self._command(Command("run", Kind.UPDATE.value, 0, duration_s, drain_s, rate_per_s))
        return self._phase_reply()

    def close_sessions(self, *, in_flight: int = _OPEN_IN_FLIGHT, drain_s: float = 30.0) -> PhaseResult:
        """Send a CCR TERMINATION, with a last usage, for every account."""
        return self._phase(Kind.CLOSE, in_flight, _PHASE_TIME_MAX_S, drain_s)

    def start(self, *, in_flight: int) -> None:
        """Send CCR UPDATEs until :meth:`stop`, through whatever happens to the server."""
        self._command(Command("start", Kind.UPDATE.value, in_flight, _PHASE_TIME_MAX_S))
        self._running = True

    def progress(self) -> int:
        """Answers since :meth:`start`."""
        self._command(Command("progress"))
        return self._reply().answered

    def stop(self, *, drain_s: float = 30.0) -> PhaseResult:
        """End what :meth:`start` began; unanswered requests are sent again until answered or time is up."""
        self._command(Command("stop", drain_s=drain_s))
        self._running = False
        return self._phase_reply()

    def tally(self) -> Tally:
        """What was reported as used and acknowledged, per account; not between start and stop."""
        self._command(Command("tally"))
        tally = self._reply().tally
        if tally is None:
            raise GeneratorError("the generator sent no tally")
        return tally

    def _phase(self, kind: Kind, in_flight: int, duration_s: float, drain_s: float) -> PhaseResult:
        self._command(Command("run", kind.value, in_flight, duration_s, drain_s))
        return self._phase_reply()

    def _phase_reply(self) -> PhaseResult:
        phase = self._reply().phase
        if phase is None:
            raise GeneratorError("the generator sent no result")
        return phase

    def _command(self, command: Command) -> None:
        if self._running and command.do not in ("stop", "progress"):
            raise GeneratorError(f"{command.do} while the generator runs: call stop() first")
        self._send(msgspec.json.encode(command))

    def _send(self, line: bytes) -> None:
        process = self._process
        if process is None or process.stdin is None:
            raise GeneratorError("the generator is not running")
        try:
            process.stdin.write(line + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            raise GeneratorError("the generator process has ended") from None

    def _reply(self) -> Reply:
        process = self._process
        if process is None or process.stdout is None:
            raise GeneratorError("the generator is not running")
        # Replies come one at a time, each asked for: nothing is left in the reader's buffer here.
        if not select.select([process.stdout], [], [], _REPLY_TIMEOUT_S)[0]:
            raise GeneratorError(f"the generator was silent for {_REPLY_TIMEOUT_S} s")
        line = process.stdout.readline()
        if not line:
            raise GeneratorError("the generator process has ended")
        reply = msgspec.json.decode(line, type=Reply)
        if reply.error:
            raise GeneratorError(reply.error)
        return reply


class _Child:
    """The generator process: reads commands from standard input, also while it sends load."""

    def __init__(self) -> None:
        self._input = b""

    def run(self, connect_timeout_s: float) -> int:
        """Serve until standard input ends."""
        line = self._line(wait=True)
        if line is None:
            return 0
        try:
            pump = Pump(msgspec.json.decode(line, type=LoadPlan))
            pump.connect(connect_timeout_s)
        except (TimeoutError, ValueError) as error:
            self._answer(Reply(error=str(error)))
            return 1
        self._answer(Reply())
        while (line := self._line(wait=True)) is not None:
            self._serve(pump, msgspec.json.decode(line, type=Command))
        pump.close()
        return 0

    def _serve(self, pump: Pump, command: Command) -> None:
        match command.do:
            case "tally":
                self._answer(Reply(tally=pump.tally()))
            case "run" | "start":
                background = command.do == "start"
                phase = pump.run(
                    Kind(command.kind),
                    in_flight=command.in_flight,
                    duration_s=command.duration_s,
                    drain_s=command.drain_s,
                    rate_per_s=command.rate_per_s,
                    stopped=lambda: background and self._stop_asked(pump),
                )
                self._answer(Reply(phase=phase))
            case _:
                self._answer(Reply(error=f"{command.do} while nothing runs"))

    def _stop_asked(self, pump: Pump) -> bool:
        """Answer questions that came in while load runs; True when it is to end."""
        while (line := self._line(wait=False)) is not None:
            command = msgspec.json.decode(line, type=Command)
            if command.do == "stop":
                pump.drain_s = command.drain_s
                return True
            self._answer(Reply(answered=pump.answered))
        return False

    def _line(self, *, wait: bool) -> bytes | None:
        """The next command; None at the end of input, or when none is there and ``wait`` is false."""
        while b"\n" not in self._input:
            if not wait and not select.select([0], [], [], 0)[0]:
                return None
            data = os.read(0, _COMMAND_OCTETS_MAX)
            if not data:
                if wait:
                    return None
                raise SystemExit(0)  # the parent is gone: nobody will ask for the result
            self._input += data
        line, _, self._input = self._input.partition(b"\n")
        return line

    def _answer(self, reply: Reply) -> None:
        sys.stdout.buffer.write(msgspec.json.encode(reply) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(_Child().run(float(sys.argv[1])))
