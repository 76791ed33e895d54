"""The API described for programs (OpenAPI 3.1): what litestar knows of the routes, and the bodies that we read."""

from typing import Any, Final, cast

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

_REFERENCES: Final = "#/components/schemas/{name}"
_TMF: Final = "/tmf-api/"
# What clients send with a request, by the last part of its path.
EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "accounts": {
        "account_id": "A1",
        "identities": ["e164:491710000001", "imsi:262010000000001"],
        "offers": ["prepaid-basic"],
        "opening_balance": {"amount": "10.00", "currency": "EUR"},
    },
    "subscribers": {
        "account_id": "A1",
        "subscriber_id": "A1-2",
        "identities": ["e164:491710000002"],
        "offers": ["prepaid-basic"],
    },
    "topups": {"account_id": "A1", "amount": {"amount": "5.00", "currency": "EUR"}, "reference": "payment-7"},
    "adjustments": {
        "account_id": "A1",
        "amount": {"amount": "-1.50", "currency": "EUR"},
        "reason": "billing-error",
        "reference": "case-12",
    },
    "transfers": {
        "account_id": "A1",
        "to_account_id": "A2",
        "amount": {"amount": "2.00", "currency": "EUR"},
        "reference": "gift-3",
    },
    "reservations": {
        "account_id": "A1",
        "amount": {"amount": "3.00", "currency": "EUR"},
        "reference": "basket-9",
    },
    "deductions": {
        "account_id": "A1",
        "reservation": "basket-9",
        "amount": {"amount": "2.50", "currency": "EUR"},
        "reference": "basket-9-paid",
    },
    "releases": {"account_id": "A1", "reservation": "basket-9", "reference": "basket-9-over"},
    "{account_id}": {"state": "suspended", "reference": "case-13"},
    "{subscriber_id}": {
        "account_id": "A1",
        "reference": "case-14",
        "limits": [{"limit_id": "limit.month", "unit": "money", "period": "month", "amount": "20.00"}],
    },
    "purchases": {
        "account_id": "A1",
        "subscriber_id": "A1",
        "offer_id": "prepaid-basic",
        "reference": "shop-1",
    },
    "cancellations": {
        "account_id": "A1",
        "subscriber_id": "A1",
        "offer_id": "prepaid-basic",
        "at_period_end": True,
        "reference": "shop-2",
    },
    "orders": {
        "account_id": "A1",
        "subscriber_id": "A1",
        "offer_id": "prepaid-basic",
        "charge_id": "sim-swap",
        "reference": "shop-3",
    },
    "vouchers": {"batch": "SPRING", "count": 10, "amount": {"amount": "10.00", "currency": "EUR"}},
    "{name}": {"state": "active"},
    "payments": {"account_id": "A1", "reference": "auto:0123456789abcdef", "state": "paid"},
    "redemptions": {"account_id": "A1", "code": "1234567890123456"},
    "reauthorisations": {"session_id": "pgw1.lab.example;1;2"},
    "topupBalance": {
        "amount": {"amount": 5.00, "units": "EUR"},
        "usageType": "monetary",
        "bucket": {"id": "A1:main"},
        "partyAccount": {"id": "A1"},
        "channel": {"id": "app"},
    },
    "adjustBalance": {
        "amount": {"amount": -1.50, "units": "EUR"},
        "usageType": "monetary",
        "bucket": {"id": "A1:main"},
        "adjustType": "oneTime",
        "reason": "goodwill",
    },
    "transferBalance": {
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
    "reserveBalance": {
        "amount": {"amount": 3, "units": "EUR"},
        "usageType": "monetary",
        "bucket": {"id": "A1:main"},
        "partyAccount": {"id": "A1"},
    },
    "hub": {"callback": "https://crm.example/events", "query": "eventType=TopupBalanceCreateEvent"},
    "{identifier}": {"status": "cancelled"},
}


def describe(app: Litestar) -> bytes:
    """The description as JSON."""
    document: dict[str, Any] = app.openapi_schema.to_schema()
    bodies = _bodies(app)
    kinds = list(dict.fromkeys(bodies.values()))
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REFERENCES)
    by_body = dict(zip(kinds, schemas, strict=True))
    document.setdefault("components", {}).setdefault("schemas", {}).update(components)
    for (path, method), body in bodies.items():
        content: dict[str, Any] = {"schema": by_body[body]}
        example = EXAMPLES.get(path.rpartition("/")[2])
        if example is not None:
            content["example"] = example
        operation = document["paths"][path][method]
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    for path, operations in document["paths"].items():
        if path.startswith(_TMF) and "post" in operations and not path.endswith("/hub"):
            operations["post"].setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
    return msgspec.json.encode(document)


_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "the request's own name: sent again under the same name it is done once, and answered alike",
    "schema": {"type": "string", "maxLength": 128},
}


def _bodies(app: Litestar) -> dict[tuple[str, str], type]:
    """What each route reads, by its path in the description and its method."""
    found: dict[tuple[str, str], type] = {}
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            body = cast("HTTPRouteHandler", handler).opt.get("body")
            if body is not None:
                for method in handler.http_methods:
                    found[route.path_format, method.lower()] = body
    return found
