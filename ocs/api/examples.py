"""What clients send to the native API, for its description."""

from typing import Final

ACCOUNT: Final = {
    "account_id": "A1",
    "identities": ["e164:491710000001", "imsi:262010000000001"],
    "offers": ["prepaid-basic"],
    "opening_balance": {"amount": "10.00", "currency": "EUR"},
}
SUBSCRIBER: Final = {
    "account_id": "A1",
    "subscriber_id": "A1-2",
    "identities": ["e164:491710000002"],
    "offers": ["prepaid-basic"],
}
TOP_UP: Final = {
    "account_id": "A1",
    "amount": {"amount": "5.00", "currency": "EUR"},
    "reference": "payment-7",
}
ADJUSTMENT: Final = {
    "account_id": "A1",
    "amount": {"amount": "-1.50", "currency": "EUR"},
    "reason": "billing-error",
    "reference": "case-12",
}
TRANSFER: Final = {
    "account_id": "A1",
    "to_account_id": "A2",
    "amount": {"amount": "2.00", "currency": "EUR"},
    "reference": "gift-3",
}
RESERVATION: Final = {
    "account_id": "A1",
    "amount": {"amount": "3.00", "currency": "EUR"},
    "reference": "basket-9",
}
DEDUCTION: Final = {
    "account_id": "A1",
    "reservation": "basket-9",
    "amount": {"amount": "2.50", "currency": "EUR"},
    "reference": "basket-9-paid",
}
RELEASE: Final = {"account_id": "A1", "reservation": "basket-9", "reference": "basket-9-over"}
ACCOUNT_CHANGE: Final = {"state": "suspended", "reference": "case-13"}
SUBSCRIBER_CHANGE: Final = {
    "account_id": "A1",
    "reference": "case-14",
    "limits": [{"limit_id": "limit.month", "unit": "money", "period": "month", "amount": "20.00"}],
}
PURCHASE: Final = {
    "account_id": "A1",
    "subscriber_id": "A1",
    "offer_id": "prepaid-basic",
    "reference": "shop-1",
}
CANCELLATION: Final = {
    "account_id": "A1",
    "subscriber_id": "A1",
    "offer_id": "prepaid-basic",
    "at_period_end": True,
    "reference": "shop-2",
}
ORDER: Final = {
    "account_id": "A1",
    "subscriber_id": "A1",
    "offer_id": "prepaid-basic",
    "charge_id": "sim-swap",
    "reference": "shop-3",
}
VOUCHER_BATCH: Final = {"batch": "SPRING", "count": 10, "amount": {"amount": "10.00", "currency": "EUR"}}
VOUCHER_STATE: Final = {"state": "active"}
PAYMENT: Final = {"account_id": "A1", "reference": "auto:0123456789abcdef", "state": "paid"}
REDEMPTION: Final = {"account_id": "A1", "code": "1234567890123456"}
REAUTHORISATION: Final = {"session_id": "pgw1.lab.example;1;2"}
