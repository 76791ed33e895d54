"""The native API's movements of money by hand, on a real store: once per reference, never more than there is."""

import pytest

from ocs.api.tokens import make_token

pytestmark = pytest.mark.bounded(30)


def euros(amount: str) -> dict:
    return {"amount": amount, "currency": "EUR"}


@pytest.fixture
async def opened(api):
    for name in ("A1", "A2"):
        body = {"account_id": name, "offers": ["basic"], "opening_balance": euros("10.00")}
        assert (await api.post("/api/v1/accounts", json=body)).status_code == 201
    return api


async def balances(api, account_id: str) -> tuple[str, str, str]:
    account = (await api.get(f"/api/v1/accounts/{account_id}")).json()
    return tuple(account[name]["amount"] for name in ("balance", "reserved", "available"))


async def twice(api, path: str, body: dict) -> dict:
    """Send a write twice: done once, and the repeat says so with the first figures."""
    first, again = [await api.post(f"/api/v1/{path}", json=body) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 201), first.text
    assert again.json() == first.json() | {"repeated": True}
    assert first.json()["repeated"] is False
    return first.json()


async def test_adjustment_is_made_once_per_reference_and_tells_its_reason(opened):
    body = {"account_id": "A1", "amount": euros("-2.50"), "reason": "billing-error", "reference": "C1"}
    receipt = await twice(opened, "adjustments", body)
    assert receipt["balance"]["amount"] == "7.50"
    event = (await opened.get("/api/v1/events?account_id=A1&limit=1")).json()["items"][0]
    assert (event["kind"], event["reason"], event["amount"]["amount"]) == (
        "adjustment", "billing-error", "-2.50",
    )  # fmt: skip
    assert (await opened.post("/api/v1/adjustments", json=body | {"reason": "goodwill"})).status_code == 409


async def test_adjustment_takes_no_more_than_is_available(opened):
    body = {"account_id": "A1", "amount": euros("-10.01"), "reason": "billing-error", "reference": "C2"}
    assert (await opened.post("/api/v1/adjustments", json=body)).status_code == 409
    assert await balances(opened, "A1") == ("10.00", "0.00", "10.00")


async def test_transfer_leaves_the_sum_of_both_accounts_as_it_was(opened):
    body = {"account_id": "A1", "to_account_id": "A2", "amount": euros("3.00"), "reference": "T1"}
    receipt = await twice(opened, "transfers", body)
    assert (receipt["account_id"], receipt["balance"]["amount"]) == ("A1", "7.00")
    assert (await balances(opened, "A2"))[0] == "13.00"
    refused = await opened.post("/api/v1/transfers", json=body | {"to_account_id": "A9", "reference": "T2"})
    assert refused.status_code == 409
    assert (await balances(opened, "A1"))[0] == "7.00"


async def test_reservation_is_seen_taken_in_part_and_given_back(opened):
    await twice(opened, "reservations", {"account_id": "A1", "amount": euros("4"), "reference": "B1"})
    buckets = (await opened.get("/api/v1/accounts/A1")).json()["buckets"]
    assert sorted((each["bucket_id"], each["value"]) for each in buckets) == [
        ("main", 6_000_000), ("set-aside.B1", 4_000_000),
    ]  # fmt: skip
    spent = {"account_id": "A1", "amount": euros("-6.01"), "reason": "use", "reference": "C3"}
    assert (await opened.post("/api/v1/adjustments", json=spent)).status_code == 409
    deduction = {"account_id": "A1", "reservation": "B1", "amount": euros("1.50"), "reference": "B1-paid"}
    assert (await twice(opened, "deductions", deduction))["balance"]["amount"] == "8.50"
    await twice(opened, "releases", {"account_id": "A1", "reservation": "B1", "reference": "B1-over"})
    assert await balances(opened, "A1") == ("8.50", "0.00", "8.50")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("adjustments", {"account_id": "A1", "amount": euros("0"), "reason": "use", "reference": "X"}, 409),
        ("adjustments", {"account_id": "A1", "amount": euros("1"), "reason": "Not a code", "reference": "X"}, 409),
        ("adjustments", {"account_id": "A9", "amount": euros("1"), "reason": "use", "reference": "X"}, 409),
        ("adjustments", {"account_id": "A1", "amount": euros("x"), "reason": "use", "reference": "X"}, 400),
        ("adjustments", {"account_id": "A1", "amount": euros("1"), "reference": "X"}, 400),
        ("transfers", {"account_id": "A1", "to_account_id": "A1", "amount": euros("1"), "reference": "X"}, 409),
        ("reservations", {"account_id": "A1", "amount": euros("11"), "reference": "X"}, 409),
        ("releases", {"account_id": "A1", "reservation": "none", "reference": "X"}, 409),
    ],
)  # fmt: skip
async def test_movement_that_makes_no_sense_is_refused_and_moves_nothing(opened, path, body, status):
    response = await opened.post(f"/api/v1/{path}", json=body)
    assert (response.status_code, bool(response.json()["detail"])) == (status, True)
    assert await balances(opened, "A1") == ("10.00", "0.00", "10.00")


async def test_movement_needs_the_scope_for_it(api, tokens):
    made, text = make_token("shop", ("balance:read", "balance:topup", "account:write"), now_ms=0)
    tokens.add(made)
    for path in ("adjustments", "transfers", "reservations", "deductions", "releases"):
        response = await api.post(f"/api/v1/{path}", json={}, headers={"Authorization": f"Bearer {text}"})
        assert response.status_code == 403, path
