"""Marks each partition as the store's own, so that a server which has lost what it held is recognised by itself.

A cluster's description lies on one server: another one may come back empty while that one says that all is well. Each
partition therefore has a mark beside its accounts, written once, when the store is set up.

Blocking, by redis-py.
"""

from typing import Any, Final

import structlog

from ocs.balance.keys import META, home_key
from ocs.balance.store_client import Command, StoreClient

log = structlog.get_logger()

# Field of the store's description: every partition was marked, so a mark that is missing was lost.
_MARKED: Final = "marked"


def mark_partitions(client: StoreClient, *, partitions: int, created_s: int) -> tuple[int, ...]:
    """Mark what was never marked; a mark that was lost is not made again.

    Args:
        created_s: of the store's description: what the marks say.

    Returns:
        The partitions whose mark was lost, or is another store's. Removing the field ``marked`` of the description
        accepts the loss: they are marked anew next time.

    Raises:
        redis.RedisError: a server gave no answer.
    """
    connection: Any = client
    mark = str(created_s).encode()
    asked: list[Command] = [("GET", home_key(partition)) for partition in range(partitions)]
    found: list[bytes | None] = client.ask(asked)
    missing = [partition for partition, value in enumerate(found) if value is None]
    others = {partition for partition, value in enumerate(found) if value not in {None, mark}}
    if missing and connection.hget(META, _MARKED) is not None:
        return _told(client, sorted({*missing, *others}))
    client.ask([("SET", home_key(partition), mark, "NX") for partition in missing])
    connection.hsetnx(META, _MARKED, 1)
    return _told(client, sorted(others))


def _told(client: StoreClient, lost: list[int]) -> tuple[int, ...]:
    # Everybody else's accounts can be served: no reason not to start.
    if lost:
        log.error(
            "store_partitions_lost",
            partitions=len(lost),
            reason=f"{client.address}: the server of partitions {lost[:10]} has lost what it held",
            remedy="restore that server from its newest backup; its accounts get 3004 until then",
        )
    return tuple(lost)
