"""A commit as the octets that go to the store: what hiredis makes of its command, in a third of the time.

Commits of one make-up differ in keys, tokens and contents alone. Their form is made once, out of the command of a
commit that has holes there; each of them is then the form with its holes filled.
"""

from functools import lru_cache
from typing import Final

from ocs import limits
from ocs.balance.redis_commands import commit_command
from ocs.balance.redis_stream import pack_command
from ocs.balance.store import NONCE_OCTETS, TOKEN_OCTETS, Commit, Write

# What no key, token or content can be taken for while a form is made.
_HOLE: Final = "hole"
_OCTETS_HOLE: Final = b"hole"
_TOKEN_HOLE: Final = bytes(range(TOKEN_OCTETS))
# Larger groups are rarer, of any make-up, and share the cost of packing anyway.
_VALUES_MAX: Final = 8


def pack_commit(commit: Commit) -> bytes:
    """Pack the command of a commit, as :func:`~ocs.balance.redis_commands.commit_command` says it."""
    keys, writes, events, token = commit.keys, commit.writes, commit.events, commit.token
    if (
        commit.deadlines
        or commit.agenda
        or commit.not_before_ms is not None
        or not commit.turn_key
        or len(keys) > _VALUES_MAX
        or len(events) > _VALUES_MAX
    ):
        return pack_command(tuple(commit_command(commit)))
    # In the order of the command, each behind its length.
    filling: list[int | bytes] = []
    for key in keys:
        octets = key.encode()
        filling += (len(octets), octets)
    octets = commit.turn_key.encode()
    filling += (len(octets), octets, NONCE_OCTETS, token[:NONCE_OCTETS])
    for expected in commit.expected:
        filling += (len(expected), expected)
    written: list[tuple[int, int]] = []
    for write in writes:
        content = write.content
        filling += (len(token) + len(content), token, content)
        written.append((write.index, write.ttl_ms))
    for event in events:
        filling += (len(event), event)
    form = _form(commit.partition, len(keys), tuple(written), len(events), commit.claims_turn)
    return form % tuple(filling)


@lru_cache(limits.COMMIT_FORMS_MAX)
def _form(
    partition: int,
    keys: int,
    written: tuple[tuple[int, int], ...],
    events: int,
    claims_turn: bool,  # noqa: FBT001 - a part of the key
) -> bytes:
    """The octets of a commit, to be filled by ``%``.

    Args:
        written: index and time to live of each write.
    """
    blank = Commit(
        partition,
        (_HOLE,) * keys,
        (_OCTETS_HOLE,) * keys,
        _TOKEN_HOLE,
        tuple([Write(index, _OCTETS_HOLE, ttl_ms) for index, ttl_ms in written]),
        (_OCTETS_HOLE,) * events,
        turn_key=_HOLE,
        claims_turn=claims_turn,
    )
    command = commit_command(blank)
    return b"*%d\r\n" % len(command) + b"".join([_argument(argument) for argument in command])


def _argument(argument: str | bytes | int) -> bytes:
    if argument in {_HOLE, _OCTETS_HOLE, _TOKEN_HOLE[:NONCE_OCTETS]}:
        return b"$%d\r\n%b\r\n"
    if argument == _TOKEN_HOLE + _OCTETS_HOLE:
        return b"$%d\r\n%b%b\r\n"
    octets = argument if isinstance(argument, bytes) else str(argument).encode()
    return b"$%d\r\n%b\r\n" % (len(octets), octets)
