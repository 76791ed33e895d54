"""Which node has the alarm list, as those see it who follow the list and do not own it."""

from collections.abc import Awaitable, Callable
from typing import Any

import redis
import trio

from ocs.balance.store_client import StoreClient
from ocs.faults.store import keys
from ocs.faults.store.owner_identity import node_of
from ocs.limits import ALARM_HOLDER_INTERVAL_S
from ocs.log import get_logger

log = get_logger(__name__)


async def follow_while_held(client: StoreClient, node: str, follow: Callable[[], Awaitable[None]]) -> None:
    """Follow the list for as long as a node has it, begin again when it has it again; for ever.

    A store that does not answer changes nothing: who held the list holds it. Where a database is each node's own, the
    history so lies where the list is.

    Args:
        follow: never returns. It is cancelled when another node has taken the list; both follow it for a moment.
    """
    while True:
        await _wait_until(client, node, is_held=True)
        log.info("alarm_list_followed")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(follow)
            await _wait_until(client, node, is_held=False)
            nursery.cancel_scope.cancel()


async def _wait_until(client: StoreClient, node: str, *, is_held: bool) -> None:
    while True:
        try:
            holder = await trio.to_thread.run_sync(_holder, client)
        except redis.RedisError as error:
            log.debug("alarm_list_holder_unknown", reason=str(error))  # told by those who follow
        else:
            if (holder == node) is is_held:
                return
        await trio.sleep(ALARM_HOLDER_INTERVAL_S)


def _holder(client: Any) -> str:
    """The node that took the list last, also when its lease is over; empty: no node ever did."""
    identity: bytes | None = client.hget(keys.OWNER, "node")
    return node_of((identity or b"").decode(errors="replace"))
