"""The accounts that a benchmark charges, made and audited inside of the system under test."""

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Final

from bench.templates import LoadPlan, imsi, msisdn
from ocs import store_setup
from ocs.balance.client import BalanceClient
from ocs.balance.model import Account
from ocs.balance.purse import check_invariants, money_balance
from ocs.balance.store_admin import StoreRefusedError
from ocs.balance.store_client import StoreClient
from ocs.balance.verify import Report, verify_store
from ocs.clock import SystemClock
from ocs.events import ChargeEvent, EventKind
from ocs.rating import load_catalogue
from ocs.settings import Settings, StoreSettings
from ocs.subscribers.operations import NewAccount, NewSubscriber
from ocs.subscribers.service import SubscriberService
from ocs.units import Money
from simulators.system import lab_config

OFFER: Final = "prepaid-basic"
# A million euro: no run spends it.
_OPENING_MICRO: Final = 1_000_000_000_000


class StoreNotFoundError(RuntimeError):
    """No store that is set up runs on the data folder."""


def open_client(data_dir: Path, store_url: str = "") -> BalanceClient:
    """A client of the running system's store.

    Args:
        data_dir: data folder of a running ``ocs up``, where its embedded store's address stands.
        store_url: its ``[store] url`` when it uses a store of somebody else.

    Raises:
        StoreNotFoundError: there is none.
    """
    try:
        return store_setup.open_client(Settings(store=StoreSettings(url=store_url)), data_dir)
    except StoreRefusedError as error:
        raise StoreNotFoundError(str(error)) from None


def open_store(data_dir: Path) -> tuple[StoreClient, int]:
    """A connection to the running system's embedded store, and its number of partitions.

    Raises:
        StoreNotFoundError: there is none.
    """
    try:
        client, meta = store_setup.open_store(Settings(), data_dir)
    except StoreRefusedError as error:
        raise StoreNotFoundError(str(error)) from None
    return client, meta.partitions


def verify(client: StoreClient, partitions: int) -> Report:
    """What ``ocs verify`` says of the store."""
    return verify_store(client, partitions=partitions)


def account_id(plan: LoadPlan, account: int) -> str:
    """The id, in the store, of the account that pays; of a pool it is the first one's."""
    return f"L{msisdn(plan, 0 if plan.pool else account)}"


def subscriber_id(plan: LoadPlan, account: int) -> str:
    """The id of the subscriber whose session it is."""
    return f"L{msisdn(plan, account)}"


def _identities(plan: LoadPlan, account: int) -> tuple[str, str]:
    return f"e164:{msisdn(plan, account)}", f"imsi:{imsi(plan, account)}"


def create_accounts(
    data_dir: Path,
    plan: LoadPlan,
    count: int,
    store_url: str = "",
    *,
    opening_micro: int = _OPENING_MICRO,
    offer: str = OFFER,
) -> None:
    """Create ``count`` prepaid accounts in the running system's store, in bulk; by default with ample balance.

    Account ``i`` has one subscriber with the identities ``msisdn(plan, i)`` and ``imsi(plan, i)``; in a pool all
    these subscribers are on the first one's account.

    Args:
        data_dir, store_url: see :func:`open_client`.

    Raises:
        StoreNotFoundError: no store runs there.
    """
    catalogue = load_catalogue(lab_config().parent / "catalogue")
    service = SubscriberService(open_client(data_dir, store_url), catalogue, SystemClock())
    opening = Money(opening_micro, catalogue.currency)
    for _existing in service.open_accounts(
        NewAccount(
            account_id(plan, account),
            subscriber_id(plan, account),
            _identities(plan, account),
            (offer,),
            opening,
        )
        for account in range(1 if plan.pool else count)
    ):
        pass
    if plan.pool:
        for _existing in service.add_subscribers(
            account_id(plan, 0),
            (
                NewSubscriber(
                    account_id(plan, 0), subscriber_id(plan, account), _identities(plan, account), (OFFER,)
                )
                for account in range(1, count)
            ),
        ):
            pass


def audit_accounts(
    data_dir: Path, plan: LoadPlan, acknowledged_octets: Sequence[int], store_url: str = ""
) -> list[str]:
    """Compare each account's debited octets, in balance totals and event stream, with the generator's tally.

    Returns:
        One sentence for each account that differs; empty when all agree.

    Raises:
        StoreNotFoundError: no store runs there.
    """
    client = open_client(data_dir, store_url)
    streamed = _streamed(client)
    differences: list[str] = []
    for name in dict.fromkeys(account_id(plan, index) for index in range(len(acknowledged_octets))):
        differences += _audit_account(name, client.account(name), streamed.get(name, []))
    octets = Counter[str]()
    for event in chain.from_iterable(streamed.values()):
        if event.kind == EventKind.DEBIT:
            octets[event.subscriber_id] += event.units
    for index, acknowledged in enumerate(acknowledged_octets):
        name = subscriber_id(plan, index)
        if octets[name] != acknowledged:
            differences.append(
                f"{name}: {acknowledged} octets acknowledged, {octets[name]} in the event stream"
            )
    return differences


def _audit_account(name: str, account: Account | None, events: list[ChargeEvent]) -> list[str]:
    """What an account and its events say against each other."""
    if account is None:
        return [f"{name}: not in the store"]
    check_invariants(account)
    differences: list[str] = []
    movements = sum(event.amount_micro for event in events)
    if movements != money_balance(account):
        differences.append(
            f"{name}: events make {movements} micro-units, balance is {money_balance(account)}"
        )
    if any(bucket.reserved for bucket in account.buckets):
        differences.append(f"{name}: something is still reserved")
    if [event.sequence for event in events] != list(range(1, account.sequence + 1)):
        differences.append(f"{name}: events are not numbered 1 to {account.sequence}")
    if len({event.event_id for event in events}) != len(events):
        differences.append(f"{name}: an event id occurs twice")
    return differences


def _streamed(client: BalanceClient) -> dict[str, list[ChargeEvent]]:
    """Every charge event in the streams, by account, in the stream's order."""
    events: dict[str, list[ChargeEvent]] = {}
    for partition in range(client.partitions):
        for event in client.partition_events(partition):
            events.setdefault(event.account_id, []).append(event)
    return events
