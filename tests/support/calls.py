"""Ask a store as charging does, one call at a time; and set up the real ones that it runs on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import trio

import ocs.balance
from ocs.balance.keys import account_key
from ocs.balance.redis_store import RedisStore
from ocs.balance.redis_stream import StoreServers
from ocs.balance.store import ABSENT, BalanceStore, Commit, CommitResult, Stored, TokenSource, Write
from ocs.balance.store_address import plain_address
from ocs.balance.store_admin import connect, set_up_store

PARTITIONS: Final = 64
LIBRARY: Final = (Path(ocs.balance.__file__).parent / "commit.lua").read_text(encoding="utf-8")

_tokens: Final = TokenSource()


def set_up(url: str) -> None:
    """Make an empty store ours; blocks."""
    client = connect(url)
    set_up_store(client, partitions=PARTITIONS, now_s=1, library=LIBRARY)
    client.close()


def open_store(url: str, **more: Any) -> RedisStore:
    """A store as a worker has it; to be run."""
    return RedisStore(StoreServers(plain_address(url)), partitions=PARTITIONS, **more)


async def ask(call: Callable[..., None], *arguments: Any, step: Callable[[], Any] = lambda: None) -> Any:
    """Make a call and wait for what its callback is told, once; ``step`` moves a store that has no task."""
    told: list[Any] = []
    event = trio.Event()

    def done(result: Any) -> None:
        told.append(result)
        event.set()

    call(*arguments, done)
    step()
    with trio.fail_after(20):
        await event.wait()
    assert len(told) == 1
    return told[0]


def write_of(partition: int, content: bytes, expected: bytes = ABSENT, name: str = "a") -> Commit:
    """A commit that writes one account."""
    return Commit(
        partition, (account_key(partition, name),), (expected,), _tokens.next(), (Write(0, content),)
    )


def look_of(partition: int, expected: bytes, name: str = "a") -> Commit:
    """A commit that writes nothing, as a repeat or a refusal does."""
    return Commit(partition, (account_key(partition, name),), (expected,), _tokens.next())


async def commit(store: BalanceStore, what: Commit) -> CommitResult:
    return await ask(store.commit, what)


async def load(store: BalanceStore, partition: int, name: str = "a") -> Stored:
    """An account as it stands."""
    (stored,) = await ask(store.load, (account_key(partition, name),))
    return stored


async def until(condition: Callable[[], Any]) -> None:
    """Wait, without blocking trio, until it is true."""
    with trio.fail_after(30):
        while not condition():
            await trio.sleep(0.005)
