"""Loads the alarm list page by page: a hundred thousand alarms in seconds, and the store never stops for long."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol, TypeVar, cast

import msgspec
import structlog
import trio

from ocs import limits
from ocs.faults.book.tombstones import decode_tombstone
from ocs.faults.store import keys
from ocs.faults.store.batch import Command, Engine, Snapshot, decode_alarm, decode_record

log = structlog.get_logger()

_T = TypeVar("_T")

_NO_ENGINE: Final = Engine(b"", 0)


class Ask(Protocol):
    """Sends one command to the list's server and waits for its reply."""

    def __call__(self, command: Command, *, is_commit: bool = False) -> Awaitable[Any]:
        """Raises StoreUnavailableError when there is none."""
        ...


async def load_snapshot(ask: Ask, followed: str, engine: Engine = _NO_ENGINE) -> Snapshot:
    """Read the whole list while others write to it.

    What changes meanwhile comes again with the stream that is followed from ``last_id`` on: each of its entries holds
    whole values, so a value that was read newer than the entry is put right by the entries behind it.

    Args:
        followed: the stream that the reader will follow.

    Raises:
        StoreUnavailableError: no answer.
    """
    # First of all, so that nothing falls between.
    newest = cast("list[Any]", await ask(("XREVRANGE", followed, "+", "-", "COUNT", 1)))
    last_id = newest[0][0].decode() if newest else await _last_given(ask, followed)
    alarms = await load_hash(ask, keys.LIST, decode_alarm)
    operators = await load_hash(ask, keys.OPERATORS, decode_record)
    sources = await load_hash(ask, keys.SOURCES, bytes)
    tombstones = await load_hash(ask, keys.TOMBSTONES, decode_tombstone)
    windows = await load_hash(ask, keys.WINDOWS, bytes)
    return Snapshot(
        list(alarms.values()),
        list(operators.values()),
        {name.decode(errors="replace"): value for name, value in sources.items()},
        list(tombstones.values()),
        {name.decode(errors="replace"): value for name, value in windows.items()},
        last_id,
        engine,
    )


async def _last_given(ask: Ask, stream: str) -> str:
    """The last id of a stream that has no entries."""
    _, _, last_given, _ = cast("list[Any]", await ask(("FCALL", "ocs_alarms_read", 1, stream, "0-0", 1)))
    return last_given.decode()


async def load_hash(ask: Ask, key: str, decode: Callable[[bytes], _T]) -> dict[bytes, _T]:
    """Read a hash page by page; what cannot be read is told and left out.

    Raises:
        StoreUnavailableError: no answer.
    """
    found: dict[bytes, _T] = {}
    cursor = b"0"
    unreadable = 0
    while True:
        reply = await ask(("HSCAN", key, cursor, "COUNT", limits.ALARMS_PER_PAGE))
        cursor, fields = cast("list[Any]", reply)
        for name, value in zip(fields[::2], fields[1::2], strict=True):
            try:
                found[name] = decode(value)
            except msgspec.MsgspecError as error:
                unreadable += 1
                if unreadable == 1:
                    field = name.decode(errors="replace")
                    log.warning("alarm_unreadable", key=key, field=field, reason=str(error))
        if cursor == b"0":
            return found
        await trio.lowlevel.checkpoint()
