"""Calls of the store's blocking clients out of trio: in a thread, with the store's faults as this side's errors."""

from collections.abc import Callable
from typing import Any

import redis
import trio


class ReaderUnavailableError(Exception):
    """The store does not answer; asking again later may help."""


async def read_in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call what only reads; a caller who gives up does not wait for the socket's timeout.

    Raises:
        ReaderUnavailableError: the store does not answer.
    """
    return await _in_thread(function, arguments, abandons=True)


async def write_in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call what changes something; cancellation waits until it has been done or has failed.

    Raises:
        ReaderUnavailableError: the store does not answer; what was to be written may have been.
    """
    return await _in_thread(function, arguments, abandons=False)


async def _in_thread(function: Callable[..., Any], arguments: tuple[Any, ...], *, abandons: bool) -> Any:
    try:
        return await trio.to_thread.run_sync(function, *arguments, abandon_on_cancel=abandons)
    except redis.RedisError as error:
        raise ReaderUnavailableError(str(error)) from error
