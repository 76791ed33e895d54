"""What comes due by date is done once, and what fails holds up nothing else."""

from typing import Any

import pytest
import redis

from ocs.balance.client import BalanceClient, Change, StoreBusyError
from ocs.balance.keys import account_key, agenda_key
from ocs.balance.lifecycle import DAY_MS, LifecycleRules, first_used
from ocs.balance.model import LifecycleState
from ocs.clock import ManualClock
from ocs.events import EventKind
from ocs.subscribers import sweep
from ocs.subscribers.agenda import AgendaKind, account_due_ms, account_member, parse_line, transfer_member
from ocs.subscribers.office import AccountChange
from ocs.subscribers.operations import AccountRules, NewAccount
from ocs.subscribers.service import SubscriberService
from ocs.subscribers.sweep import Sweeper
from ocs.units import Money
from tests.subscribers.books import agenda, audited
from tests.subscribers.conftest import NOW_MS
from tests.support.catalogue import lab_catalogue

S = LifecycleState
LIVES = AccountRules(LifecycleRules(True, 30, 90, 60, 100))


@pytest.fixture
def living(client: BalanceClient, clock: ManualClock) -> SubscriberService:
    """A service whose accounts live by dates."""
    return SubscriberService(client, lab_catalogue(), clock, rules=LIVES)


def open_account(service: SubscriberService, account_id: str = "a", *offers: str) -> None:
    new = NewAccount(account_id, account_id, (f"sip:{account_id}@x",), offers or ("basic",), Money(0, "EUR"))
    service.open_account(new)


def test_account_for_ever_is_on_no_agenda(service: SubscriberService, client: BalanceClient):
    open_account(service)
    assert agenda(client) == {}


def test_expired_allowance_is_taken_out_at_its_time(
    service: SubscriberService, client: BalanceClient, clock: ManualClock
):
    open_account(service, "a", "packs")
    assert agenda(client) == {account_member("a"): NOW_MS + DAY_MS}
    clock.advance_ms(DAY_MS - 1)
    assert Sweeper(service.office).sweep() == 0
    clock.advance_ms(1)
    assert [Sweeper(service.office).sweep() for _ in range(2)] == [1, 0]
    account = audited(client, "a")
    assert {bucket.bucket_id for bucket in account.buckets} == {"main", "packs.texts"}
    assert [event.kind for event in client.events("a")] == [EventKind.OPENING, EventKind.EXPIRY]
    assert agenda(client) == {}


def test_expired_bucket_that_a_session_holds_is_looked_at_again_and_not_at_once(
    service: SubscriberService, client: BalanceClient, clock: ManualClock
):
    open_account(service, "a", "packs")
    account = client.account("a")
    assert account is not None
    now_ms = NOW_MS + 2 * DAY_MS
    assert account_due_ms(account, LifecycleRules(), now_ms) == now_ms + 3_600_000


def test_account_lives_and_ends_by_its_dates(
    living: SubscriberService, client: BalanceClient, clock: ManualClock
):
    told: list[tuple[str, AccountChange]] = []
    living.office.on_change = lambda account_id, change: told.append((account_id, change))
    open_account(living)
    assert audited(client, "a").state is S.CREATED
    living.top_up("a", Money(1, "EUR"), reference="t")
    assert audited(client, "a").state is S.ACTIVE
    states: list[tuple[int, LifecycleState]] = []
    for day in range(1, 300):
        clock.advance_ms(DAY_MS)
        Sweeper(living.office).sweep()
        state = audited(client, "a").state
        if not states or states[-1][1] is not state:
            states.append((day, state))
    assert states == [(1, S.ACTIVE), (90, S.ONE_WAY_BARRED), (150, S.EXPIRED), (250, S.RECYCLED)]
    subjects = [event.notice.subject for event in client.events("a") if event.notice]
    assert subjects == ["active", "one_way_barred", "expired", "recycled"]
    subscriber = client.subscriber("a", "a")
    assert subscriber is not None and subscriber.identities == ()
    assert ("a", AccountChange.STATE) in told
    assert agenda(client) == {}


