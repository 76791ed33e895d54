"""Accounts and subscribers barred, closed and changed in a real store; the rules are those of ocs.subscribers.states."""

import pytest

from ocs.balance.client import BalanceClient
from ocs.balance.model import AutoTopUp, LifecycleState, MemberLimit
from ocs.balance.verify import verify_store
from ocs.events import NoticeKind
from ocs.messages import Profile
from ocs.subscribers.administration import Administration, SubscriberChanges
from ocs.subscribers.office import AccountChange
from ocs.subscribers.operations import NewAccount, NewSubscriber, OperationError
from ocs.subscribers.service import SubscriberService
from ocs.subscribers.states import BY_HAND
from ocs.units import Money, UnitType
from tests.subscribers.books import audited

S = LifecycleState


@pytest.fixture
def told(service: SubscriberService) -> list[tuple[str, AccountChange]]:
    changes: list[tuple[str, AccountChange]] = []
    service.office.on_change = lambda account_id, change: changes.append((account_id, change))
    return changes


@pytest.fixture
def administration(service: SubscriberService) -> Administration:
    service.open_account(NewAccount("a", "a", ("e164:491",), ("basic",), Money(5_000_000, "EUR")))
    service.add_subscriber(NewSubscriber("a", "a-2", ("e164:492",), ("basic",)))
    return Administration(service.office)


def test_account_is_barred_and_let_in_again_once_per_reference(
    administration: Administration, client: BalanceClient, told: list[tuple[str, AccountChange]]
):
    for _ in range(2):
        administration.set_account_state("a", S.SUSPENDED, reference="r1")
    assert audited(client, "a").state is S.SUSPENDED
    administration.set_account_state("a", S.ACTIVE, reference="r2")
    account = audited(client, "a")
    assert account.state is S.ACTIVE
    notices = [event.notice for event in client.events("a") if event.notice]
    assert [(n.kind, n.subject) for n in notices] == [
        (NoticeKind.ACCOUNT_STATE, "suspended"),
        (NoticeKind.ACCOUNT_STATE, "active"),
    ]
    assert told == [("a", AccountChange.BARRED), ("a", AccountChange.STATE)]


@pytest.mark.parametrize("state", [state for state in S if state not in BY_HAND])
def test_state_that_comes_by_dates_is_not_set_by_hand(administration: Administration, state: LifecycleState):
    with pytest.raises(OperationError, match="by its dates"):
        administration.set_account_state("a", state, reference="r")


def test_closed_account_is_closed_for_good_and_its_numbers_are_free(
    administration: Administration, service: SubscriberService, client: BalanceClient
):
    administration.set_account_state("a", S.CLOSED, reference="r1")
    with pytest.raises(OperationError, match="closed, for good"):
        administration.set_account_state("a", S.ACTIVE, reference="r2")
    with pytest.raises(OperationError, match="is closed"):
        service.top_up("a", Money(1, "EUR"), reference="t")
    for name in ("a", "a-2"):
        subscriber = client.subscriber("a", name)
        assert subscriber is not None
        assert (subscriber.state, subscriber.identities, subscriber.offers) == (S.CLOSED, (), ())
    service.open_account(NewAccount("b", "b", ("e164:491", "e164:492"), ("basic",), Money(0, "EUR")))
    assert client.locate("e164:492") == ("b", "b")
    audited(client, "a")


def test_closing_is_told_once_and_leaves_nothing_for_the_audit_to_find(
    administration: Administration, client: BalanceClient
):
    before = len(list(client.events("a")))
    administration.set_subscriber_state("a", "a-2", S.SUSPENDED, reference="closed:a-2")  # an operator's own
    administration.set_account_state("a", S.CLOSED, reference="r1")
    told = [event.notice.subject for event in list(client.events("a"))[before:] if event.notice]
    assert told == ["suspended", "closed"]
    account = client.account("a")
    assert account is not None and account.sequence == before + 2
    assert verify_store(client.connection, partitions=client.partitions).findings == []


def test_closing_that_a_crash_cut_off_is_completed_by_its_repeat(
    administration: Administration, client: BalanceClient, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Administration, "give_numbers_back", lambda *_: None)
    administration.set_account_state("a", S.CLOSED, reference="r1")
    monkeypatch.undo()
    assert administration.set_account_state("a", S.CLOSED, reference="r1").repeated
    subscriber = client.subscriber("a", "a-2")
    assert subscriber is not None and subscriber.identities == ()


