"""What an account holds, and what moved it, page by page."""

import pytest

from ocs import limits
from ocs.balance.client import BalanceClient
from ocs.balance.model import Account
from ocs.balance.purse import Purse
from ocs.subscribers import history
from ocs.subscribers.history import balances_of
from ocs.subscribers.openings import open_account
from ocs.subscribers.operations import NewAccount, NewSubscriber, OperationError
from ocs.subscribers.service import SubscriberService
from ocs.units import Money
from tests.support.catalogue import lab_catalogue

OPENED_MS = 1_000
DAY_MS = 86_400_000


def account() -> Account:
    new = NewAccount("a", "a", (), ("packs", "basic"), Money(10_000_000, "EUR"), 2_000_000)
    return open_account(new, lab_catalogue(), OPENED_MS).account


def test_balances_show_what_is_reserved_and_what_can_be_had():
    purse = Purse(account(), OPENED_MS)
    purse.reserve(purse.plan_money(3_000_000))
    found = balances_of(purse.account(), OPENED_MS)
    assert (found.money_micro, found.reserved_micro, found.available_micro) == (
        10_000_000,
        3_000_000,
        9_000_000,
    )
    pack = next(bucket for bucket in found.buckets if bucket.allowance == "pack")
    assert (pack.value, pack.available, pack.initial) == (5000, 5000, 5000)
    assert found.state == "active"


def test_expired_bucket_holds_something_that_cannot_be_had():
    found = balances_of(account(), OPENED_MS + DAY_MS)
    pack = next(bucket for bucket in found.buckets if bucket.allowance == "pack")
    assert (pack.value, pack.available) == (5000, 0)


def fill(service: SubscriberService, account_id: str, top_ups: int) -> None:
    service.open_account(NewAccount(account_id, account_id, (), ("basic",), Money(0, "EUR")))
    for number in range(top_ups):
        service.top_up(account_id, Money(1, "EUR"), reference=str(number))


def neighbours(client: BalanceClient, count: int) -> list[str]:
    """Accounts whose events lie in one stream."""
    names = [f"n{number}" for number in range(200)]
    return [name for name in names if client.partition_of(name) == client.partition_of(names[0])][:count]


def test_history_is_read_newest_first_page_by_page(service: SubscriberService, client: BalanceClient):
    mine, other = neighbours(client, 2)
    fill(service, mine, 4)
    fill(service, other, 3)
    service.top_up(mine, Money(7, "EUR"), reference="last")
    pages: list[list[int]] = []
    cursor = ""
    while True:
        page = service.history(mine, limit=2, cursor=cursor)
        assert all(event.account_id == mine for event in page.events)
        pages.append([event.sequence for event in page.events])
        cursor = page.cursor
        if not cursor:
            break
    assert pages == [[6, 5], [4, 3], [2, 1]]


def test_one_page_looks_at_a_bounded_part_of_the_stream(
    service: SubscriberService, client: BalanceClient, monkeypatch: pytest.MonkeyPatch
):
    mine, other = neighbours(client, 2)
    fill(service, mine, 1)
    fill(service, other, 5)
    monkeypatch.setattr(limits, "HISTORY_READS_PER_PAGE_MAX", 1)
    monkeypatch.setattr(history, "_READ_AT_ONCE", 3)
    first = service.history(mine)
    assert (first.events, bool(first.cursor)) == ((), True)
    second = service.history(mine, cursor=first.cursor)
    third = service.history(mine, cursor=second.cursor)
    assert [event.sequence for event in (*second.events, *third.events)] == [2, 1]


def test_history_of_what_is_not_there_is_refused(service: SubscriberService, client: BalanceClient):
    with pytest.raises(OperationError, match="there is no account"):
        service.history("nobody")
    fill(service, "a", 0)
    for cursor in ("(", "0-0", "1-", "9" * 20 + "-0", "1-" + "9" * 20):
        with pytest.raises(OperationError, match="is not a cursor"):
            service.history("a", cursor=cursor)
    assert service.history("a", cursor="9" * 19 + "-" + "9" * 19).events


def test_trimmed_events_are_no_longer_told(service: SubscriberService, client: BalanceClient):
    fill(service, "a", 2)
    stream = f"{{{client.partition_of('a')}}}events"
    client.connection.xtrim(stream, maxlen=1, approximate=False)
    page = service.history("a")
    assert ([event.sequence for event in page.events], page.cursor) == ([3], "")


def test_members_are_listed_by_id(service: SubscriberService, client: BalanceClient):
    fill(service, "a", 0)
    fill(service, "a-1", 0)
    for name in ("z", "b", "a-2"):
        service.add_subscriber(NewSubscriber("a", name, (), ("basic",)))
    assert [member.subscriber_id for member in service.members("a")] == ["a", "a-2", "b", "z"]
    assert [member.subscriber_id for member in service.members("a", after="a-2", limit=1)] == ["b"]
    assert service.balances("a").account_id == "a"
