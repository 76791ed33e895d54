"""asyncio's libraries work under trio, and what goes wrong in their callbacks harms nobody."""

import asyncio

import pytest
import trio

from ocs.asyncio_bridge import asyncio_loop, call_asyncio
from ocs.metrics import REGISTRY


def errors() -> float:
    (family,) = [one for one in REGISTRY.snapshot().families if one.name == "ocs_asyncio_errors_total"]
    return sum(sample.value for sample in family.samples)


async def test_coroutine_of_asyncio_answers() -> None:
    async def twice(number: int) -> int:
        await asyncio.sleep(0)
        return 2 * number

    async with asyncio_loop():
        assert await call_asyncio(twice, 21) == 42


async def test_error_of_a_coroutine_is_raised() -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise LookupError("nothing there")

    async with asyncio_loop():
        with pytest.raises(LookupError, match="nothing there"):
            await call_asyncio(fail)


async def test_error_in_a_callback_is_counted_and_ends_nothing() -> None:
    def fail() -> None:
        raise ValueError("junk")

    async def provoke() -> None:
        asyncio.get_running_loop().call_soon(fail)
        await asyncio.sleep(0.001)

    before = errors()
    async with asyncio_loop():
        await call_asyncio(provoke)
        await call_asyncio(asyncio.sleep, 0)
    assert errors() == before + 1


async def test_cancelled_coroutine_has_ended() -> None:
    ended: list[bool] = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async with asyncio_loop():
        with trio.move_on_after(0.01) as scope:
            await call_asyncio(wait)
        assert scope.cancelled_caught
    assert ended == [True]
