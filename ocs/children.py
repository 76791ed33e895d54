"""Our own processes under one roof: started, watched, started again, ended together.

A child inherits its listeners, and a pipe whose end tells it that the parent is gone: no worker outlives ``ocs up``
and holds its ports.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog
import trio

from ocs.metrics import Counter

log = structlog.get_logger()

_RESTARTS = Counter("ocs_process_restarts_total", "Processes that ended unasked and were started again.", ("process",))

_BACKOFF_S: Final = (0.1, 0.5, 1.0, 2.0, 5.0)
_READY_TIMEOUT_S: Final = 60.0
_STOP_TIMEOUT_S: Final = 20.0
# A process that has run for so long is not failing at its start.
_STABLE_S: Final = 30.0


class ChildFailedError(Exception):
    """A process did not come up; it has said why on stderr."""


class Child:
    """One process of ours, running ``ocs ARGUMENTS``.

    Args:
        name: for logs and metrics. inherited: file descriptors that it gets under the same numbers.
    """

    def __init__(
        self, name: str, arguments: Sequence[str], environment: Mapping[str, str], inherited: Sequence[int] = ()
    ) -> None:
        self.name = name
        self._arguments = tuple(arguments)
        self._environment = dict(environment)
        self._inherited = tuple(inherited)
        self._process: trio.Process | None = None
        self._lifeline: int | None = None
        self._is_stopping = False
        self.ready_text = ""

    async def start(self) -> str:
        """Start it and return the line it says when it is ready.

        Raises:
            ChildFailedError: it ended, or said nothing in time.
        """
        life_read, life_write = os.pipe()
        ready_read, ready_write = os.pipe()
        try:
            self._process = await trio.lowlevel.open_process(
                [
                    sys.executable, "-m", "ocs", *self._arguments,
                    "--lifeline-fd", str(life_read), "--ready-fd", str(ready_write),
                ],
                stdin=subprocess.DEVNULL,
                env=self._environment,
                pass_fds=(life_read, ready_write, *self._inherited),
                start_new_session=True,  # Ctrl-C reaches the parent alone, which ends the children in order
            )  # fmt: skip
        finally:
            os.close(life_read)
            os.close(ready_write)
        self._lifeline = life_write
        async with trio.lowlevel.FdStream(ready_read) as ready:
            with trio.move_on_after(_READY_TIMEOUT_S):
                line = await _read_line(ready)
                if line:
                    self.ready_text = line
                    return line
        await self.stop()
        raise ChildFailedError(f"{self.name} did not start")

    async def keep_running(self) -> None:
        """Start it again whenever it ends, until :meth:`stop`."""
        failures = 0
        while not self._is_stopping:
            assert self._process is not None  # noqa: S101 - it was started before it is watched
            began = trio.current_time()
            status = await self._process.wait()
            if self._is_stopping:
                return
            failures = 0 if trio.current_time() - began > _STABLE_S else failures + 1
            _RESTARTS.inc(self.name)
            log.error("process_ended", process=self.name, status=status, remedy="it is started again")
            self._cut_lifeline()
            await trio.sleep(_BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)])
            try:
                await self.start()
            except ChildFailedError as error:
                log.error("process_not_restarted", process=self.name, reason=str(error))  # noqa: TRY400

    async def stop(self) -> None:
        """Ask it to end, and see that it does."""
        self._is_stopping = True
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            with trio.move_on_after(_STOP_TIMEOUT_S):
                await process.wait()
            if process.poll() is None:
                log.error("process_killed", process=self.name, reason=f"it did not end within {_STOP_TIMEOUT_S} s")
                process.kill()
                await process.wait()
        self._cut_lifeline()

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


def say_ready(ready_fd: int, text: str) -> None:
    """Tell the parent that this process serves."""
    os.write(ready_fd, f"{text}\n".encode())
    os.close(ready_fd)
