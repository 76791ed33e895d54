"""States, credit, limits and offers over the native API, on a real store."""

import pytest

from ocs.api.tokens import make_token

pytestmark = pytest.mark.bounded(30)


def euros(amount: str) -> dict:
    return {"amount": amount, "currency": "EUR"}


@pytest.fixture
async def opened(api):
    body = {
        "account_id": "A1",
        "identities": ["e164:491710000001"],
        "offers": ["basic"],
        "opening_balance": euros("10.00"),
    }
    assert (await api.post("/api/v1/accounts", json=body)).status_code == 201
    return api


async def changed(api, path: str, body: dict) -> dict:
    """Send a change twice: the repeat shows the same."""
    first, again = [await api.patch(f"/api/v1/{path}", json=body) for _ in range(2)]
    assert (first.status_code, again.status_code) == (200, 200), first.text
    assert first.json() == again.json()
    return first.json()


async def test_account_is_barred_let_in_again_and_closed_for_good(opened):
    for number, state in enumerate(("suspended", "active", "one_way_barred", "closed")):
        body = {"state": state, "reference": f"S{number}"}
        assert (await changed(opened, "accounts/A1", body))["state"] == state
    refused = await opened.patch("/api/v1/accounts/A1", json={"state": "active", "reference": "S9"})
    assert refused.status_code == 409
    # A closed account's numbers are free again.
    again = {"account_id": "A2", "identities": ["e164:491710000001"], "offers": ["basic"]}
    assert (await opened.post("/api/v1/accounts", json=again)).status_code == 201


async def test_credit_limit_and_order_to_top_up_are_set_shown_and_ended(opened):
    body = {"credit_limit": euros("25"), "reference": "L1"}
    assert (await changed(opened, "accounts/A1", body))["credit_limit"]["amount"] == "25.00"
    order = {"below": euros("2"), "amount": euros("20"), "method": "card-1"}
    shown = (await changed(opened, "accounts/A1", {"auto_top_up": order, "reference": "L2"}))["auto_top_up"]
    assert (shown["below"]["amount"], shown["amount"]["amount"], shown["method"]) == (
        "2.00",
        "20.00",
        "card-1",
    )
    ended = await changed(opened, "accounts/A1", {"auto_top_up": None, "reference": "L3"})
    assert ended["auto_top_up"] is None


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400), ({"state": "active", "credit_limit": euros("1")}, 400), ({"state": "recycled"}, 400),
        ({"credit_limit": euros("-1")}, 409), ({"credit_limit": {"amount": "1", "currency": "USD"}}, 409),
        ({"auto_top_up": {"below": euros("1"), "amount": euros("0")}}, 409),
        ({"auto_top_up": {"below": {"amount": 1, "currency": "USD"}, "amount": euros("5")}}, 409),
    ],
)  # fmt: skip
async def test_account_change_that_makes_no_sense_is_refused(opened, body: dict, status: int):
    before = (await opened.get("/api/v1/accounts/A1")).json()
    response = await opened.patch("/api/v1/accounts/A1", json=body | {"reference": "R"})
    assert response.status_code == status, response.text
    assert (await opened.get("/api/v1/accounts/A1")).json() == before


async def test_account_that_is_not_there_is_refused(api):
    response = await api.patch("/api/v1/accounts/A9", json={"state": "active", "reference": "R"})
    assert response.status_code == 409


async def test_subscriber_is_barred_and_let_in_again(opened):
    for number, state in enumerate(("suspended", "active")):
        body = {"account_id": "A1", "state": state, "reference": f"S{number}"}
        assert (await changed(opened, "subscribers/A1", body))["state"] == state


