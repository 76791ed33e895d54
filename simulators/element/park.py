"""Many elements in one process: an asyncio loop in a thread of its own.

A thread, and not trio-asyncio beside the code under test: the elements must go on while a test's clock stands still,
while a client without async code (ncclient) blocks, and while the process under test is killed.
"""

import asyncio
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from simulators.element.cli_element import CliElement
from simulators.element.memory import Memory
from simulators.element.model import Model, load_model
from simulators.element.netconf_element import NetconfElement
from simulators.element.network_element import NetworkElement

_END_S: Final = 30.0


class Park:
    """Elements by name; a context manager that starts the loop and ends everything.

    Args:
        folder: where each element remembers what it is, as NAME.json; without one it forgets with the process.
        model: of the NETCONF elements; they share it, except who is given another.

    Attributes:
        elements: by name. errors: what went wrong in the simulator itself; leaving the context raises the first.
    """

    def __init__(self, folder: Path | None = None, model: Model | None = None) -> None:
        self.elements: dict[str, NetworkElement] = {}
        self.errors: list[BaseException] = []
        self._folder = folder
        self._model = model
        # By its class: once trio-asyncio is imported, asyncio's own maker of loops makes those of trio.
        self._loop: asyncio.AbstractEventLoop = asyncio.SelectorEventLoop()
        self._loop.set_exception_handler(self._note_error)
        self._thread = threading.Thread(target=self._loop.run_forever, name="elements", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(_END_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_END_S)
        self._loop.close()
        if self.errors and error is None:
            raise self.errors[0]

    def netconf(self, name: str, **options: Any) -> NetconfElement:
        """A NETCONF element that listens; options as of :class:`NetconfElement`."""
        return self._started(self.new_netconf(name, **options))

    def cli(self, name: str, **options: Any) -> CliElement:
        """A CLI box that listens; options as of :class:`CliElement`."""
        return self._started(self.new_cli(name, **options))

    def new_netconf(self, name: str, **options: Any) -> NetconfElement:
        """A NETCONF element that does not listen yet."""
        model = options.pop("model", None) or self._model
        if model is None:
            model = self._model = load_model()
        return self._known(NetconfElement(name, self._loop, self._memory(name), model, **options))

    def new_cli(self, name: str, **options: Any) -> CliElement:
        """A CLI box that does not listen yet."""
        return self._known(CliElement(name, self._loop, self._memory(name), **options))

    def start(self, elements: Iterable[NetworkElement]) -> None:
        """Have many elements listen at once."""

        async def all_up() -> None:
            await asyncio.gather(*(element.come_up() for element in elements))

        asyncio.run_coroutine_threadsafe(all_up(), self._loop).result(_END_S)

    def _memory(self, name: str) -> Memory:
        return Memory(self._folder / f"{name}.json" if self._folder else None)

    def _known(self, element: Any) -> Any:
        self.elements[element.name] = element
        return element

    def _started(self, element: Any) -> Any:
        element.start()
        return element

    async def _end(self) -> None:
        await asyncio.gather(*(element.end() for element in self.elements.values()))
        current = asyncio.current_task()
        rest = [task for task in asyncio.all_tasks() if task is not current]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def _note_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        del loop
        self.errors.append(context.get("exception") or RuntimeError(str(context.get("message"))))
