"""What every simulated element has: a name, a port, a host key, faults, and a life that can end and begin again."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, TypeVar

import asyncssh

from simulators.element.faults import Faults
from simulators.element.memory import Memory
from simulators.element.ssh import Listener, Login, new_host_key, public_line

_T = TypeVar("_T")
_CALL_S: Final = 30.0


class NetworkElement(ABC):
    """An element that lives in the event loop of a :class:`~simulators.element.park.Park`.

    Public methods and attributes may be used from any thread; they wait until the loop has done them.

    Attributes:
        name: of the element. faults: what goes wrong with it.
    """

    def __init__(
        self,
        name: str,
        loop: asyncio.AbstractEventLoop,
        memory: Memory,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        login: Login | None = None,
        host_key: str = "",
    ) -> None:
        self.name = name
        self.faults = Faults()
        self.memory = memory
        self._loop = loop
        key = memory.load().get("host_key") or host_key or new_host_key()
        memory.save(host_key=key)
        self.listener = Listener(host, port, key, login or Login(), self.faults, self._new_session)
        self._coming_back: asyncio.Task[None] | None = None
        self._was_down = False
        self._waking = asyncio.Lock()

    @abstractmethod
    def _new_session(self, connection: asyncssh.SSHServerConnection) -> asyncssh.SSHServerSession[Any]:
        """A session for a new channel."""

    @abstractmethod
    def _wake(self) -> None:
        """Know again what the memory holds, as after power has come back."""

    # --- facts ---------------------------------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """Where it listens."""
        return self.listener.host

    @property
    def port(self) -> int:
        """On which port; the same after a restart."""
        return self.listener.port

    @property
    def host_key(self) -> str:
        """Its public host key as ``ssh-ed25519 AAAA...``."""
        return public_line(self.listener.host_key)

    @property
    def is_up(self) -> bool:
        """Whether it takes connections."""
        return self.listener.is_open

    @property
    def connections(self) -> int:
        """How many SSH connections are open."""
        return self.call(lambda: len(self.listener.connections))

    # --- life ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take connections; after :meth:`stop`, with what the memory holds."""
        self.wait(self.come_up)

    def stop(self) -> None:
        """Break every connection and take no more, as when power fails."""
        self.call(self.go_down)

    def restart(self) -> None:
        """Power off and on."""
        self.stop()
        self.start()

    def drop_connections(self) -> None:
        """Break every connection."""
        self.call(self.listener.abort)

    def change_host_key(self) -> None:
        """Have another host key from the next connection on, as after a swap of the box or with a man in between."""
        key = new_host_key()
        self.listener.host_key = key
        self.memory.save(host_key=key)
        self.restart()

    async def come_up(self) -> None:
        """As :meth:`start`, in the loop."""
        # It may be started while it comes back by itself.
        async with self._waking:
            if not self.listener.is_open:
                if self._was_down:
                    self._wake()
                await self.listener.open()

    def go_down(self) -> None:
        """As :meth:`stop`, in the loop."""
        self._was_down = True
        self.listener.stop()

    def die(self, seconds: float) -> None:
        """Go down, in the loop, and come back after a while; below 0 s: not before :meth:`start`."""
        self.go_down()
        if seconds >= 0:
            self._coming_back = self._loop.create_task(self._come_back(seconds))

    async def _come_back(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.come_up()

    async def end(self) -> None:
        """Go down for good, in the loop."""
        if self._coming_back is not None:
            self._coming_back.cancel()
        await self.listener.close()

    # --- from other threads --------------------------------------------------------------------------------------

    def call(self, function: Callable[[], _T]) -> _T:
        """Run a function in the loop, from any thread."""

        async def run() -> _T:  # run_coroutine_threadsafe takes coroutines only
            return function()

        return self.wait(run)

    def wait(self, function: Callable[[], Any]) -> Any:
        """Run a coroutine function in the loop, from any other thread."""
        future: Future[Any] = asyncio.run_coroutine_threadsafe(function(), self._loop)
        return future.result(_CALL_S)
