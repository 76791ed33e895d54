"""What was seen from outside of any store, by which every line of commits is judged."""

from collections import Counter

from ocs.balance.store import Commit
from ocs.messages import ChargingRequest
from tests.support.books import Key, check
from tests.support.counters import Counters


class Evidence:
    """What all histories of one world share, because it was seen from outside of any store.

    Attributes:
        sent: every request, as the gateway meant it.
        event_ids: what an event is about -> its id: decided again elsewhere, it must be called the same.
        commits: token -> content; a token stands for one content only.
        told_events: of operations that somebody was told are done. told_redeemed: vouchers, with whose they are.
        counters: what a request's access server had counted by then. told_counters: what access servers were
            told is charged, by session.
        paid: event id of a notice that asks for a top-up -> reference, account and amount of its payment.
        gone: sessions of which their gateways have said that they have none: closed before their time.
    """

    def __init__(self) -> None:
        self.sent: dict[Key, ChargingRequest] = {}
        self.counters: dict[Key, Counters] = {}
        self.told_counters: dict[str, Counters] = {}
        self.event_ids: dict[tuple[object, ...], str] = {}
        self.commits: dict[bytes, Commit] = {}
        self.counts: Counter[str] = Counter()
        self.paid: dict[str, tuple[str, str, int]] = {}
        self.gone: set[str] = set()
        self.told_events: set[str] = set()
        self.told_redeemed: dict[str, str] = {}

    def redeemed(self, serial: str, account_id: str) -> None:
        """Somebody was told that a voucher is on his account."""
        known = self.told_redeemed.setdefault(serial, account_id)
        check(known == account_id, "a voucher was given to two:", serial, known, account_id)
