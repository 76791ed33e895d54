"""Accounts, buckets, records and charge events as TMF654 resources. Pure.

A bucket's id in the API is ``ACCOUNT:BUCKET``; no account's id holds a colon. An account's allowances have ids that no
other account's have, so that one path finds one bucket.
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from ocs.api.prepay_balance.quantities import quantity, usage_type_of
from ocs.api.prepay_balance.resources import (
    ACCUMULATED_BALANCE,
    ACTIONS,
    BALANCE_ACTION_HISTORY,
    BODIES,
    BUCKET,
    body_attributes,
)
from ocs.api.tmf.records import ActionRecord
from ocs.api.tmf.resources import Attributes, date_time, identified, period
from ocs.balance.model import Account, Bucket, LifecycleState
from ocs.events import BucketMovement, ChargeEvent, EventKind
from ocs.rating.unit_words import units_in_words
from ocs.subscribers.adjustments import SET_ASIDE
from ocs.subscribers.operations import MAIN_BUCKET
from ocs.units import UnitType, format_micro

_SUSPENDED = frozenset((LifecycleState.SUSPENDED, LifecycleState.CREATED, LifecycleState.ONE_WAY_BARRED))


def bucket_id(account_id: str, name: str) -> str:
    """The API's id of a bucket."""
    return f"{account_id}:{name}"


def split_bucket_id(identifier: str) -> tuple[str, str]:
    """Account id and bucket id; the latter is empty when there is no colon."""
    account_id, _, name = identifier.partition(":")
    return account_id, name


def bucket_reference(account_id: str, name: str) -> Attributes:
    """A ``BucketRef``."""
    identifier = bucket_id(account_id, name)
    return {"id": identifier, "href": BUCKET.href(identifier), "name": name, "@referredType": BUCKET.name}


def account_reference(account_id: str) -> Attributes:
    """A ``PartyAccountRef``: the account as the native API shows it."""
    return {"id": account_id, "href": f"/api/v1/accounts/{account_id}", "@referredType": "Account"}


def bucket_views(account: Account, now_ms: int, logical_resource: str = "") -> list[Attributes]:
    """Every bucket of an account. ``remainingValue`` is what it holds, of which ``reservedValue`` is reserved.

    Args:
        logical_resource: the number by which the account was asked for, shown again.
    """
    resource = [_logical_resource(logical_resource)] if logical_resource else None
    return [_bucket_view(account, bucket, now_ms, resource) for bucket in _shown_buckets(account)]


def _shown_buckets(account: Account) -> list[Bucket]:
    """The buckets as a client knows them: money that is set aside is the main bucket's, and reserved there."""
    aside = sum(bucket.value for bucket in account.buckets if bucket.bucket_id.startswith(SET_ASIDE))
    replace = msgspec.structs.replace
    return [
        replace(bucket, value=bucket.value + aside, reserved=bucket.reserved + aside)
        if aside and bucket.bucket_id == MAIN_BUCKET
        else bucket
        for bucket in account.buckets
        if not bucket.bucket_id.startswith(SET_ASIDE)
    ]


def _bucket_view(
    account: Account, bucket: Bucket, now_ms: int, logical_resource: list[Attributes] | None
) -> Attributes:
    left = bucket.value - bucket.reserved
    is_money = bucket.unit_type is UnitType.MONEY
    words = f"{format_micro(left)} {account.currency}" if is_money else units_in_words(left, bucket.unit_type)
    attributes: Attributes = {
        "name": bucket.allowance or bucket.bucket_id,
        "usageType": usage_type_of(bucket.unit_type),
        "remainingValue": quantity(bucket.value, bucket.unit_type, account.currency),
        "reservedValue": quantity(bucket.reserved, bucket.unit_type, account.currency),
        "remainingValueName": words,
        "status": _bucket_status(account, bucket, now_ms),
        "validFor": period(bucket.valid_from_ms, bucket.valid_until_ms),
        "partyAccount": account_reference(account.account_id),
        "logicalResource": logical_resource,
    }
    return identified(BUCKET, bucket_id(account.account_id, bucket.bucket_id), attributes)


def _bucket_status(account: Account, bucket: Bucket, now_ms: int) -> str:
    if bucket.valid_until_ms and bucket.valid_until_ms <= now_ms:
        return "expired"
    if account.state is LifecycleState.ACTIVE:
        return "active"
    return "suspended" if account.state in _SUSPENDED else "expired"


def accumulated_views(account: Account, now_ms: int, logical_resource: str = "") -> list[Attributes]:
    """What an account has in all, for each kind of unit: what its buckets hold that can pay now."""
    by_type: dict[UnitType, list[Bucket]] = {}
    for bucket in _shown_buckets(account):
        if not bucket.valid_until_ms or bucket.valid_until_ms > now_ms:
            by_type.setdefault(bucket.unit_type, []).append(bucket)
    views: list[Attributes] = []
    for unit_type, buckets in by_type.items():
        name = unit_type.name.lower()
        total = sum(bucket.value for bucket in buckets)
        attributes: Attributes = {
            "name": name,
            "description": f"{usage_type_of(unit_type)} of all buckets that can pay now",
            "bucket": [bucket_reference(account.account_id, bucket.bucket_id) for bucket in buckets],
            "totalBalance": quantity(total, unit_type, account.currency),
            "partyAccount": account_reference(account.account_id),
            "logicalResource": _logical_resource(logical_resource) if logical_resource else None,
        }
        views.append(identified(ACCUMULATED_BALANCE, f"{account.account_id}:{name}", attributes))
    return views


def action_view(record: ActionRecord) -> Attributes:
    """An action: what was asked for, what became of it and when."""
    body = msgspec.json.decode(record.body, type=BODIES[record.kind])
    attributes = body_attributes(body)
    account_id, name = split_bucket_id(body.bucket.id)
    attributes["bucket"] = bucket_reference(record.account_id, name or account_id)
    attributes["partyAccount"] = account_reference(record.account_id)
    attributes |= {
        "status": record.status,
        "statusReason": record.reason or None,
        "requestedDate": date_time(record.requested_ms),
        "confirmationDate": date_time(record.confirmed_ms) if record.confirmed_ms else None,
    }
    return identified(ACTIONS[record.kind], record.record_id, attributes)


def history_views(events: Iterable[ChargeEvent]) -> list[Attributes]:
    """What was done to an account from outside its sessions: one view for each charge event that no use caused."""
    return [_history_view(event) for event in events if event.kind is not EventKind.DEBIT and event.movements]


def _history_view(event: ChargeEvent) -> Attributes:
    movement = event.movements[0]
    attributes: Attributes = {
        "description": event.kind.name.lower().replace("_", " "),
        "status": "completed",
        "requestedDate": date_time(event.event_time_ms),
        "confirmationDate": date_time(event.event_time_ms),
        "amount": _moved(event, movement),
        "usageType": usage_type_of(movement.unit_type),
        "bucket": bucket_reference(event.account_id, movement.bucket_id),
        "partyAccount": account_reference(event.account_id),
        "receiverLogicalResource": _logical_resource(event.subscriber_id or event.account_id),
    }
    return identified(BALANCE_ACTION_HISTORY, f"{event.account_id}:{event.sequence}", attributes)


def _moved(event: ChargeEvent, movement: BucketMovement) -> Attributes:
    if movement.unit_type is UnitType.MONEY:
        return {"amount": Decimal(format_micro(event.amount_micro)), "units": event.currency}
    return quantity(movement.amount, movement.unit_type, event.currency)


def _logical_resource(number: str) -> Attributes:
    return {"id": number, "@referredType": "LogicalResource"}