def test_one_subscriber_is_barred_and_the_others_are_not(
    administration: Administration, client: BalanceClient, told: list[tuple[str, AccountChange]]
):
    administration.set_subscriber_state("a", "a-2", S.ONE_WAY_BARRED, reference="r")
    barred, other = client.subscriber("a", "a-2"), client.subscriber("a", "a")
    assert barred is not None and other is not None
    assert (barred.state, other.state, audited(client, "a").state) == (S.ONE_WAY_BARRED, S.ACTIVE, S.ACTIVE)
    assert told == [("a", AccountChange.STATE)]
    with pytest.raises(OperationError, match="no subscriber 'a-9'"):
        administration.set_subscriber_state("a", "a-9", S.SUSPENDED, reference="r9")


def test_one_reference_changes_one_subscriber(administration: Administration):
    administration.set_subscriber_state("a", "a", S.SUSPENDED, reference="r")
    with pytest.raises(OperationError, match="used for something else"):
        administration.set_subscriber_state("a", "a-2", S.SUSPENDED, reference="r")


def test_subscriber_is_changed_in_what_is_given(
    administration: Administration, service: SubscriberService, client: BalanceClient
):
    limit = MemberLimit("limit.money.month", UnitType.MONEY, "month", 20_000_000)
    changes = SubscriberChanges(profile=Profile(favourites=("4912",)), limits=(limit,))
    for _ in range(2):
        administration.change_subscriber("a", "a-2", changes, reference="r")
    subscriber = client.subscriber("a", "a-2")
    assert subscriber is not None
    assert (subscriber.limits, subscriber.profile.favourites) == ((limit,), ("4912",))
    assert subscriber.identities == ("e164:492",)
    administration.change_subscriber("a", "a-2", SubscriberChanges(identities=("e164:493",)), reference="r2")
    assert client.locate("e164:493") == ("a", "a-2")
    service.open_account(NewAccount("b", "b", ("e164:492",), ("basic",), Money(0, "EUR")))  # it is free
    audited(client, "a")


def test_change_that_makes_no_sense_is_refused_and_nothing_is_kept(
    administration: Administration, client: BalanceClient
):
    before = client.subscriber("a", "a-2")
    for changes, reason in (
        (SubscriberChanges(identities=("e164:491",)), "belongs to another"),
        (SubscriberChanges(identities=("x:1",)), "is not an identity"),
        (SubscriberChanges(limits=(MemberLimit("fair-use", UnitType.MONEY, "month", 1),)), "begins with"),
        (SubscriberChanges(limits=(MemberLimit("limit.x", UnitType.MONEY, "year", 1),)), "period"),
        (SubscriberChanges(limits=(MemberLimit("limit.x", UnitType.MONEY, "day", -1),)), "negative"),
        (SubscriberChanges(limits=(MemberLimit("limit.x", UnitType.TIME, "day", 1 << 64),)), "no more than"),
        (SubscriberChanges(limits=(MemberLimit("limit.x", UnitType.TIME, "day", 1),) * 2), "of its own"),
        (
            SubscriberChanges(
                limits=tuple(MemberLimit(f"limit.{n}", UnitType.TIME, "day", 1) for n in range(17))
            ),
            "16 limits",
        ),
    ):
        with pytest.raises(OperationError, match=reason):
            administration.change_subscriber("a", "a-2", changes, reference="r")
    assert client.subscriber("a", "a-2") == before
    administration.set_subscriber_state("a", "a-2", S.CLOSED, reference="c")
    with pytest.raises(OperationError, match="closed, for good"):
        administration.change_subscriber("a", "a-2", SubscriberChanges(limits=()), reference="r")


def test_terms_of_an_account_are_changed_and_told(administration: Administration, client: BalanceClient):
    administration.set_credit_limit("a", Money(50_000_000, "EUR"), reference="r1")
    order = AutoTopUp(5_000_000, 20_000_000, "card-1")
    administration.set_auto_top_up("a", order, reference="r2")
    account = audited(client, "a")
    assert (account.credit_limit_micro, account.auto_top_up) == (50_000_000, order)
    administration.set_auto_top_up("a", None, reference="r3")
    assert audited(client, "a").auto_top_up is None
    assert [event.notice.subject for event in client.events("a") if event.notice] == [
        "credit limit 50.00 EUR",
        "automatic top-up ordered",
        "automatic top-up ended",
    ]
    with pytest.raises(OperationError, match="not negative"):
        administration.set_credit_limit("a", Money(-1, "EUR"), reference="r4")
    for order, reason in (
        (AutoTopUp(1, 0), "more than nothing"),
        (AutoTopUp(1, 1 << 64), "no more than"),
        (AutoTopUp(-(1 << 64), 1), "falls below"),
    ):
        with pytest.raises(OperationError, match=reason):
            administration.set_auto_top_up("a", order, reference="r4")
