"""Who may do what: scopes, challenges, open reads on loopback, and what closes them."""

import pytest
import structlog
import trio

from ocs.api.access import FailureLimiter
from ocs.api.tokens import Scope, make_token
from ocs.limits import (
    TOKEN_FAILURE_WINDOW_S,
    TOKEN_FAILURES_MAX,
    TOKEN_REFUSAL_DELAY_S,
    TOKEN_SOURCES_MAX,
)

pytestmark = pytest.mark.bounded(20)

TOPUP = {"account_id": "a1", "amount": {"amount": "1", "currency": "EUR"}, "reference": "r"}


@pytest.fixture
async def client(make_parts, connect_to, reader):
    async with connect_to(make_parts(reader, None)) as client:
        yield client


@pytest.fixture
async def closed(make_parts, connect_to, reader):
    async with connect_to(make_parts(reader, None, reads_need_token=True)) as client:
        yield client


def bearer(tokens, *scopes: Scope, **arguments) -> dict[str, str]:
    made, text = make_token("tests", tuple(map(str, scopes)), now_ms=0, **arguments)
    tokens.add(made)
    return {"Authorization": f"Bearer {text}"}


async def test_reads_are_open_on_this_machine(client):
    assert (await client.get("/api/v1/accounts/a1")).status_code == 200
    assert (await client.get("/api/v1/accounts/a1", headers={"Host": "localhost:8080"})).status_code == 200
    assert (await client.get("/api/v1/accounts/a1", headers={"Host": "[::1]:8080"})).status_code == 200


@pytest.mark.parametrize(
    "header",
    [{"Host": "evil.example"}, {"Host": "127.0.0.1.evil.example:8080"}, {"X-Forwarded-For": "198.51.100.1"},
     {"Forwarded": "for=198.51.100.1"}, {"Via": "1.1 proxy"}, {"Host": "[::1].evil"}],
)  # fmt: skip
async def test_read_that_came_through_a_proxy_or_by_another_name_needs_a_token(client, header):
    response = await client.get("/api/v1/accounts/a1", headers=header)
    assert (response.status_code, response.headers["www-authenticate"]) == (401, 'Bearer realm="ocs"')


async def test_reads_need_a_token_when_the_setting_says_so(closed, tokens):
    assert (await closed.get("/api/v1/accounts/a1")).status_code == 401
    response = await closed.get("/api/v1/accounts/a1", headers=bearer(tokens, Scope.BALANCE_READ))
    assert response.status_code == 200


async def test_reads_need_a_token_beyond_loopback(make_parts, connect_to, reader):
    async with connect_to(make_parts(reader, None, host="0.0.0.0")) as client:
        assert (await client.get("/api/v1/accounts")).status_code == 401
        assert (await client.get("/metrics")).status_code == 401
        assert (await client.get("/healthz")).status_code == 200


async def test_write_needs_a_token_on_loopback_too(client):
    assert (await client.post("/api/v1/topups", json=TOPUP)).status_code == 401


async def test_token_without_the_scope_is_forbidden_and_told_which(client, tokens):
    response = await client.post("/api/v1/topups", json=TOPUP, headers=bearer(tokens, Scope.BALANCE_READ))
    assert response.status_code == 403
    assert response.headers["www-authenticate"] == (
        'Bearer realm="ocs", error="insufficient_scope", scope="balance:topup"'
    )


@pytest.mark.parametrize("text", ["Bearer x", "Bearer", "Basic eDp5", "bearer ocs_aaaaaaaa_" + "x" * 43])
async def test_wrong_token_is_refused_also_where_none_is_needed(client, text: str):
    response = await client.get("/api/v1/accounts/a1", headers={"Authorization": text})
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="ocs", error="invalid_token"'


async def test_token_that_is_over_is_refused(client, tokens):
    headers = bearer(tokens, Scope.BALANCE_READ, expires_ms=1)
    assert (await client.get("/api/v1/accounts/a1", headers=headers)).status_code == 401


async def test_error_below_tmf_api_has_the_tm_forums_body(closed):
    response = await closed.get("/tmf-api/prepayBalanceManagement/v4/bucket")
    assert (response.status_code, response.json()["code"]) == (401, "401")


async def flood(client, count: int = TOKEN_FAILURES_MAX) -> None:
    for _ in range(count):
        await client.get("/api/v1/accounts/a1", headers={"Authorization": "Bearer x"})


async def test_right_token_is_served_whatever_else_comes_from_its_address(client, tokens):
    good = bearer(tokens, Scope.BALANCE_READ)
    await flood(client)
    assert (await client.get("/api/v1/accounts/a1", headers=good)).status_code == 200
    assert (await client.get("/healthz")).status_code == 200


async def test_address_that_guesses_is_told_so_and_waits_for_each_answer(client, autojump_clock):
    await flood(client)
    before_s = trio.current_time()
    for wrong in ("Bearer x", "Basic eDp5"):  # neither is looked up in a thread, for which no clock waits
        response = await client.get("/api/v1/accounts/a1", headers={"Authorization": wrong})
        assert (response.status_code, "retry-after" in response.headers) == (429, True)
    assert trio.current_time() - before_s >= 2 * TOKEN_REFUSAL_DELAY_S


async def test_answers_that_wait_have_a_bound(client, autojump_clock, monkeypatch):
    monkeypatch.setattr("ocs.api.access.TOKEN_REFUSALS_DELAYED_MAX", 2)
    await flood(client)
    ended_s: list[float] = []

    async def guess() -> None:
        await client.get("/api/v1/accounts/a1", headers={"Authorization": "Bearer x"})
        ended_s.append(trio.current_time())

    before_s = trio.current_time()
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(guess)
    assert sum(moment - before_s >= TOKEN_REFUSAL_DELAY_S for moment in ended_s) == 2


async def test_refusals_are_one_line_without_the_token(client):
    with structlog.testing.capture_logs() as lines:
        for _ in range(5):
            await client.get("/api/v1/accounts/a1", headers={"Authorization": "Bearer hunter2"})
    (line,) = lines
    assert (line["event"], line["status"]) == ("http_request_refused", 401)
    assert "hunter2" not in str(lines)


async def test_unknown_parameter_is_refused_and_named(client):
    for name in ("limt", "reader", "request"):
        response = await client.get(f"/api/v1/accounts?{name}=1")
        assert (response.status_code, response.json()["detail"]) == (
            400,
            f"{name}: there is no such parameter",
        )


def test_failures_are_forgotten_after_the_window():
    limiter = FailureLimiter()
    for _ in range(TOKEN_FAILURES_MAX):
        limiter.note("a", 1_000)
    window_ms = int(TOKEN_FAILURE_WINDOW_S * 1000)
    assert limiter.wait_s("a", 1_000 + window_ms - 1) == 1
    assert limiter.wait_s("a", 1_000 + window_ms) == 0
    limiter.note("a", 1_000 + window_ms)
    assert limiter.wait_s("a", 1_000 + window_ms) == 0
    assert limiter.wait_s("b", 1_000) == 0


def test_failures_of_many_addresses_have_a_bound():
    limiter = FailureLimiter()
    for number in range(TOKEN_SOURCES_MAX * 2):
        limiter.note(str(number), 1)
    assert len(limiter._seen) == TOKEN_SOURCES_MAX
