"""Follows the stream of alarm changes over a connection of its own, which may wait in the store for the next one."""

from typing import Any, Final, cast

import trio

from ocs import limits
from ocs.balance.redis_commands import slot_of
from ocs.balance.redis_stream import StoreServers, ask
from ocs.balance.topology import Topology
from ocs.faults.store import keys
from ocs.faults.store.batch import (
    Command,
    FollowedChange,
    Snapshot,
    StoreUnavailableError,
    decode_entries,
    decode_read,
    read_command,
)
from ocs.faults.store.loading import load_snapshot

_SLOT: Final = slot_of(keys.CHANGES)


class AlarmReader:
    """Loads the alarm list and follows its changes; for one task."""

    def __init__(self, servers: StoreServers) -> None:
        self._servers = servers
        self._topology: Topology | None = None
        self._stream: trio.abc.Stream | None = None

    async def load(self) -> Snapshot:
        """The list now; changes follow from its ``last_id`` on. Cancelled, nothing is left behind.

        Raises:
            StoreUnavailableError: no answer.
        """
        return await load_snapshot(self._ask, keys.CHANGES)

    async def read(self, after_id: str) -> list[FollowedChange] | None:
        """The next changes behind an entry; waits for some, for a second at most.

        Returns:
            None when some are gone that the reader has not seen: it must load again.

        Raises:
            StoreUnavailableError: no answer.
        """
        reply = await self._ask(read_command(keys.CHANGES, after_id, limits.ALARM_CHANGES_PER_READ))
        found = decode_read(reply, after_id)
        if found is None or found:
            return found
        # Nothing was trimmed up to here, and who waits is served before anything else can be.
        waited: Any = await self._ask(
            (
                "XREAD", "COUNT", limits.ALARM_CHANGES_PER_READ, "BLOCK", limits.ALARM_FOLLOW_WAIT_MS,
                "STREAMS", keys.CHANGES, after_id,
            )
        )  # fmt: skip
        return [] if waited is None else decode_entries(cast("list[Any]", waited)[0][1])

    async def aclose(self) -> None:
        """Close the connection; it is made again when it is needed."""
        stream, self._stream = self._stream, None
        if stream is not None:
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(stream)

    async def _ask(self, command: Command, *, is_commit: bool = False) -> Any:
        del is_commit  # who only reads waits for no barrier
        try:
            with trio.fail_after(limits.STORE_TIMEOUT_S):
                if self._stream is None:
                    self._stream = await self._connect()
                (reply,) = await ask(self._stream, (command,))
        except (OSError, trio.TooSlowError) as error:
            self._topology = None
            await self.aclose()
            raise StoreUnavailableError(
                str(error) or f"no answer within {limits.STORE_TIMEOUT_S} s"
            ) from error
        except BaseException:
            await self.aclose()  # a reply may be under way that nobody would read
            raise
        return reply

    async def _connect(self) -> trio.abc.Stream:
        if self._topology is None:
            self._topology = await self._servers.find_topology(None)
        owner = self._topology.owner_of(_SLOT)
        if owner is None:
            raise ConnectionError("no server of the store holds the alarm list now")
        return await self._servers.connect(owner.endpoint)
