"""What HTTP shows of the domain, as JSON. Pure.

Money is shown as a decimal text beside its micro-units: a reader needs no arithmetic, a program no parsing.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from ocs.api.tmf.resources import date_time
from ocs.balance.model import (
    Account,
    AutoTopUp,
    Bucket,
    Counter,
    MemberLimit,
    Session,
    SessionService,
    Subscriber,
    Subscription,
)
from ocs.events import ChargeEvent
from ocs.metrics import Snapshot
from ocs.rating import explain
from ocs.rating.unit_words import units_in_words
from ocs.subscribers.office import Receipt
from ocs.units import UnitType, format_micro

V = TypeVar("V")


class MoneyView(msgspec.Struct, frozen=True):
    """An amount: ``amount`` is decimal, ``micro`` the same in micro-units."""

    amount: str
    micro: int
    currency: str


class BucketView(msgspec.Struct, frozen=True):
    """One bucket; ``value`` counts in ``unit`` (micro-units for money); times are ISO 8601, null is for ever.

    ``available`` says for people what no open session holds: ``"19.5 GB"``, ``"2.50 EUR"``.
    """

    bucket_id: str
    unit: str
    value: int
    reserved: int
    available: str
    allowance: str
    priority: int
    valid_from: str | None
    valid_until: str | None


class AutoTopUpView(msgspec.Struct, frozen=True):
    """A holder's order: when money falls below ``below``, ``amount`` is paid by ``method`` and topped up."""

    below: MoneyView
    amount: MoneyView
    method: str


class AccountView(msgspec.Struct, frozen=True):
    """An account: its money in sum, and each bucket. ``available`` is balance less what open sessions hold."""

    account_id: str
    state: str
    balance: MoneyView
    reserved: MoneyView
    available: MoneyView
    credit_limit: MoneyView
    buckets: tuple[BucketView, ...]
    sequence: int
    active_until: str | None
    auto_top_up: AutoTopUpView | None


class SubscriptionView(msgspec.Struct, frozen=True):
    """An offer that a subscriber bought; times are ISO 8601, null is open-ended or never."""

    offer_id: str
    state: str
    since: str
    until: str | None
    renews: str | None


class LimitView(msgspec.Struct, frozen=True):
    """How much a subscriber may take in a period, in ``unit`` (micro-units for money), and what it has taken.

    ``used`` is of the period that began at ``period_start``, which is null before the first use.
    """

    limit_id: str
    unit: str
    period: str
    amount: int
    used: int
    period_start: str | None


class SubscriberView(msgspec.Struct, frozen=True):
    """Who uses services, by which names and under which offers; ``account_id`` pays."""

    subscriber_id: str
    account_id: str
    state: str
    identities: tuple[str, ...]
    offers: tuple[str, ...]
    subscriptions: tuple[SubscriptionView, ...]
    limits: tuple[LimitView, ...]
    favourites: tuple[str, ...]
    groups: tuple[str, ...]


class MovementView(msgspec.Struct, frozen=True):
    """What one bucket lost (negative) or gained, and what it held then, in ``unit`` (micro-units for money)."""

    bucket_id: str
    unit: str
    amount: int
    balance_after: int


class EventView(msgspec.Struct, frozen=True):
    """One charge event. ``explanation`` says in sentences how a price came about; ``notice`` what there is to tell."""

    event_id: str
    kind: str
    time: str
    account_id: str
    subscriber_id: str
    sequence: int
    session_id: str
    service: str
    rating_group: int | None
    units: int
    unit: str
    amount: MoneyView
    balance_after: MoneyView
    movements: tuple[MovementView, ...]
    reason: str
    notice: str
    catalogue_version: str
    tariff_path: str
    explanation: tuple[str, ...]


class ReceiptView(msgspec.Struct, frozen=True):
    """The answer to a write; ``repeated`` says that it had been done before, and nothing changed."""

    account_id: str
    reference: str
    amount: MoneyView
    balance: MoneyView
    sequence: int
    repeated: bool


class CatalogueView(msgspec.Struct, frozen=True):
    """One publication: from when on a version of the catalogue is used, and whether it is the one in force now."""

    version: str
    effective: str
    published: str
    from_folder: bool
    in_force: bool


