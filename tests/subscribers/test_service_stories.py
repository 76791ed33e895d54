"""Accounts opened and topped up in a real store: once each, whatever is repeated or raced."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from ocs.balance.client import BalanceClient
from ocs.balance.embedded import EmbeddedStore
from ocs.balance.purse import check_invariants, money_balance
from ocs.clock import ManualClock
from ocs.events import EventKind
from ocs.rating import load_catalogue
from ocs.settings import Settings
from ocs.store_setup import open_client, prepare_store
from ocs.subscribers.operations import NewAccount, NewSubscriber, OperationError
from ocs.subscribers.service import SubscriberService
from ocs.units import CurrencyMismatchError, Money

CATALOGUE = load_catalogue(Path(__file__).resolve().parents[2] / "config" / "catalogue")
CLOCK = ManualClock(1_790_000_000_000)


@pytest.fixture
async def on_store(tmp_path: Path):
    """Runs a function with a client of a fresh store, in a thread."""
    with trio.fail_after(60):
        async with EmbeddedStore(tmp_path) as store:

            def work(function: Callable[[BalanceClient, SubscriberService], Any]) -> Any:
                prepare_store(Settings(), store.address.url, CLOCK)
                client = open_client(Settings(), tmp_path)
                try:
                    return function(client, SubscriberService(client, CATALOGUE, CLOCK))
                finally:
                    client._redis.close()

            yield lambda function: trio.to_thread.run_sync(work, function)


def new(account_id: str, *identities: str) -> NewAccount:
    return NewAccount(account_id, account_id, identities, ("prepaid-basic",), Money(10_000_000, "EUR"))


async def test_opened_account_is_found_by_its_identities(on_store) -> None:
    def story(client: BalanceClient, service: SubscriberService) -> None:
        account = service.open_account(new("A1", "e164:4917", "imsi:26201"))
        assert client.account("A1") == account
        assert client.locate("e164:4917") == client.locate("imsi:26201") == ("A1", "A1")
        subscriber = client.subscriber("A1", "A1")
        assert subscriber is not None
        assert subscriber.identities == ("e164:4917", "imsi:26201")

    await on_store(story)


async def test_opening_that_a_crash_cut_off_is_completed_by_the_next(on_store) -> None:
    def story(client: BalanceClient, service: SubscriberService) -> None:
        assert client.claim_identities("A1", "A1", ("e164:4917",)) is None  # and then it died
        service.open_account(new("A1", "e164:4917"))
        assert client.locate("e164:4917") == ("A1", "A1")

    await on_store(story)


async def test_hint_that_leads_nowhere_takes_no_identity(on_store) -> None:
    def story(client: BalanceClient, service: SubscriberService) -> None:
        assert client.claim_identities("never-opened", "never-opened", ("e164:4917",)) is None
        service.open_account(new("A1", "e164:4917"))
        assert client.locate("e164:4917") == ("A1", "A1")

    await on_store(story)


async def test_added_subscriber_shares_the_account_and_is_found_by_its_own_identity(on_store) -> None:
    def story(client: BalanceClient, service: SubscriberService) -> None:
        before = service.open_account(new("A1", "e164:4917"))
        service.add_subscriber(NewSubscriber("A1", "A1-2", ("e164:4918",), ("prepaid-basic",)))
        assert client.locate("e164:4918") == ("A1", "A1-2")
        assert money_balance(client.account("A1")) == money_balance(before)  # type: ignore[arg-type]
        for again, reason in (
            (NewSubscriber("A1", "A1-2", ("e164:4919",), ("prepaid-basic",)), "exists already"),
            (NewSubscriber("A1", "A1-3", ("e164:4917",), ("prepaid-basic",)), "belongs to another"),
            (NewSubscriber("A9", "A9-1", ("e164:4920",), ("prepaid-basic",)), "no account"),
        ):
            with pytest.raises(OperationError, match=reason):
                service.add_subscriber(again)
        assert client.locate("e164:4919") is client.locate("e164:4920") is None

    await on_store(story)


async def test_pool_of_subscribers_is_added_to_one_account(on_store) -> None:
    def story(client: BalanceClient, service: SubscriberService) -> None:
        service.open_account(new("A1", "e164:4917"))
        pool = [NewSubscriber("A1", f"sim-{i}", (f"e164:4918{i}",), ("prepaid-basic",)) for i in range(1200)]
        assert list(service.add_subscribers("A1", pool)) == []
        assert client.locate("e164:49181199") == ("A1", "sim-1199")
        assert client.subscriber("A1", "sim-0") is not None
        assert list(service.add_subscribers("A1", pool[:2])) == ["A1", "A1"]
        with pytest.raises(OperationError, match="no account"):
            service.add_subscribers("A2", pool)
        with pytest.raises(OperationError, match="bring allowances"):
            list(service.add_subscribers("A1", [NewSubscriber("A1", "s", (), ("prepaid-data-5g",))]))

    await on_store(story)


async def test_taken_identity_or_id_is_refused_and_nothing_is_kept(on_store) -> None:
    def story(client: BalanceClient, service: SubscriberService) -> None:
        first = service.open_account(new("A1", "e164:4917"))
        with pytest.raises(OperationError, match="'e164:4917' belongs to another account"):
            service.open_account(new("A2", "imsi:26202", "e164:4917"))
        assert client.account("A2") is None
        assert client.locate("imsi:26202") is None
        with pytest.raises(OperationError, match="'A1' exists already"):
            service.open_account(new("A1", "e164:4918"))
        assert client.account("A1") == first

    await on_store(story)


async def test_many_accounts_open_in_batches_and_those_that_exist_are_told(on_store) -> None:
    def story(client: BalanceClient, service: SubscriberService) -> None:
        service.open_account(new("M7", "e164:497"))
        existed = list(
            service.open_accounts(new(f"M{number}", f"e164:49{number}") for number in range(1_200))
        )
        assert existed == ["M7"]
        cursor, found = 0, set[str]()
        while True:
            cursor, page = client.scan_accounts(cursor)
            found |= {account.account_id for account in page}
            if not cursor:
                break
        assert len(found) == 1_200
        assert client.locate("e164:491199") == ("M1199", "M1199")

    await on_store(story)


async def test_topup_counts_once_and_its_repeat_gets_the_first_receipt(on_store) -> None:
    def story(client: BalanceClient, service: SubscriberService) -> None:
        service.open_account(new("A1"))
        first = service.top_up("A1", Money(5_000_000, "EUR"), reference="R1")
        second = service.top_up("A1", Money(1_000_000, "EUR"), reference="R2")
        assert service.top_up("A1", Money(5_000_000, "EUR"), reference="R1") == msgspec.structs.replace(
            first, repeated=True
        )
        assert (first.balance_micro, second.balance_micro) == (15_000_000, 16_000_000)
        account = client.account("A1")
        assert account is not None
        check_invariants(account)
        assert money_balance(account) == 16_000_000
        told = [(event.kind, event.event_id, event.sequence) for event in client.events("A1")]
        assert told == [
            (EventKind.OPENING, "opening:A1", 1),
            (EventKind.TOP_UP, "topup:A1:R1", 2),
            (EventKind.TOP_UP, "topup:A1:R2", 3),
        ]

    await on_store(story)


async def test_topups_that_race_all_count(on_store) -> None:
    async def many(on_store) -> None:
        async with trio.open_nursery() as nursery:
            for number in range(8):
                nursery.start_soon(
                    on_store,
                    lambda _client, service, number=number: service.top_up(
                        "A1", Money(1, "EUR"), reference=f"R{number % 4}"
                    ),
                )

    await on_store(lambda _client, service: service.open_account(new("A1")))
    await many(on_store)
    account = await on_store(lambda client, _service: client.account("A1"))
    assert money_balance(account) == 10_000_004


async def test_topup_that_cannot_be_done_is_refused(on_store) -> None:
    def story(client: BalanceClient, service: SubscriberService) -> None:
        with pytest.raises(OperationError, match="there is no account 'A1'"):
            service.top_up("A1", Money(1, "EUR"), reference="R1")
        service.open_account(new("A1"))
        service.top_up("A1", Money(1, "EUR"), reference="R1")
        with pytest.raises(OperationError, match=r"'R1' was used for 0\.000001 EUR"):
            service.top_up("A1", Money(2, "EUR"), reference="R1")
        with pytest.raises(CurrencyMismatchError):
            service.top_up("A1", Money(1, "USD"), reference="R2")

    await on_store(story)
