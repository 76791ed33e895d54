"""An account against its sessions and events, as values: what agrees says nothing, what differs is named."""

import msgspec
import pytest

from ocs.balance.books import (
    ABSENT_KEY,
    NO_TIME_TO_LIVE,
    KeptSession,
    Tail,
    account_findings,
    session_findings,
)
from ocs.balance.checkpoints import NOTHING_TRIMMED, Checkpoint
from ocs.balance.findings import FindingKind
from ocs.balance.model import Account, Session, Total
from ocs.events import EventKind
from ocs.units import UnitType
from tests.support.ledger import Ledger, money
from tests.support.requests import ASK_US, SESSION, initial, mscc, octets, termination, update

VERSION = Ledger(money(1)).tariffs.current.version
PUBLISHED = frozenset({VERSION})
OPENED = Checkpoint(0, (Total(UnitType.MONEY, 10_000_000),))


@pytest.fixture
def ledger() -> Ledger:
    """An account with one open session that was used."""
    ledger = Ledger(money(10_000_000))
    ledger.ask(initial(mscc(1, requested=ASK_US)))
    ledger.ask(update(1, mscc(1, requested=ASK_US, used=octets(500))))
    return ledger


def kept(
    ledger: Ledger, *, ttl_ms: int = NO_TIME_TO_LIVE, scheduled_ms: int | None = 0, is_listed: bool = True
) -> KeptSession:
    return KeptSession("a", SESSION, ledger.sessions[SESSION], ttl_ms, scheduled_ms, "", is_listed)


def tail_of(ledger: Ledger, checkpoint: Checkpoint = OPENED, *, skip: int = 0) -> Tail:
    tail = Tail(checkpoint)
    for event in ledger.events[skip:]:
        tail.add(event)
    return tail


def kinds(ledger: Ledger, account: Account | None = None, *sessions: KeptSession, tail: Tail | None = None):
    found = account_findings(account or ledger.account, sessions or (kept(ledger),), tail or tail_of(ledger))
    return [finding.kind for finding in found]


def with_bucket(account: Account, **changes: int) -> Account:
    return msgspec.structs.replace(account, buckets=(msgspec.structs.replace(account.buckets[0], **changes),))


def test_account_that_was_only_charged_agrees(ledger: Ledger) -> None:
    assert kinds(ledger) == []


def test_checkpoint_stands_for_the_events_before_it(ledger: Ledger) -> None:
    ledger.ask(update(2, mscc(1, requested=ASK_US, used=octets(100))))
    books = OPENED
    for event in ledger.events[:1]:
        books = books.after(event)
    assert kinds(ledger, tail=tail_of(ledger, books, skip=1)) == []


def test_reservation_without_a_hold_is_found(ledger: Ledger) -> None:
    reserved = ledger.account.buckets[0].reserved
    assert kinds(ledger, with_bucket(ledger.account, reserved=reserved + 1)) == [FindingKind.RESERVATION]


def test_hold_of_a_bucket_that_is_gone_is_found(ledger: Ledger) -> None:
    account = msgspec.structs.replace(ledger.account, buckets=())
    assert FindingKind.RESERVATION in kinds(ledger, account)


def test_holds_of_all_open_sessions_count(ledger: Ledger) -> None:
    assert kinds(ledger, None, kept(ledger), kept(ledger)) == [FindingKind.RESERVATION]


def test_money_without_a_total_is_found(ledger: Ledger) -> None:
    value = ledger.account.buckets[0].value
    found = kinds(ledger, with_bucket(ledger.account, value=value + 1))
    assert found == [FindingKind.BALANCE_AFTER, FindingKind.BALANCE_AFTER, FindingKind.TOTALS]


def test_totals_that_the_events_do_not_tell_are_found(ledger: Ledger) -> None:
    account = ledger.account
    total = msgspec.structs.replace(
        account.totals[0], credited=account.totals[0].credited + 1, expired=account.totals[0].expired + 1
    )
    assert kinds(ledger, msgspec.structs.replace(account, totals=(total,))) == [FindingKind.EVENTS]


def test_missing_last_event_is_a_gap(ledger: Ledger) -> None:
    assert kinds(ledger, tail=Tail(OPENED)) == [FindingKind.SEQUENCE_GAP]


def test_event_that_the_account_does_not_count_is_found(ledger: Ledger) -> None:
    account = msgspec.structs.replace(ledger.account, sequence=0)
    assert kinds(ledger, account) == [FindingKind.EVENTS]


