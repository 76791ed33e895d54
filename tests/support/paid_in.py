"""Payments that were taken, audited: each is on its account, or lies there when the account does not take it; once."""

from collections import Counter

from msgspec import msgpack

from ocs.api.payments import Payment, PaymentState
from ocs.balance.model import Account, LifecycleState
from ocs.balance.store import Commit
from ocs.events import ChargeEvent, EventKind
from tests.support.books import check

_PARKED = "set-aside.payment:"
_decode = msgpack.Decoder(Payment).decode


class PaidIn:
    """The payments of one line of commits."""

    def __init__(self, tally: Counter[str]) -> None:
        self._tally = tally
        self._paid: dict[tuple[str, str], int] = {}
        self._came: set[tuple[str, str]] = set()

    def committed(
        self, commit: Commit, agenda: dict[str, int], accounts: list[Account], events: list[ChargeEvent]
    ) -> None:
        """A commit was carried out; what is paid by it is on the agenda until it has come."""
        for write in commit.writes:
            key = commit.keys[write.index]
            if key[key.index("}") + 1] != "p":
                continue
            payment = _decode(write.content)
            if payment.state is PaymentState.PAID:
                place = payment.account_id, payment.reference
                check(place not in self._paid, "paid twice:", payment)
                self._paid[place] = payment.amount.micro
                check(_line(*place, payment.amount.micro) in agenda, "paid, and nobody credits it:", payment)
        states = {account.account_id: account.state for account in accounts}
        for event in events:
            if event.kind is EventKind.TOP_UP:
                self._check_top_up(event, states[event.account_id])

    def _check_top_up(self, event: ChargeEvent, state: LifecycleState) -> None:
        """An account that is closed takes no money; what was paid for it lies there and pays for nothing."""
        reference = event.event_id.removeprefix(f"topup:{event.account_id}:")
        parked = [m for m in event.movements if m.bucket_id.startswith(_PARKED)]
        is_closed = state is LifecycleState.CLOSED
        check(bool(parked) == is_closed, "on an account that is", state.name, event)
        if parked:
            check(len(event.movements) == 1 and event.reason.startswith("parked"), "parked:", event)
            check(parked[0].bucket_id == f"{_PARKED}{reference}", "parked under another name:", event)
            self._tally["payments parked"] += 1
        place = event.account_id, reference
        if place in self._paid:
            check(place not in self._came, "a payment came twice:", event)
            moved = {m.bucket_id: m.amount for m in event.movements}
            came = moved.get("main", 0) if not parked else parked[0].amount
            check(came == self._paid[place], "paid", self._paid[place], "came", event)
            self._came.add(place)

    def check_line_gone(self, account_id: str, reference: str) -> None:
        """What is taken off the agenda has come."""
        place = account_id, reference
        check(place not in self._paid or place in self._came, "taken for credited:", place)

    def close(self) -> None:
        """At the end everything that was paid has come."""
        check(self._paid.keys() <= self._came, "paid and lost:", self._paid.keys() - self._came)
        self._tally["payments of settled orders"] += len(self._paid)


def _line(account_id: str, reference: str, micro: int) -> str:
    return f"p\n{account_id}\n{reference}\n{micro}\nEUR"
