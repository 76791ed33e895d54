"""The task that works off the agenda, on a real store: by the catalogue in force, and for ever."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
from structlog.testing import capture_logs

from ocs import account_care
from ocs.account_care import care_for_accounts
from ocs.balance.client import BalanceClient
from ocs.balance.embedded import EmbeddedStore
from ocs.balance.store_admin import connect
from ocs.catalogue_schedule import publish
from ocs.clock import ManualClock
from ocs.settings import Settings
from ocs.store_setup import PreparedStore, prepare_store
from ocs.subscribers.operations import NewAccount
from ocs.subscribers.service import SubscriberService
from ocs.units import Money
from tests.support.catalogue import dearer_catalogue, lab_catalogue

DAY_MS = 86_400_000


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[PreparedStore]:
    with trio.fail_after(60):
        async with EmbeddedStore(tmp_path) as embedded:
            yield await trio.to_thread.run_sync(
                prepare_store, Settings(), embedded.address.url, ManualClock(1_790_000_000_000)
            )


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_790_000_000_000)


async def test_what_came_due_is_done_at_the_first_look(store: PreparedStore, clock: ManualClock) -> None:
    client = BalanceClient(connect(store.address), partitions=store.meta.partitions)
    service = SubscriberService(client, lab_catalogue(), clock)
    new = NewAccount("a", "a", (), ("packs",), Money(0, "EUR"))
    await trio.to_thread.run_sync(service.open_account, new)
    clock.advance_ms(DAY_MS)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(care_for_accounts, Settings(), store, lab_catalogue(), clock)
        while True:
            account = await trio.to_thread.run_sync(client.account, "a")
            assert account is not None
            if len(account.buckets) == 2:  # money and the texts; the day's octets are gone
                break
            await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    client.connection.close()


async def test_catalogue_published_meanwhile_is_taken_at_its_time(
    store: PreparedStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connect(store.address)
    client = BalanceClient(connection, partitions=store.meta.partitions)
    office = SubscriberService(client, lab_catalogue(), clock).office
    now_s = clock.now_ms() // 1000
    publish(connection, dearer_catalogue(), effective_s=now_s + 60, now_s=now_s)
    account_care._take_catalogue_in_force(office)
    assert office.catalogue.version == lab_catalogue().version
    clock.advance_ms(60_000)
    account_care._take_catalogue_in_force(office)
    assert office.catalogue.version == dearer_catalogue().version
    connection.close()


async def test_store_that_is_gone_is_told_once_and_waited_for(
    store: PreparedStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_care, "AGENDA_INTERVAL_S", 0.001)
    looks = 0

    def broken(_office: object) -> None:
        nonlocal looks
        looks += 1
        raise account_care.StoreBusyError("gone")

    monkeypatch.setattr(account_care, "_take_catalogue_in_force", broken)
    with capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(care_for_accounts, Settings(), store, lab_catalogue(), clock)
            while looks < 3:
                await trio.sleep(0.001)
            nursery.cancel_scope.cancel()
    assert [line["event"] for line in logs if line["event"] == "agenda_not_worked_off"] == [
        "agenda_not_worked_off"
    ]