async def test_subscriber_gets_limits_numbers_and_groups(opened):
    limits = [
        {"limit_id": "limit.month", "unit": "money", "period": "month", "amount": "20.00"},
        {"limit_id": "limit.day", "unit": "total_octets", "period": "day", "amount": 1_000_000},
    ]
    body = {
        "account_id": "A1",
        "limits": limits,
        "favourites": ["491710000009"],
        "groups": ["club"],
        "identities": ["e164:491710000001", "imsi:262010000000001"],
    }
    shown = await changed(opened, "subscribers/A1", body | {"reference": "P1"})
    assert [(each["limit_id"], each["amount"], each["used"]) for each in shown["limits"]] == [
        ("limit.month", 20_000_000, 0), ("limit.day", 1_000_000, 0),
    ]  # fmt: skip
    assert (shown["favourites"], shown["groups"]) == (["491710000009"], ["club"])
    found = (await opened.get("/api/v1/subscribers?identity=imsi:262010000000001")).json()["items"]
    assert found == [shown]
    later = await changed(
        opened, "subscribers/A1", {"account_id": "A1", "groups": [], "limits": [], "reference": "P2"}
    )
    assert (later["favourites"], later["groups"], later["limits"]) == (["491710000009"], [], [])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400), ({"state": "active", "groups": []}, 400), ({"identities": ["nonsense"]}, 409),
        ({"limits": [{"limit_id": "month", "unit": "money", "period": "month", "amount": "1"}]}, 409),
        ({"limits": [{"limit_id": "limit.m", "unit": "money", "period": "year", "amount": "1"}]}, 400),
        ({"limits": [{"limit_id": "limit.m", "unit": "time", "period": "day", "amount": "1.5"}]}, 400),
        ({"limits": [{"limit_id": "limit.m", "unit": "money", "period": "day", "amount": "1e99"}]}, 400),
        ({"limits": [{"limit_id": "limit.m", "unit": "money", "period": "day", "amount": "-1"}]}, 409),
    ],
)  # fmt: skip
async def test_subscriber_change_that_makes_no_sense_is_refused(opened, body: dict, status: int):
    response = await opened.patch(
        "/api/v1/subscribers/A1", json=body | {"account_id": "A1", "reference": "R"}
    )
    assert response.status_code == status, response.text


async def test_offer_is_bought_replaced_and_cancelled_once_per_reference(opened):
    names = {"account_id": "A1", "subscriber_id": "A1"}

    async def offers() -> list[str]:
        return (await opened.get("/api/v1/subscribers?account_id=A1")).json()["items"][0]["offers"]

    buy = names | {"offer_id": "packs", "reference": "B1"}
    first, again = [await opened.post("/api/v1/purchases", json=buy) for _ in range(2)]
    assert (first.status_code, again.json()["repeated"]) == (201, True), first.text
    assert sorted(await offers()) == ["basic", "packs"]
    swap = names | {"offer_id": "basic", "replaces": "packs", "reference": "B2"}
    assert (await opened.post("/api/v1/purchases", json=swap)).status_code == 409  # held already
    assert sorted(await offers()) == ["basic", "packs"]
    cancel = names | {"offer_id": "packs", "reference": "B3"}
    assert (await opened.post("/api/v1/cancellations", json=cancel)).status_code == 201
    assert await offers() == ["basic"]
    swap = names | {"offer_id": "packs", "replaces": "basic", "reference": "B4"}
    assert (await opened.post("/api/v1/purchases", json=swap)).status_code == 201
    assert await offers() == ["packs"]
    assert (await opened.post("/api/v1/cancellations", json=cancel | {"reference": "B5"})).status_code == 201
    assert (await opened.post("/api/v1/cancellations", json=cancel | {"reference": "B6"})).status_code == 409


async def test_offer_ends_at_a_time_that_has_a_zone(opened):
    buy = {"account_id": "A1", "subscriber_id": "A1", "offer_id": "packs", "reference": "B1"}
    without = await opened.post("/api/v1/purchases", json=buy | {"until": "2030-01-31T00:00:00"})
    assert without.status_code == 409
    assert (
        await opened.post("/api/v1/purchases", json=buy | {"until": "2030-01-31T00:00:00+01:00"})
    ).status_code == 201
    found = (await opened.get("/api/v1/subscribers?account_id=A1")).json()["items"][0]["subscriptions"]
    assert {each["offer_id"]: each["until"] for each in found}["packs"] == "2030-01-30T23:00:00.000Z"


async def test_charge_that_no_offer_has_is_refused(opened):
    order = {
        "account_id": "A1", "subscriber_id": "A1", "offer_id": "basic", "charge_id": "none", "reference": "O1",
    }  # fmt: skip
    assert (await opened.post("/api/v1/orders", json=order)).status_code == 409


async def test_terms_need_the_scope_for_them(api, tokens):
    made, text = make_token("shop", ("balance:read", "balance:topup", "balance:adjust"), now_ms=0)
    tokens.add(made)
    calls = [
        ("patch", "accounts/A1"), ("patch", "subscribers/A1"), ("post", "purchases"), ("post", "cancellations"),
        ("post", "orders"),
    ]  # fmt: skip
    for method, path in calls:
        headers = {"Authorization": f"Bearer {text}"}
        response = await api.request(method, f"/api/v1/{path}", json={}, headers=headers)
        assert response.status_code == 403, path
