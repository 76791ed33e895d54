"""Whether the store's user may do what charging and administration need, found out without doing it."""

from typing import Any, Final

from ocs.balance.keys import CATALOGUE_SCHEDULE, CATALOGUES, CLOCK, HUBS, META, TOKENS
from ocs.balance.store_admin import StoreRefusedError
from ocs.balance.store_client import StoreClient

# Each on a key of the kind that it is used on; all are needed by a worker, `ocs up` or a command.
NEEDED: Final = (
    # The functions.
    "MGET {0}a:x",
    "MSET {0}a:x x",
    "SET {0}o:x x PX 1",
    "DEL {0}t:x",
    "EXISTS {0}home",
    "XADD {0}events * e x",
    "XTRIM {0}events MINID = 0",
    "ZADD {0}deadlines 0 x",
    "ZREM {0}deadlines x",
    f"HSET {CLOCK} last 0",
    f"HMGET {CLOCK} last",
    "HGET {0}checkpoints x",
    "TIME",
    # Charging.
    "GET d:x",
    "SET l:x x PX 1",
    "ZRANGE {0}deadlines -inf 0 BYSCORE",
    "SET {0}barrier x",
    "WAIT 0 0",
    "ROLE",
    "INFO replication",
    "CONFIG GET appendonly",
    "FUNCTION LIST",
    # Administration.
    f"HGETALL {META}",
    f"HSETNX {META} x x",
    f"SADD {CATALOGUES} x",
    f"SMEMBERS {CATALOGUES}",
    f"LRANGE {CATALOGUE_SCHEDULE} 0 -1",
    f"RPUSH {CATALOGUE_SCHEDULE} x",
    "SET catalogue:x x NX",
    "XRANGE {0}events - +",
    "XINFO GROUPS {0}events",
    "XPENDING {0}events x",
    "XGROUP CREATE {0}events x 0",
    "HMGET {0}checkpoints x",
    "MEMORY USAGE {0}events",
    "SCAN 0",
    "DBSIZE",
    f"HGET {TOKENS} x",
    f"HSET {HUBS} x x",
    "RPUSH hub:x:queue x",
    # Alarms.
    "HMGET {alarms}owner x",
    "HSCAN {alarms}list 0",
    "HSET {alarms}list x x",
    "HDEL {alarms}list x",
    "HINCRBY {alarms}engine x 1",
    "XINFO STREAM {alarms}changes",
    "XREVRANGE {alarms}desk + -",
    "XREAD STREAMS {alarms}changes 0",
    "XREADGROUP GROUP x x STREAMS {alarms}changes >",
    "XACK {alarms}changes x 0",
    "PUBLISH ocs:x x",
    "SUBSCRIBE ocs:x",
)


def refuse_denied(client: StoreClient) -> None:
    """Refuse a store of which one primary would refuse something that is needed; the functions are loaded.

    Raises:
        StoreRefusedError: names what this user may not send.
        redis.RedisError: no answer, or it refuses even to be asked (``FCALL``).
    """
    for server in client.primaries():
        connection: Any = server
        denied: list[bytes] = connection.fcall("ocs_rights", 0, *NEEDED)
        if denied:
            told = "; ".join(line.decode() for line in denied)
            raise StoreRefusedError(
                f"{client.address}: this user may not send {told}: give it the rights that the runbook lists"
            )