class SessionServiceView(msgspec.Struct, frozen=True):
    """One rating group or service of a session; units are those of its tariff."""

    rating_group: int | None
    service_identifiers: tuple[int, ...]
    tariff_path: str
    catalogue_version: str
    counted_units: int
    granted_units: int


class SessionView(msgspec.Struct, frozen=True):
    """A credit-control session; ``charged`` is decimal, in the account's currency."""

    session_id: str
    account_id: str
    subscriber_id: str
    state: str
    service: str
    called_party: str
    origin_host: str
    origin_realm: str
    opened: str
    supervised_until: str
    charged: str
    charged_micro: int
    services: tuple[SessionServiceView, ...]


class PageView(msgspec.Struct, Generic[V], frozen=True):
    """A part of a long list; ask again with ``cursor=next_cursor`` until that is null."""

    items: tuple[V, ...]
    next_cursor: str | None


class PeerView(msgspec.Struct, frozen=True):
    """One connection of a peer, with the worker that serves it, as that worker tells it."""

    worker: str
    connection: dict[str, Any]


class PeersView(msgspec.Struct, frozen=True):
    """All connections; ``silent_workers`` did not answer, by name with the reason."""

    items: tuple[PeerView, ...]
    silent_workers: dict[str, str]


class CheckView(msgspec.Struct, frozen=True):
    """One thing that must work for the system to be ready."""

    name: str
    ok: bool
    detail: str = ""


class ReadyView(msgspec.Struct, frozen=True):
    """Whether the system answers gateways now, and what was looked at."""

    ready: bool
    checks: tuple[CheckView, ...]


class LatencyView(msgspec.Struct, frozen=True):
    """Answers by time taken since the workers started: ``counts[i]`` within ``bounds_s[i]``, the last above all."""

    bounds_s: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()


class StatusView(msgspec.Struct, frozen=True):
    """One look at the whole system; totals count from the workers' start, rates come from two looks."""

    time: str
    readiness: ReadyView
    requests: int
    answers: dict[str, int]
    latency: LatencyView
    open_sessions: int | None


def money_view(micro: int, currency: str) -> MoneyView:
    """Show an amount of micro-units."""
    return MoneyView(format_micro(micro), micro, currency)


def account_view(account: Account) -> AccountView:
    """Show an account."""
    money = [bucket for bucket in account.buckets if bucket.unit_type is UnitType.MONEY]
    balance, reserved = sum(bucket.value for bucket in money), sum(bucket.reserved for bucket in money)
    return AccountView(
        account.account_id,
        account.state.name.lower(),
        balance=money_view(balance, account.currency),
        reserved=money_view(reserved, account.currency),
        available=money_view(balance - reserved, account.currency),
        credit_limit=money_view(account.credit_limit_micro, account.currency),
        buckets=tuple(_bucket_view(bucket, account.currency) for bucket in account.buckets),
        sequence=account.sequence,
        active_until=date_time(account.active_until_ms) if account.active_until_ms else None,
        auto_top_up=None
        if account.auto_top_up is None
        else _order_view(account.auto_top_up, account.currency),
    )


def _order_view(order: AutoTopUp, currency: str) -> AutoTopUpView:
    return AutoTopUpView(
        money_view(order.below_micro, currency), money_view(order.amount_micro, currency), order.method
    )


def _bucket_view(bucket: Bucket, currency: str) -> BucketView:
    left = bucket.value - bucket.reserved
    is_money = bucket.unit_type is UnitType.MONEY
    return BucketView(
        bucket.bucket_id,
        bucket.unit_type.name.lower(),
        bucket.value,
        bucket.reserved,
        f"{format_micro(left)} {currency}" if is_money else units_in_words(left, bucket.unit_type),
        bucket.allowance,
        bucket.priority,
        date_time(bucket.valid_from_ms) if bucket.valid_from_ms else None,
        date_time(bucket.valid_until_ms) if bucket.valid_until_ms else None,
    )


def subscriber_view(subscriber: Subscriber) -> SubscriberView:
    """Show a subscriber."""
    return SubscriberView(
        subscriber.subscriber_id,
        subscriber.account_id,
        subscriber.state.name.lower(),
        subscriber.identities,
        subscriber.offers,
        tuple(map(_subscription_view, subscriber.subscriptions)),
        tuple(_limit_view(limit, subscriber.counters) for limit in subscriber.limits),
        subscriber.profile.favourites,
        subscriber.profile.groups,
    )


