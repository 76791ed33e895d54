"""What an audit of a store can find, and what to do about each."""

from enum import StrEnum
from typing import Final

import msgspec


class FindingKind(StrEnum):
    """What is wrong; the values are what programs see."""

    # The books do not agree: somebody has, or will have, another amount than is due.
    RESERVATION = "reservation_differs"
    TOTALS = "totals_differ"
    EVENTS = "events_differ"
    BALANCE_AFTER = "balance_after_differs"
    SEQUENCE_GAP = "sequence_gap"
    SEQUENCE_REPEATED = "sequence_repeated"
    EVENT_ID_REPEATED = "event_id_repeated"
    EVENTS_WITHOUT_ACCOUNT = "events_without_account"
    SESSION_WITHOUT_ACCOUNT = "session_without_account"
    SESSION_EXPIRES = "open_session_expires"
    HOLDS_AFTER_CLOSE = "holds_after_close"
    DEADLINE_MISSING = "deadline_missing"
    DEADLINE_LATE = "deadline_late"
    DEADLINE_WITHOUT_SESSION = "deadline_without_session"
    CATALOGUE_MISSING = "catalogue_missing"
    WRONG_PARTITION = "wrong_partition"
    UNREADABLE = "unreadable"
    COUNTER = "counter_differs"
    POOL = "pool_differs"
    SET_ASIDE = "set_aside_differs"
    AGENDA_MISSING = "agenda_missing"
    TRANSFER_LOST = "transfer_lost"
    TRANSFER_TWICE = "transfer_twice"
    # Hints and leftovers: no money is wrong, but somebody may not be served, or memory is wasted.
    SUBSCRIBER_WITHOUT_ACCOUNT = "subscriber_without_account"
    IDENTITY_UNREACHABLE = "identity_unreachable"
    DIRECTORY_ASTRAY = "directory_astray"
    CLOSED_SESSION_STAYS = "closed_session_stays"
    OPEN_LIST = "open_list_differs"
    AGENDA_ASTRAY = "agenda_astray"
    TRANSFER_UNDER_WAY = "transfer_under_way"
    VOUCHER_CLAIMED = "voucher_claimed"


_COMPARE: Final = (
    "look at `ocs account show` and `ocs account events`, compare with the ledger and the last backup"
)

REMEDIES: Final = {
    FindingKind.RESERVATION: "have the account's sessions ended (at the gateways, or by supervision); what is still"
    " reserved then belongs to no session: " + _COMPARE,
    FindingKind.TOTALS: "somebody wrote to the account past the commit function: " + _COMPARE,
    FindingKind.EVENTS: "an event or a write of the account was lost or made by hand: " + _COMPARE,
    FindingKind.BALANCE_AFTER: "the last event was not written together with the account: " + _COMPARE,
    FindingKind.SEQUENCE_GAP: "events were removed by hand or lost: " + _COMPARE,
    FindingKind.SEQUENCE_REPEATED: "two histories were mixed (two primaries, a copied store): " + _COMPARE,
    FindingKind.EVENT_ID_REPEATED: "the business side books one of them only: " + _COMPARE,
    FindingKind.EVENTS_WITHOUT_ACCOUNT: "the account's key was removed: restore it from the last backup",
    FindingKind.SESSION_WITHOUT_ACCOUNT: "the account's key was removed: restore it from the last backup",
    FindingKind.SESSION_EXPIRES: "take its time to live away (PERSIST KEY) before its reservation leaks",
    FindingKind.HOLDS_AFTER_CLOSE: "nobody will release these holds: " + _COMPARE,
    FindingKind.DEADLINE_MISSING: "nobody would ever close this session: give it a deadline (ZADD, its key and"
    " `scheduled_ms`), and supervision closes it",
    FindingKind.DEADLINE_LATE: "supervision looks at the session too late: give it its own deadline (ZADD)",
    FindingKind.DEADLINE_WITHOUT_SESSION: "remove it (ZREM): supervision asks for a session that is not there",
    FindingKind.CATALOGUE_MISSING: "start `ocs up` once with that catalogue, which publishes it again; until then"
    " the grant cannot be priced",
    FindingKind.WRONG_PARTITION: "nobody finds it there: it was written with another number of partitions, or by hand",
    FindingKind.UNREADABLE: "it was written by another release, or by hand: restore it from the last backup",
    FindingKind.SUBSCRIBER_WITHOUT_ACCOUNT: "open the account, or remove the subscriber's key",
    FindingKind.IDENTITY_UNREACHABLE: "requests that name it alone find nobody: enter it again (`ocs account create`"
    " of the same account does)",
    FindingKind.DIRECTORY_ASTRAY: "harmless, requests check it: the identity was taken from its subscriber, or the"
    " opening of an account was not finished",
    FindingKind.CLOSED_SESSION_STAYS: "harmless, but its memory is never freed: give it a time to live (PEXPIRE)",
    FindingKind.COUNTER: "tiers, caps and limits of this subscriber are judged wrongly until the counter's next period"
    " begins: somebody wrote to it past the commit function",
    FindingKind.POOL: "have the session ended at its gateway; what it still held then comes back: "
    + _COMPARE,
    FindingKind.SET_ASIDE: "give the reservation back or take it (`release`, `deduction`), or " + _COMPARE,
    FindingKind.AGENDA_MISSING: "nobody would ever look at it: add the line to the partition's agenda (ZADD, its member"
    " and the time), and the sweep works it off",
    FindingKind.TRANSFER_LOST: "the sender paid and nobody has it: ask for the same transfer with the same reference"
    " again, which completes it",
    FindingKind.TRANSFER_TWICE: "the receiver has it and the sender has it back: take one away by an adjustment",
    FindingKind.AGENDA_ASTRAY: "harmless: the sweep finds nothing to do there and takes the line off",
    FindingKind.TRANSFER_UNDER_WAY: "the sweep completes it once it is half a minute old; see that a process sweeps",
    FindingKind.VOUCHER_CLAIMED: "the sweep completes it once it is half a minute old; see that a process sweeps",
    FindingKind.OPEN_LIST: "a top-up reaches such a session at its next report only: add it to the partition's open"
    " sessions (ZADD, score 0) or take it off (ZREM)",
}
WARNINGS: Final = frozenset(
    {
        FindingKind.SUBSCRIBER_WITHOUT_ACCOUNT,
        FindingKind.IDENTITY_UNREACHABLE,
        FindingKind.DIRECTORY_ASTRAY,
        FindingKind.CLOSED_SESSION_STAYS,
        FindingKind.OPEN_LIST,
        FindingKind.AGENDA_ASTRAY,
        FindingKind.TRANSFER_UNDER_WAY,
        FindingKind.VOUCHER_CLAIMED,
    }
)


class Finding(msgspec.Struct, frozen=True, order=True):
    """One thing that is not as it must be.

    Attributes:
        subject: whose: an account, a session, an identity, a key.
        detail: the figures.
    """

    kind: FindingKind
    subject: str
    detail: str

    @property
    def is_warning(self) -> bool:
        """Whether no money is wrong: a hint that leads astray, memory that is not freed."""
        return self.kind in WARNINGS

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return REMEDIES[self.kind]
