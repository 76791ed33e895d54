"""The resources of TMF654 and what a client may write into them: attributes as in the standard's swagger file.

What the server sets (id, href, status, dates) is not among a body's fields: a client's own is stepped over, as TMF630
asks for attributes that cannot be set.
"""

from decimal import Decimal
from typing import Any, Final

import msgspec

from ocs.api.prepay_balance.quantities import UsageType
from ocs.api.tmf.resources import Attributes, Quantity, Reference, ResourceType, TimePeriod

BASE: Final = "/tmf-api/prepayBalanceManagement/v4"
DOMAIN: Final = "prepayBalance"


class RelatedParty(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Somebody who has to do with it."""

    id: str
    referred_type: str = msgspec.field(name="@referredType")
    href: str = ""
    name: str = ""
    role: str = ""


class ActionBody(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, rename="camel"):
    """What a client may say of every action."""

    amount: Quantity | None
    usage_type: UsageType
    bucket: Reference
    description: str = ""
    reason: str = ""
    channel: Reference | None = None
    logical_resource: tuple[Reference, ...] = ()
    product: tuple[Reference, ...] = ()
    requestor: RelatedParty | None = None
    valid_for: TimePeriod | None = None


class TopupBody(ActionBody, frozen=True, omit_defaults=True, kw_only=True, rename="camel"):
    """``TopupBalance_Create``. With a voucher the amount is the voucher's, and need not be said."""

    party_account: Reference
    amount: Quantity | None = None
    voucher: str = ""
    is_auto_topup: bool = False
    number_of_periods: int = 0
    recurring_period: str = ""
    payment_method: Reference | None = None
    balance_topup: RelatedParty | None = None


class AdjustBody(ActionBody, frozen=True, omit_defaults=True, kw_only=True, rename="camel"):
    """``AdjustBalance_Create``; a negative amount takes away."""

    adjust_type: str = ""


class TransferBalanceBody(ActionBody, frozen=True, omit_defaults=True, kw_only=True, rename="camel"):
    """``TransferBalance_Create``; its reason, channel and logical resource are mandatory too."""

    receiver_logical_resource: Reference
    receiver_bucket: Reference
    receiver_bucket_usage_type: UsageType
    receiver: RelatedParty | None = None
    receiver_product: Reference | None = None
    cost_owner: str = ""


class ReserveBody(ActionBody, frozen=True, omit_defaults=True, kw_only=True, rename="camel"):
    """``ReserveBalance_Create``."""

    party_account: Reference


class PatchBody(msgspec.Struct, frozen=True, kw_only=True):
    """What can be changed afterwards: an action can be cancelled."""

    status: str = ""


_COMMON: Final = (
    "id", "href", "@type", "@baseType", "@schemaLocation", "description", "logicalResource", "partyAccount", "product",
    "relatedParty",
)  # fmt: skip
_ACTION: Final = (
    *_COMMON, "bucket", "status", "statusReason", "requestedDate", "confirmationDate", "reason", "amount",
    "usageType", "channel", "requestor", "validFor",
)  # fmt: skip
_TOPUP: Final = (
    "voucher", "isAutoTopup", "numberOfPeriods", "recurringPeriod", "paymentMethod", "balanceTopup",
)  # fmt: skip
_TRANSFER: Final = (
    "receiverLogicalResource", "receiverBucket", "receiverBucketUsageType", "receiver", "receiverProduct", "costOwner",
    "transferCost",
)  # fmt: skip
_BUCKET: Final = (
    *_COMMON, "name", "isShared", "remainingValue", "remainingValueName", "reservedValue", "status", "usageType",
    "validFor", "requestedDate", "confirmationDate",
)  # fmt: skip


def _kind(name: str, *attributes: str, written: type[ActionBody] | None = None) -> ResourceType:
    return ResourceType(name, name[0].lower() + name[1:], BASE, DOMAIN, frozenset(attributes), written)


BUCKET: Final = _kind("Bucket", *_BUCKET)
ACCUMULATED_BALANCE: Final = _kind("AccumulatedBalance", *_COMMON, "bucket", "name", "totalBalance")
BALANCE_ACTION_HISTORY: Final = _kind("BalanceActionHistory", *_ACTION, *_TOPUP, *_TRANSFER, "adjustType")
TOPUP_BALANCE: Final = _kind("TopupBalance", *_ACTION, *_TOPUP, written=TopupBody)
ADJUST_BALANCE: Final = _kind("AdjustBalance", *_ACTION, "adjustType", written=AdjustBody)
TRANSFER_BALANCE: Final = _kind("TransferBalance", *_ACTION, *_TRANSFER, written=TransferBalanceBody)
# Not in the standard: what listeners are told of thresholds, states and orders.
BALANCE_NOTICE: Final = _kind("BalanceNotice")
RESERVE_BALANCE: Final = _kind("ReserveBalance", *_ACTION, written=ReserveBody)

# Actions, each with what a client may write into it.
BODIES: Final[dict[str, type[ActionBody]]] = {
    TOPUP_BALANCE.path: TopupBody,
    ADJUST_BALANCE.path: AdjustBody,
    TRANSFER_BALANCE.path: TransferBalanceBody,
    RESERVE_BALANCE.path: ReserveBody,
}
ACTIONS: Final = {
    kind.path: kind for kind in (TOPUP_BALANCE, ADJUST_BALANCE, TRANSFER_BALANCE, RESERVE_BALANCE)
}


def body_attributes(body: ActionBody) -> Attributes:
    """What a client wrote, as attributes; decimals stay decimals."""
    attributes: Any = msgspec.to_builtins(body, builtin_types=(Decimal,))
    return attributes
