"""Names of the store's keys.

All keys of one partition carry its hash tag, so that an account, its subscribers, sessions, deadlines and
charge events lie in one Redis Cluster slot and commit together. Directory and locators lie elsewhere: hints.
"""

from functools import lru_cache
from typing import Final
from zlib import crc32

# Fields of the hash that describes the store itself.
META: Final = "meta"
# Our own uptime as the store sees it: {last, outage}, both milliseconds.
CLOCK: Final = "clock"
# Set of the versions of all published catalogues.
CATALOGUES: Final = "catalogues"


@lru_cache(maxsize=65_536)
def partition_of(account_id: str, partitions: int) -> int:
    """The partition of an account; fixed for ever once the store exists."""
    return crc32(account_id.encode()) % partitions


def account_key(partition: int, account_id: str) -> str:
    """Holds a :class:`~ocs.balance.model.Account`."""
    return f"{{{partition}}}a:{account_id}"


def subscriber_key(partition: int, subscriber_id: str) -> str:
    """Holds a :class:`~ocs.balance.model.Subscriber`."""
    return f"{{{partition}}}u:{subscriber_id}"


def session_key(partition: int, account_id: str, session_id: str) -> str:
    """Holds a :class:`~ocs.balance.model.Session`; one Session-Id used for two accounts makes two sessions."""
    return f"{{{partition}}}s:{account_id}:{session_id}"


def operation_key(partition: int, reference: str) -> str:
    """Holds the first answer to a top-up, creation or adjustment, for its repeats."""
    return f"{{{partition}}}o:{reference}"


def turn_key(partition: int, account_id: str) -> str:
    """Names the worker that has an account for itself for a moment, after it lost two races."""
    return f"{{{partition}}}t:{account_id}"


def barrier_key(partition: int) -> str:
    """Written only so that its connection has something that replicas can be waited for with."""
    return f"{{{partition}}}barrier"


def deadlines_key(partition: int) -> str:
    """Sorted set of open sessions by the time at which supervision looks at them."""
    return f"{{{partition}}}deadlines"


def events_key(partition: int) -> str:
    """Stream of charge events."""
    return f"{{{partition}}}events"


def checkpoints_key(partition: int) -> str:
    """Hash: what the trimmed charge events of each account came to (:mod:`ocs.balance.checkpoints`)."""
    return f"{{{partition}}}checkpoints"


def identity_key(identity: str) -> str:
    """Directory entry: identity -> account and subscriber (a hint)."""
    return f"d:{identity}"


def locator_key(session_id: str) -> str:
    """Session-Id -> account (a hint), for requests that name no subscription."""
    return f"l:{session_id}"


def catalogue_key(version: str) -> str:
    """A published catalogue, immutable."""
    return f"catalogue:{version}"


def deadline_member(account_id: str, session_id: str) -> str:
    """Member of the deadlines: tells account and session."""
    return f"{account_id}\n{session_id}"


def parse_deadline_member(member: str) -> tuple[str, str]:
    """Account id and session id of a member of the deadlines."""
    account_id, _, session_id = member.partition("\n")
    return account_id, session_id


def encode_location(account_id: str, subscriber_id: str) -> bytes:
    """The value of a directory or locator entry."""
    return f"{account_id}\n{subscriber_id}".encode()


def decode_location(data: bytes) -> tuple[str, str]:
    """Account id and subscriber id of a directory or locator entry."""
    account_id, _, subscriber_id = data.decode().partition("\n")
    return account_id, subscriber_id
