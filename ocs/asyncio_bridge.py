"""Libraries that speak asyncio, from trio: the one place where the two meet.

What goes wrong in callbacks of such a library - a datagram that it cannot read, a task that nobody awaits - ends in the
loop's exception handler: it is logged and counted, and never ends the process that the library works for.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar, cast

import trio_asyncio

from ocs.log import get_logger
from ocs.metrics import Counter

log = get_logger(__name__)

_ERRORS: Final = Counter(
    "ocs_asyncio_errors_total", "Errors in callbacks of asyncio libraries, which nobody awaited."
)

_T = TypeVar("_T")


@asynccontextmanager
async def asyncio_loop() -> AsyncGenerator[None]:
    """Let :func:`call_asyncio` be used within, by all tasks that are started there; leaving cancels what asyncio does.

    It is a nursery too: what is raised through it arrives in an exception group. Catch inside what is to be caught.
    """
    # trio-asyncio has no annotations of its own.
    opened = cast("Any", trio_asyncio).open_loop()
    async with opened as loop:
        loop.set_exception_handler(_note_error)
        yield


async def call_asyncio(function: Callable[..., Awaitable[_T]], *arguments: Any) -> _T:
    """Await an asyncio coroutine function inside :func:`asyncio_loop`.

    Cancellation cancels it in asyncio's way and waits until it has ended.

    Raises:
        Whatever the function raises.
    """
    return await cast("Any", trio_asyncio).aio_as_trio(function)(*arguments)


def _note_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    del loop
    _ERRORS.inc()
    error = context.get("exception")
    log.warning("asyncio_error", reason=context.get("message", ""), error=repr(error) if error else "")
