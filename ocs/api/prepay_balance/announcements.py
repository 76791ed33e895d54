"""Charge events as TMF654's listeners are told of them. Pure.

``BalanceActionHistoryCreateEvent`` tells of whatever moved a balance from outside its sessions, through any door;
``BalanceNoticeCreateEvent``, which is not in the standard, tells of thresholds, states and orders. What sessions use is
not told event by event: that is what thresholds are for.
"""

from decimal import Decimal
from typing import Any

from ocs.api.prepay_balance.resources import BALANCE_ACTION_HISTORY, BALANCE_NOTICE
from ocs.api.prepay_balance.views import account_reference, bucket_reference, history_views
from ocs.api.tmf.delivery import make_event
from ocs.api.tmf.resources import Attributes, date_time
from ocs.events import ChargeEvent, Notice, NoticeKind
from ocs.subscribers.auto_top_up import payment_reference
from ocs.units import format_micro


def announcement(event: ChargeEvent) -> dict[str, Any] | None:
    """What listeners are told of a charge event; None when they are not."""
    if event.notice is not None:
        kind, resource = BALANCE_NOTICE, _notice_view(event, event.notice)
    else:
        views = history_views((event,))
        if not views:
            return None
        kind, resource = BALANCE_ACTION_HISTORY, views[0]
    return make_event(kind, "Create", resource, event_id=event.event_id, now_ms=event.event_time_ms)


def _notice_view(event: ChargeEvent, notice: Notice) -> Attributes:
    attributes: Attributes = {
        "id": f"{event.account_id}:{event.sequence}",
        "@type": BALANCE_NOTICE.name,
        "noticeType": str(notice.kind),
        "partyAccount": account_reference(event.account_id),
        "confirmationDate": date_time(event.event_time_ms),
    }
    if event.subscriber_id:
        attributes["logicalResource"] = {"id": event.subscriber_id, "@referredType": "LogicalResource"}
    return attributes | _told(event, notice)


def _told(event: ChargeEvent, notice: Notice) -> Attributes:
    """What a notice of its kind tells."""

    def money(micro: int) -> Attributes:
        return {"amount": Decimal(format_micro(micro)), "units": event.currency}

    match notice.kind:
        case NoticeKind.BUNDLE:
            bucket = bucket_reference(event.account_id, notice.subject)
            return {"bucket": bucket, "usedPercent": notice.threshold, "remaining": notice.value}
        case NoticeKind.LOW_BALANCE:
            return {"threshold": money(notice.threshold), "balance": money(notice.value)}
        case NoticeKind.CREDIT_LIMIT:
            return {"usedPercent": notice.threshold, "balance": money(notice.value)}
        case NoticeKind.SPENDING_LIMIT:
            return {"limit": notice.subject, "usedPercent": notice.threshold, "used": notice.value}
        case NoticeKind.AUTO_TOP_UP:
            return {
                "threshold": money(notice.threshold),
                "amount": money(notice.value),
                "paymentMethod": {"id": notice.subject},
                "reference": payment_reference(event),
            }
        case NoticeKind.ACCOUNT_STATE | NoticeKind.SUBSCRIBER_STATE:
            return {"status": notice.subject}
        case NoticeKind.TERMS | NoticeKind.SUBSCRIPTION:
            return {"description": notice.subject}
