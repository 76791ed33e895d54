"""Vouchers over the native API, on a real store: codes told once, redeemed once."""

import pytest

from ocs.api import voucher_batches
from ocs.api.tokens import make_token

pytestmark = pytest.mark.bounded(30)

BATCH = {"batch": "SPRING", "count": 3, "amount": {"amount": "5.00", "currency": "EUR"}}


@pytest.fixture
async def opened(api):
    body = {
        "account_id": "A1",
        "offers": ["basic"],
        "opening_balance": {"amount": "1", "currency": "EUR"},
    }
    assert (await api.post("/api/v1/accounts", json=body)).status_code == 201
    return api


async def made(api, **changes) -> list[dict]:
    response = await api.post("/api/v1/vouchers", json=BATCH | changes)
    assert response.status_code == 201, response.text
    return response.json()["vouchers"]


async def test_codes_are_in_the_first_answer_and_nowhere_else(opened):
    vouchers = await made(opened)
    assert [each["serial"] for each in vouchers] == [f"SPRING-000000{number}" for number in (1, 2, 3)]
    assert (await opened.post("/api/v1/vouchers", json=BATCH)).status_code == 409
    for name in ("SPRING", "SPRING-0000001"):
        shown = await opened.get(f"/api/v1/vouchers/{name}")
        assert shown.status_code == 200
        assert not any(each["code"] in shown.text for each in vouchers)
    assert (await opened.get("/api/v1/vouchers/SPRING")).json()["states"] == {"generated": 3}
    assert (await opened.get("/api/v1/vouchers/NONE")).status_code == 409


async def test_voucher_is_redeemed_once_after_its_batch_was_activated(opened):
    (first, second, third) = await made(opened)
    redemption = {"account_id": "A1", "code": first["code"]}
    assert (await opened.post("/api/v1/redemptions", json=redemption)).status_code == 409  # not active yet
    for _ in range(2):
        active = await opened.patch("/api/v1/vouchers/SPRING", json={"state": "active"})
        assert active.json()["states"] == {"active": 3}
    receipt, again = [(await opened.post("/api/v1/redemptions", json=redemption)).json() for _ in range(2)]
    assert (receipt["balance"]["amount"], receipt["repeated"], again["repeated"]) == ("6.00", False, True)
    blocked = await opened.patch(f"/api/v1/vouchers/{second['serial']}", json={"state": "blocked"})
    assert blocked.json()["states"] == {"blocked": 1}
    refused = await opened.post("/api/v1/redemptions", json=redemption | {"code": second["code"]})
    assert refused.status_code == 409
    # What is redeemed stays so; the rest of the batch is blocked.
    await opened.patch("/api/v1/vouchers/SPRING", json={"state": "blocked"})
    assert (await opened.get("/api/v1/vouchers/SPRING")).json()["states"] == {"blocked": 2, "redeemed": 1}
    used = await opened.patch(f"/api/v1/vouchers/{first['serial']}", json={"state": "blocked"})
    assert used.status_code == 409
    one = (await opened.get(f"/api/v1/vouchers/{first['serial']}")).json()
    assert (one["account_id"], one["amount"]["amount"]) == ("A1", "5.00")
    assert third["code"] not in str(one)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"count": 0}, 409), ({"count": 1_000_000}, 409), ({"batch": "a b"}, 409),
        ({"amount": {"amount": "0", "currency": "EUR"}}, 409), ({"amount": {"amount": "1", "currency": "USD"}}, 409),
        ({"valid_until": "2030-01-01T00:00:00"}, 409), ({"valid_until": "soon"}, 400), ({"colour": "red"}, 400),
    ],
)  # fmt: skip
async def test_batch_that_makes_no_sense_is_refused(api, changes: dict, status: int):
    response = await api.post("/api/v1/vouchers", json=BATCH | changes)
    assert response.status_code == status, response.text


async def test_batch_says_until_when_it_pays(api):
    response = await api.post("/api/v1/vouchers", json=BATCH | {"valid_until": "2030-01-31T00:00:00+01:00"})
    assert response.json()["valid_until"] == "2030-01-30T23:00:00.000Z"
    expired = await api.post(
        "/api/v1/vouchers", json=BATCH | {"batch": "OLD", "valid_until": "2020-01-01T00:00:00Z"}
    )
    assert expired.status_code == 201
    assert (await api.get("/api/v1/vouchers/OLD")).json()["states"] == {"expired": 3}


async def test_batch_too_large_for_one_request_is_left_to_the_command_line(opened, monkeypatch):
    (first, *_) = await made(opened)
    monkeypatch.setattr(voucher_batches, "VOUCHERS_PER_REQUEST_MAX", 2)
    refused = await opened.patch("/api/v1/vouchers/SPRING", json={"state": "active"})
    assert (refused.status_code, "ocs voucher" in refused.json()["detail"]) == (409, True)
    assert (
        await opened.patch(f"/api/v1/vouchers/{first['serial']}", json={"state": "active"})
    ).status_code == 200


async def test_vouchers_are_made_with_a_scope_of_their_own(api, tokens):
    shop, text = make_token("shop", ("balance:topup", "balance:adjust", "account:write"), now_ms=0)
    tokens.add(shop)
    headers = {"Authorization": f"Bearer {text}"}
    assert (await api.post("/api/v1/vouchers", json=BATCH, headers=headers)).status_code == 403
    assert (await api.patch("/api/v1/vouchers/X", json={}, headers=headers)).status_code == 403
    made_, text = make_token("maker", ("voucher:write",), now_ms=0)
    tokens.add(made_)
    headers = {"Authorization": f"Bearer {text}"}
    assert (await api.post("/api/v1/redemptions", json={}, headers=headers)).status_code == 403
