"""Our own processes under one roof: started, watched, started again, ended together.

A child inherits its listeners, and a pipe whose end tells it that the parent is gone: no worker outlives ``ocs up``
and holds its ports.
"""

import os
import signal
import stat
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import structlog
import trio

from ocs.metrics import Counter

log = structlog.get_logger()

_RESTARTS = Counter(
    "ocs_process_restarts_total", "Processes that ended unasked and were started again.", ("process",)
)

# No longer than this: gateways wait for a worker that is killed again and again, and a start costs more than a second.
_BACKOFF_S: Final = (0.1, 0.25, 0.5, 1.0)
_READY_TIMEOUT_S: Final = 60.0
_STOP_TIMEOUT_S: Final = 20.0
# A process that has run for so long is not failing at its start.
_STABLE_S: Final = 30.0
# How the line begins that a child says instead of being ready.
_FAILED: Final = "failed: "


class ChildFailedError(Exception):
    """A process did not come up; ``str()`` is one line that says why."""


class Child:
    """One process of ours, running ``ocs ARGUMENTS``.

    Args:
        name: for logs and metrics.
        arguments: of the ``ocs`` command.
        environment: complete; may be changed for the next start.
        inherited: file descriptors that it gets under the same numbers.
        given: what it reads from stdin, at every start the same.

    Attributes:
        ready_text: what it said when it was ready.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        inherited: Sequence[int] = (),
        given: bytes = b"",
    ) -> None:
        self.name = name
        self.environment = dict(environment)
        self.ready_text = ""
        self._command: tuple[str, ...] = (sys.executable, "-m", "ocs", *arguments)
        self._inherited = tuple(inherited)
        self._given = given
        self._process: trio.Process | None = None
        self._lifeline: int | None = None

    @property
    def pid(self) -> int | None:
        """Its process id; None before it was started."""
        return None if self._process is None else self._process.pid

    async def start(self) -> str:
        """Start it and return the line it says when it is ready.

        Cancelled, it may be on its way: :meth:`stop` ends it.

        Raises:
            ChildFailedError: it ended, or said nothing in time.
        """
        ready_read = await self._launch()
        line = ""
        async with trio.lowlevel.FdStream(ready_read) as ready:
            with trio.move_on_after(_READY_TIMEOUT_S) as patience:
                line = await _read_line(ready)
        if line and not line.startswith(_FAILED):
            self.ready_text = line
            return line
        status = await self._end()
        if line:
            raise ChildFailedError(line.removeprefix(_FAILED))
        how = (
            f"it said nothing for {_READY_TIMEOUT_S:g} s"
            if patience.cancelled_caught
            else f"it {_ended(status)}"
        )
        raise ChildFailedError(f"{self.name} did not start: {how}")

    async def _launch(self) -> int:
        """Start the process; returns where it says that it is ready."""
        life_read, life_write = os.pipe()
        ready_read, ready_write = os.pipe()
        pipes = ("--lifeline-fd", str(life_read), "--ready-fd", str(ready_write))
        try:
            # A file without a name: a pipe would hold but so much, and nothing is left behind.
            with tempfile.TemporaryFile() as given:
                given.write(self._given)
                given.seek(0)
                self._process = await trio.lowlevel.open_process(
                    [*self._command, *pipes],
                    stdin=given,
                    env=self.environment,
                    pass_fds=(life_read, ready_write, *self._inherited),
                    start_new_session=True,  # Ctrl-C reaches the parent alone, which ends the children in order
                )
        except BaseException:
            os.close(life_write)
            os.close(ready_read)
            raise
        finally:
            os.close(life_read)
            os.close(ready_write)
        self._cut_lifeline()
        self._lifeline = life_write
        return ready_read

    async def keep_running(self) -> None:
        """Start it again whenever it ends, until cancelled; :meth:`stop` it after that."""
        failures = 0
        began_s = trio.current_time()
        while self._process is not None:
            status = await self._process.wait()
            failures = 0 if trio.current_time() - began_s > _STABLE_S else failures + 1
            _RESTARTS.inc(self.name)
            log.error("process_ended", name=self.name, reason=_ended(status), remedy="it is started again")
            await trio.sleep(_BACKOFF_S[min(failures, len(_BACKOFF_S)) - 1] if failures else 0)
            began_s = trio.current_time()
            try:
                await self.start()
            except (ChildFailedError, OSError) as error:
                log.error("process_not_restarted", name=self.name, reason=str(error))  # noqa: TRY400

    async def stop(self) -> None:
        """Ask it to end, and see that it does."""
        await self._end()

    async def _end(self) -> int:
        """End it if it runs; returns its status."""
        process = self._process
        if process is None:
            return 0
        if process.poll() is None:
            process.terminate()
            with trio.move_on_after(_STOP_TIMEOUT_S):
                await process.wait()
            if process.poll() is None:
                log.error(
                    "process_killed", name=self.name, reason=f"it did not end within {_STOP_TIMEOUT_S:g} s"
                )
                process.kill()
        self._cut_lifeline()
        return await process.wait()

    def _cut_lifeline(self) -> None:
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None


async def _read_line(stream: trio.abc.ReceiveStream) -> str:
    data = b""
    while not data.endswith(b"\n"):
        chunk = await stream.receive_some(4096)
        if not chunk:
            return ""
        data += chunk
    return data.decode().strip()


async def stop_when_orphaned(lifeline_fd: int, request_stop: Callable[[], None]) -> None:
    """Call ``request_stop`` when the parent is gone: the other end of the pipe closes with it."""
    async with trio.lowlevel.FdStream(lifeline_fd) as stream:
        while await stream.receive_some(64):
            pass
    log.error("stopping", reason="the process that started this one is gone")
    request_stop()


def _ended(status: int) -> str:
    return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


def say_ready(ready_fd: int, text: str) -> None:
    """Tell the parent that this process serves."""
    os.write(ready_fd, f"{text}\n".encode())
    # Its number stays taken: whatever was opened under it later would be mistaken for the pipe.
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), ready_fd, inheritable=False)


def say_failed(ready_fd: int, reason: str) -> bool:
    """Tell the parent, which tells the user, why this process did not start.

    Returns:
        False when the parent has been told that it did: what fails later is said on our own stderr.
    """
    if not stat.S_ISFIFO(os.fstat(ready_fd).st_mode):
        return False
    os.write(ready_fd, f"{_FAILED}{reason}\n".encode())
    return True
