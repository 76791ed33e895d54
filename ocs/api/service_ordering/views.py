"""Orders as TMF641 shows them: what was ordered, and how far it has come by its transactions. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ocs.api.service_activation.monitors import WORDS
from ocs.api.service_inventory.resources import SERVICE
from ocs.api.service_ordering.resources import CANCEL_SERVICE_ORDER, SERVICE_ORDER
from ocs.api.tmf.resources import Attributes, date_time, identified
from ocs.provisioning.transactions.states import TransactionState

_ENDED: Final = frozenset({"completed", "failed", "cancelled"})


def state_of(words: Iterable[str]) -> str:
    """The state of an order (TMF641 ServiceOrderStateType) from those of its items."""
    counts = Counter(words)
    kinds = set(counts)
    if len(kinds) == 1:
        return kinds.pop()
    if not kinds <= _ENDED:
        return "inProgress"
    return "partial" if "completed" in kinds else "failed"


def order_view(
    order_id: str,
    content: Mapping[str, Any],
    created_ms: int,
    standing: Mapping[int, tuple[TransactionState, str, int]],
) -> Attributes:
    """An order.

    Args:
        content: as it was ordered. standing: place of an item -> state of its transaction, why, since when in ms.
    """
    items = [_item(item, standing.get(place)) for place, item in enumerate(content["serviceOrderItem"])]
    state = state_of(item["state"] for item in items)
    ended_ms = max((since_ms for _, _, since_ms in standing.values()), default=created_ms)
    return identified(
        SERVICE_ORDER,
        order_id,
        {
            **content,
            "serviceOrderItem": items,
            "state": state,
            "orderDate": date_time(created_ms),
            "completionDate": date_time(ended_ms) if state not in {"acknowledged", "inProgress"} else None,
        },
    )


def _item(item: Mapping[str, Any], standing: tuple[TransactionState, str, int] | None) -> Attributes:
    # What a journal does not know any more has long ended.
    state, reason, _ = standing or (TransactionState.DONE, "", 0)
    shown: Attributes = {
        **item,
        "state": WORDS[state],
        "service": {**item["service"], "href": SERVICE.href(item["service"]["id"])},
    }
    return shown | ({"errorMessage": [{"message": reason}]} if reason and WORDS[state] in _ENDED else {})


def cancellation_view(
    cancellation_id: str, *, order_id: str, reason: str, state: str, asked_ms: int
) -> Attributes:
    """What was cancelled of an order, or that nothing could be."""
    return identified(
        CANCEL_SERVICE_ORDER,
        cancellation_id,
        {
            "serviceOrder": {"id": order_id, "href": SERVICE_ORDER.href(order_id)},
            "cancellationReason": reason or None,
            "state": state,
            "requestedCancellationDate": date_time(asked_ms),
            "effectiveCancellationDate": date_time(asked_ms) if state == "done" else None,
        },
    )
