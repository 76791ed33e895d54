"""The demo's audit finds what does not add up."""

import msgspec
import pytest

from ocs.events import EventKind
from ocs.messages import CCRequestType, Service
from ocs.units import UnitType
from simulators.demo_audit import Statement, audit
from simulators.demo_cast import CAST
from simulators.gateway.model import CreditAnswer, CreditRequest, ServiceReport, Units
from simulators.gateway.tally import Tally
from simulators.operator import AccountView, ChargedEvent

ANNA = CAST[0]  # opens with 3.00


def event(kind: EventKind, sequence: int, amount: int, units: int = 0) -> ChargedEvent:
    return ChargedEvent(kind, amount, units, UnitType.TOTAL_OCTETS, "g;1", 1, sequence, 0)


EVENTS = [
    event(EventKind.OPENING, 1, 3_000_000),
    event(EventKind.DEBIT, 2, -500_000, 70),
    event(EventKind.TOP_UP, 3, 1_000_000),
    event(EventKind.REFUND, 4, 90_000),
    event(EventKind.DEBIT, 5, -100_000, 30),
]
ACCOUNT = AccountView(money_micro=3_490_000, reserved=0)


def tally(octets: int) -> Tally:
    books = Tally()
    report = ServiceReport(1, used=Units(total_octets=octets))
    request = CreditRequest(ANNA.subscriber, "g;1", CCRequestType.UPDATE, 1, Service.DATA, (report,))
    books.record(request, CreditAnswer("g;1", 2001, 2, 1))
    return books


def audited(
    events: list[ChargedEvent] = EVENTS,
    account: AccountView = ACCOUNT,
    octets: int = 100,
    paid: int = 1_000_000,
) -> Statement:
    return audit(ANNA, events, account, tally(octets), topped_up_micro=paid)


def test_books_that_agree_have_no_problems() -> None:
    statement = audited()
    assert statement.problems == ()
    assert statement.charges_micro == 600_000
    assert statement.balance_micro == 3_490_000


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        (audited(account=AccountView(3_490_001, 0)), "the balance is 3490001"),
        (audited(account=AccountView(3_490_000, 5)), "5 still reserved"),
        (audited(paid=0), "top-ups of 1000000"),
        (audited(octets=101), "101 units reported, 100 charged"),
        (audited(events=[msgspec.structs.replace(one, sequence=one.sequence + 1) for one in EVENTS]), "gap"),
    ],
)
def test_difference_of_one_is_found(statement: Statement, problem: str) -> None:
    assert any(problem in found for found in statement.problems)


def test_opening_that_was_not_paid_in_is_found() -> None:
    events = [event(EventKind.OPENING, 1, 2_999_999), *EVENTS[1:]]
    assert any("opened with 2999999" in found for found in audited(events=events).problems)
