"""An operator's command for the fake charging system: a micro-unit for a hundred octets, ten for a second."""

from typing import Any

from ocs.events import EventKind
from ocs.units import UnitType, parse_micro
from simulators.demo_cast import CAST
from simulators.operator import AccountView, ChargedEvent


class FakeOperator:
    """Keeps money for accounts whose use the fake charging system takes in.

    Attributes:
        topped_up: account and amount of each top-up.
    """

    def __init__(self, ocs: Any) -> None:
        self.ocs = ocs
        self.opened: dict[str, str] = {}
        self.topped_up: list[tuple[str, str]] = []

    def create_account(self, account: str, *, offer: str, msisdn: str, imsi: str, balance: str) -> None:
        assert offer and imsi
        self.opened[account] = balance
        if balance == "0.40":
            self.ocs.left[msisdn] = 20_000_000

    def top_up(self, account: str, amount: str, *, reference: str) -> None:
        assert reference
        self.topped_up.append((account, amount))
        msisdn = next(one.subscriber.msisdn for one in CAST if one.account == account)
        with self.ocs.lock:
            self.ocs.left[msisdn] = self.ocs.left.get(msisdn, 0) + 500_000_000

    def account(self, account: str) -> AccountView:
        return AccountView(money_micro=sum(event.amount_micro for event in self.events(account)), reserved=0)

    def events(self, account: str) -> list[ChargedEvent]:
        msisdn = next(one.subscriber.msisdn for one in CAST if one.account == account)
        moves = [(EventKind.OPENING, parse_micro(self.opened[account]), 0, "", 0)]
        moves += [(EventKind.TOP_UP, parse_micro(paid), 0, "", 0) for who, paid in self.topped_up if who == account]
        with self.ocs.lock:
            moves += [
                (EventKind.DEBIT, -units // 100, units, session_id, group)
                for who, session_id, group, units in self.ocs.charged
                if who == msisdn
            ]
        balance, events = 0, list[ChargedEvent]()
        for sequence, (kind, amount, units, session_id, group) in enumerate(moves, 1):
            balance += amount
            unit_type = UnitType.TOTAL_OCTETS
            events.append(ChargedEvent(kind, amount, units, unit_type, session_id, group, sequence, balance))
        return events
