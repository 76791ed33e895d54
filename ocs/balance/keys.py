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
# List of which of them is in force from when on, in the order in which that was said.
CATALOGUE_SCHEDULE: Final = "catalogue_schedule"
# Hashes of the bearer tokens of HTTP and of the listeners for events, by their ids.
TOKENS: Final = "tokens"
HUBS: Final = "hubs"


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


def home_key(partition: int) -> str:
    """Says whose store a partition belongs to; it is gone when the partition's server has lost what it held."""
    return f"{{{partition}}}home"


def deadlines_key(partition: int) -> str:
    """Sorted set of open sessions by the time at which supervision looks at them."""
    return f"{{{partition}}}deadlines"


def open_sessions_key(partition: int) -> str:
    """Sorted set, all scores 0, of the members of the deadlines: an account's open sessions stand together in it."""
    return f"{{{partition}}}open"


def agenda_key(partition: int) -> str:
    """Sorted set of what must be looked at outside of sessions, by when (:mod:`ocs.subscribers.agenda`)."""
    return f"{{{partition}}}agenda"


def members_key(partition: int) -> str:
    """Sorted set, all scores 0, of accounts with their subscribers, so that those of one account can be listed."""
    return f"{{{partition}}}members"


def voucher_key(partition: int, serial: str) -> str:
    """Holds a voucher, or what a batch of them was made as; its partition is that of its name."""
    return f"{{{partition}}}v:{serial}"


def voucher_code_key(digest: str) -> str:
    """Digest of a voucher's code -> its serial number (a hint: the voucher knows its digest)."""
    return f"v:{digest}"


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


def deadline_members_of(account_id: str) -> tuple[str, str]:
    """First and last of what the members of an account's sessions can be, as ZRANGEBYLEX wants them."""
    return f"[{account_id}\n", f"({account_id}\x0b"


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


def record_key(partition: int, record_id: str) -> str:
    """Holds what was asked for over HTTP and what became of it (:mod:`ocs.api.tmf.records`)."""
    return f"{{{partition}}}r:{record_id}"


def record_index_key(partition: int, kind: str, account_id: str = "") -> str:
    """Sorted set of records of one kind by time, of all accounts of a partition or of one."""
    return f"{{{partition}}}records:{kind}:{account_id}" if account_id else f"{{{partition}}}records:{kind}"


def pending_records_key(partition: int) -> str:
    """Sorted set, by time, of records of which it is not known whether they were carried out."""
    return f"{{{partition}}}records"


def payment_key(partition: int, account_id: str, reference: str) -> str:
    """Holds a payment that a holder's order to top up asks for (:mod:`ocs.api.payments`)."""
    return f"{{{partition}}}p:{account_id}:{reference}"


def hub_queue_key(hub_id: str) -> str:
    """List of events that wait for a listener."""
    return f"hub:{hub_id}:queue"


def hub_lease_key(hub_id: str) -> str:
    """Names the process that posts to a listener for the moment."""
    return f"hub:{hub_id}:lease"