def test_missing_event_in_between_is_a_gap_and_a_balance_that_jumps(ledger: Ledger) -> None:
    ledger.ask(update(2, mscc(1, requested=ASK_US, used=octets(100))))
    ledger.ask(update(3, mscc(1, requested=ASK_US, used=octets(100))))
    tail = Tail(OPENED)
    for event in (ledger.events[0], ledger.events[2]):
        tail.add(event)
    assert [finding.kind for finding in tail.findings] == [
        FindingKind.SEQUENCE_GAP,
        FindingKind.BALANCE_AFTER,
    ]
    assert tail.findings[0].detail == "event 2 is missing"


def test_events_twice_are_repeated(ledger: Ledger) -> None:
    tail = tail_of(ledger)
    tail.add(ledger.events[-1])
    assert FindingKind.SEQUENCE_REPEATED in [finding.kind for finding in tail.findings]


def test_expiry_taken_for_a_debit_is_found(ledger: Ledger) -> None:
    tail = Tail(OPENED)
    tail.add(msgspec.structs.replace(ledger.events[0], kind=EventKind.EXPIRY))
    assert kinds(ledger, tail=tail) == [FindingKind.EVENTS]


# --- Sessions -------------------------------------------------------------------------------------------------


def session_kinds(session: KeptSession, catalogues: frozenset[str] = PUBLISHED) -> list[FindingKind]:
    return [finding.kind for finding in session_findings(session, catalogues)]


def test_open_session_with_its_deadline_and_without_a_time_to_live_is_right(ledger: Ledger) -> None:
    assert session_kinds(kept(ledger)) == []


def test_closed_session_that_will_be_forgotten_is_right(ledger: Ledger) -> None:
    ledger.ask(termination(2, mscc(1, used=octets(10))))
    assert session_kinds(kept(ledger, ttl_ms=1000, scheduled_ms=None, is_listed=False)) == []


def test_open_session_off_the_deadlines_is_found(ledger: Ledger) -> None:
    assert session_kinds(kept(ledger, scheduled_ms=None)) == [FindingKind.DEADLINE_MISSING]


def test_open_session_off_the_list_of_open_ones_is_found(ledger: Ledger) -> None:
    assert session_kinds(kept(ledger, is_listed=False)) == [FindingKind.OPEN_LIST]


def test_session_on_the_list_of_open_ones_that_is_none_is_found() -> None:
    gone = KeptSession("a", "s", None, ABSENT_KEY, None, "", is_listed=True)
    assert session_kinds(gone) == [FindingKind.OPEN_LIST]


def test_open_session_that_is_looked_at_too_late_is_found(ledger: Ledger) -> None:
    late = ledger.sessions[SESSION].scheduled_ms + 1
    assert session_kinds(kept(ledger, scheduled_ms=late)) == [FindingKind.DEADLINE_LATE]


def test_open_session_with_a_time_to_live_is_found(ledger: Ledger) -> None:
    assert session_kinds(kept(ledger, ttl_ms=1000)) == [FindingKind.SESSION_EXPIRES]


def test_grant_under_a_catalogue_that_is_not_published_is_found(ledger: Ledger) -> None:
    assert session_kinds(kept(ledger), frozenset()) == [FindingKind.CATALOGUE_MISSING]


def test_deadline_of_a_session_that_is_not_there_is_found() -> None:
    gone = KeptSession("a", "s", None, ABSENT_KEY, 1)
    assert session_kinds(gone) == [FindingKind.DEADLINE_WITHOUT_SESSION]


def test_session_that_was_forgotten_in_time_is_right() -> None:
    assert session_kinds(KeptSession("a", "s", None, ABSENT_KEY, None)) == []


def test_closed_session_that_is_kept_for_ever_or_still_holds_is_found(ledger: Ledger) -> None:
    holding: Session = ledger.sessions[SESSION]
    ledger.ask(termination(2, mscc(1, used=octets(10))))
    closed = msgspec.structs.replace(ledger.sessions[SESSION], services=holding.services)
    found = session_kinds(KeptSession("a", SESSION, closed, NO_TIME_TO_LIVE, 5))
    assert found == [
        FindingKind.DEADLINE_WITHOUT_SESSION, FindingKind.CLOSED_SESSION_STAYS, FindingKind.HOLDS_AFTER_CLOSE,
    ]  # fmt: skip


def test_unreadable_session_is_found() -> None:
    broken = KeptSession("a", "s", None, NO_TIME_TO_LIVE, 5, "expected array")
    assert session_kinds(broken) == [FindingKind.UNREADABLE]


def test_account_without_events_agrees_with_nothing_trimmed() -> None:
    account = msgspec.structs.replace(Ledger().account)
    assert account_findings(account, (), Tail(NOTHING_TRIMMED)) == []
