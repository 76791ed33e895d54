"""What clients send to TMF654, for its description."""

from typing import Any, Final

from ocs.api.prepay_balance.resources import (
    ADJUST_BALANCE,
    RESERVE_BALANCE,
    TOPUP_BALANCE,
    TRANSFER_BALANCE,
)

MADE: Final[dict[str, dict[str, Any]]] = {
    TOPUP_BALANCE.path: {
        "amount": {"amount": 5.00, "units": "EUR"},
        "usageType": "monetary",
        "bucket": {"id": "A1:main"},
        "partyAccount": {"id": "A1"},
        "channel": {"id": "app"},
    },
    ADJUST_BALANCE.path: {
        "amount": {"amount": -1.50, "units": "EUR"},
        "usageType": "monetary",
        "bucket": {"id": "A1:main"},
        "adjustType": "oneTime",
        "reason": "goodwill",
    },
    TRANSFER_BALANCE.path: {
        "amount": {"amount": 2, "units": "EUR"},
        "usageType": "monetary",
        "bucket": {"id": "A1:main"},
        "logicalResource": [{"id": "491710000001"}],
        "receiverBucket": {"id": "A2:main"},
        "receiverBucketUsageType": "monetary",
        "receiverLogicalResource": {"id": "491710000002"},
        "channel": {"id": "app"},
        "reason": "gift",
    },
    RESERVE_BALANCE.path: {
        "amount": {"amount": 3, "units": "EUR"},
        "usageType": "monetary",
        "bucket": {"id": "A1:main"},
        "partyAccount": {"id": "A1"},
    },
}
CANCELLED: Final = {"status": "cancelled"}