def _limit_view(limit: MemberLimit, counters: tuple[Counter, ...]) -> LimitView:
    counter = next((each for each in counters if each.counter_id == limit.counter_id), None)
    return LimitView(
        limit.counter_id,
        limit.unit_type.name.lower(),
        limit.period,
        limit.amount,
        0 if counter is None else counter.value,
        None if counter is None else date_time(counter.period_start_ms),
    )


def _subscription_view(subscription: Subscription) -> SubscriptionView:
    return SubscriptionView(
        subscription.offer_id,
        subscription.state.name.lower(),
        date_time(subscription.from_ms),
        date_time(subscription.until_ms) if subscription.until_ms else None,
        date_time(subscription.renews_ms) if subscription.renews_ms else None,
    )


def event_view(event: ChargeEvent) -> EventView:
    """Show a charge event."""
    notice = "" if event.notice is None else f"{event.notice.kind}: {event.notice.subject}".removesuffix(": ")
    return EventView(
        event.event_id,
        event.kind.name.lower(),
        date_time(event.event_time_ms),
        event.account_id,
        event.subscriber_id,
        event.sequence,
        event.session_id,
        event.service,
        event.rating_group,
        event.units,
        event.unit_type.name.lower(),
        money_view(event.amount_micro, event.currency),
        money_view(event.balance_after_micro, event.currency),
        tuple(
            MovementView(each.bucket_id, each.unit_type.name.lower(), each.amount, each.balance_after)
            for each in event.movements
        ),
        event.reason,
        notice,
        event.catalogue_version,
        event.tariff_path,
        tuple(explain(event)) if event.trace is not None else (),
    )


def receipt_view(receipt: Receipt) -> ReceiptView:
    """Show the answer to a write."""
    currency = receipt.amount.currency
    return ReceiptView(
        receipt.account_id,
        receipt.reference,
        money_view(receipt.amount.micro, currency),
        money_view(receipt.balance_micro, currency),
        receipt.sequence,
        receipt.repeated,
    )


def session_view(session: Session) -> SessionView:
    """Show a session, without the answers kept for repeats."""
    return SessionView(
        session.session_id,
        session.account_id,
        session.subscriber_id,
        session.state.name.lower(),
        str(session.service),
        session.context.called_party,
        session.origin_host,
        session.origin_realm,
        date_time(session.opened_ms),
        date_time(session.deadline_ms),
        format_micro(session.charged_micro),
        session.charged_micro,
        tuple(map(_session_service_view, session.services)),
    )


def _session_service_view(service: SessionService) -> SessionServiceView:
    return SessionServiceView(
        service.rating_group,
        service.service_identifiers,
        service.tariff_path,
        service.catalogue_version,
        service.counted_units,
        service.granted_units,
    )


def peers_view(by_worker: Mapping[str, Sequence[dict[str, Any]]], silent: Mapping[str, str]) -> PeersView:
    """Show all connections of all workers, sorted by peer."""
    items = [
        PeerView(worker, connection)
        for worker, connections in by_worker.items()
        for connection in connections
    ]
    items.sort(key=lambda item: (str(item.connection.get("origin_host", "")), item.worker))
    return PeersView(tuple(items), dict(silent))


def status_view(
    time_ms: int, readiness: ReadyView, merged: Snapshot, open_sessions: int | None
) -> StatusView:
    """Condense the merged metrics to what the status page shows; what no worker counts yet is zero."""
    families = {family.name: family for family in merged.families}
    requests = families.get("ocs_diameter_requests_total")
    answers = families.get("ocs_diameter_answers_total")
    latency = families.get("ocs_diameter_answer_seconds")
    return StatusView(
        date_time(time_ms),
        readiness,
        int(sum(sample.value for sample in requests.samples)) if requests else 0,
        {",".join(sample.labels): int(sample.value) for sample in answers.samples} if answers else {},
        LatencyView(latency.bounds, latency.samples[0].counts)
        if latency and latency.samples
        else LatencyView(),
        open_sessions,
    )