def test_created_account_that_charging_has_begun_is_still_found_at_its_date(
    living: SubscriberService, client: BalanceClient, clock: ManualClock
):
    """Charging makes a created account active and knows no agenda."""
    open_account(living)
    clock.advance_ms(10 * DAY_MS)
    began = clock.now_ms()
    account = client.account("a")
    assert account is not None
    key = account_key(client.partition_of("a"), "a")
    used = first_used(account, began, LIVES.lifecycle)
    client.change("a", (key,), lambda _: Change({key: used}))
    for _ in range(30):
        assert audited(client, "a").state is S.ACTIVE
        clock.advance_ms(DAY_MS)
        Sweeper(living.office).sweep()
    assert clock.now_ms() == began + 30 * DAY_MS
    assert audited(client, "a").state is S.ONE_WAY_BARRED


def test_recycling_that_a_crash_cut_off_is_completed(
    living: SubscriberService, client: BalanceClient, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
):
    open_account(living)
    living.top_up("a", Money(1, "EUR"), reference="t")
    clock.advance_ms(1_000 * DAY_MS)

    def die(*_: object) -> None:
        raise StoreBusyError

    monkeypatch.setattr(sweep.Administration, "give_numbers_back", die)
    with pytest.raises(StoreBusyError):
        Sweeper(living.office).sweep()
    monkeypatch.undo()
    assert agenda(client)
    Sweeper(living.office).sweep()
    subscriber = client.subscriber("a", "a")
    assert subscriber is not None and subscriber.identities == ()
    assert agenda(client) == {}


def put_line(client: BalanceClient, line: str, account_id: str = "a") -> None:
    connection: Any = client.connection
    connection.zadd(agenda_key(client.partition_of(account_id)), {line: 1})


def test_line_that_leads_nowhere_goes(service: SubscriberService, client: BalanceClient):
    put_line(client, account_member("gone"), "gone")
    put_line(client, "u\ngone\ngone", "gone")
    put_line(client, transfer_member("gone", "r"), "gone")
    assert Sweeper(service.office).sweep() == 3
    assert agenda(client) == {}


def test_line_that_cannot_be_worked_off_holds_up_no_other(
    service: SubscriberService, client: BalanceClient, clock: ManualClock
):
    open_account(service, "a", "packs")
    put_line(client, "x\nof another release", "a")
    clock.advance_ms(DAY_MS)
    before = sum(sample.value for sample in sweep._FAULTS.family().samples)
    Sweeper(service.office).sweep()
    assert sum(sample.value for sample in sweep._FAULTS.family().samples) == before + 1
    assert agenda(client) == {"x\nof another release": clock.now_ms() + 600_000}
    assert len(audited(client, "a").buckets) == 2


def test_one_look_takes_a_bounded_number_of_lines(
    service: SubscriberService, client: BalanceClient, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sweep, "AGENDA_LINES_PER_LOOK", 2)
    partition = client.partition_of("a")
    names = [name for name in map(str, range(1_000)) if client.partition_of(name) == partition][:5]
    for name in names:
        put_line(client, account_member(name))
    sweeper = Sweeper(service.office)
    assert [sweeper.sweep_partition(partition) for _ in range(4)] == [2, 2, 1, 0]


def test_store_that_does_not_answer_ends_the_look(
    service: SubscriberService, client: BalanceClient, monkeypatch: pytest.MonkeyPatch
):
    put_line(client, account_member("a"))

    def broken(*_: object) -> None:
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(client, "load", broken)
    with pytest.raises((redis.ConnectionError, StoreBusyError)):
        Sweeper(service.office).sweep()
    assert agenda(client)


def test_lines_are_read_as_they_are_written():
    line = parse_line(transfer_member("a", "r:1"))
    assert (line.kind, line.names) == (AgendaKind.TRANSFER, ("a", "r:1"))
    with pytest.raises(ValueError, match="x"):
        parse_line("x\na")
