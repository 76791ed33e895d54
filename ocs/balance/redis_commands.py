"""What the store is told and what it says, as Python values: a commit as one command, replies decoded; pure."""

from binascii import crc_hqx
from typing import Final

from ocs import limits
from ocs.balance.keys import agenda_key, deadlines_key, events_key, open_sessions_key, turn_key
from ocs.balance.redis_connection import Reply
from ocs.balance.store import (
    COMMITTED,
    NONCE_OCTETS,
    NOT_YOUR_TURN,
    NOTHING,
    TOKEN_OCTETS,
    TOO_EARLY,
    Commit,
    CommitResult,
    Conflict,
    Heartbeat,
    Stored,
    Unavailable,
)

SLOTS: Final = 16_384


def commit_command(commit: Commit) -> list[str | bytes | int]:
    """A commit as one FCALL (see commit.lua for the order of its arguments)."""
    arguments: list[str | bytes | int] = [
        "FCALL",
        "ocs_commit",
        len(commit.keys) + 5,
        events_key(commit.partition),
        deadlines_key(commit.partition),
        open_sessions_key(commit.partition),
        agenda_key(commit.partition),
        *commit.keys,
        commit.turn_key or turn_key(commit.partition, ""),
        len(commit.writes),
        len(commit.events),
        len(commit.deadlines),
        "" if commit.not_before_ms is None else commit.not_before_ms,
        commit.token[:NONCE_OCTETS],
        limits.TURN_MS if commit.claims_turn else "",
        *commit.expected,
    ]
    for write in commit.writes:
        arguments += (write.index + 1, commit.token + write.content, write.ttl_ms)
    arguments += commit.events
    for change in commit.deadlines + commit.agenda:
        arguments += (change.member, "" if change.score_ms is None else change.score_ms)
    return arguments


def decode_stored(value: bytes | None) -> Stored:
    """Split a value into its token and content."""
    return NOTHING if value is None else Stored(value[:TOKEN_OCTETS], value[TOKEN_OCTETS:])


def decode_commit_reply(reply: Reply) -> CommitResult:
    """What the commit function said."""
    if reply == 1:
        return COMMITTED
    if reply == 2:  # commit.lua's own codes
        return TOO_EARLY
    if reply == 3:
        return NOT_YOUR_TURN
    if reply == 4:
        return Unavailable("the partition is empty that should not be: its server has lost what it held")
    if isinstance(reply, list):
        return Conflict(tuple(decode_stored(value) for value in reply))
    return _unavailable(reply)


def decode_values(reply: Reply) -> tuple[Stored, ...] | Unavailable:
    """Values with their tokens."""
    if isinstance(reply, list):
        return tuple(decode_stored(value) for value in reply)
    return _unavailable(reply)


def decode_hint(reply: Reply) -> bytes | Unavailable | None:
    """A directory or locator entry; None when there is none."""
    return reply if reply is None or isinstance(reply, bytes) else _unavailable(reply)


def decode_members(reply: Reply) -> tuple[str, ...] | Unavailable:
    """Members of the deadlines."""
    return tuple(member.decode() for member in reply) if isinstance(reply, list) else _unavailable(reply)


def decode_heartbeat(reply: Reply) -> Heartbeat | Unavailable:
    """The store's time and our outages."""
    return Heartbeat(int(reply[0]), int(reply[1])) if isinstance(reply, list) else _unavailable(reply)


def says_nothing_is_there(reply: Reply) -> bool:
    """Whether nothing that was read exists."""
    return reply is None or (
        isinstance(reply, list) and bool(reply) and all(value is None for value in reply)
    )


def _unavailable(reply: Reply) -> Unavailable:
    return reply if isinstance(reply, Unavailable) else Unavailable(f"store answered {reply!r}")


def slot_of(key: str) -> int:
    """The slot of a key in a cluster: CRC16 of its hash tag, or of all of it."""
    begin = key.find("{")
    if begin >= 0:
        end = key.find("}", begin + 1)
        if end > begin + 1:
            key = key[begin + 1 : end]
    return crc_hqx(key.encode(), 0) % SLOTS
