"""Every page and resource, through the application without a socket."""

import re
from urllib.parse import quote

import httpx
import msgspec
import pytest

from ocs.api.workers import WorkerOverview
from ocs.clock import ManualClock
from ocs.metrics import Registry

pytestmark = pytest.mark.bounded(20)


@pytest.fixture
def workers(channels, find, reader) -> WorkerOverview:
    return WorkerOverview(find(*channels), reader, ManualClock(0), registry=Registry())


@pytest.fixture
async def client(make_parts, connect_to, workers, reader):
    async with connect_to(make_parts(reader, workers)) as client:
        yield client


def problem(response: httpx.Response, status: int) -> dict:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    content = response.json()
    assert content["status"] == status
    return content


async def test_health_tells_that_the_process_lives(client):
    response = await client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_readiness_names_what_was_looked_at(client):
    response = await client.get("/readyz")
    assert response.status_code == 200
    assert response.json()["ready"] is True
    assert [check["name"] for check in response.json()["checks"]] == ["store", "worker-0", "worker-1"]


async def test_readiness_without_the_store_is_a_503_that_says_why(client, reader):
    reader.break_down()
    content = problem(await client.get("/readyz"), 503)
    assert content["detail"] == "not all of the store answers"
    assert content["checks"][0] == {"name": "store", "ok": False, "detail": "not all of the store answers"}


async def test_metrics_are_prometheus_text(client):
    response = await client.get("/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'ocs_diameter_requests_total{request_type="update"} 3.0\n' in response.text


async def test_status_and_peers(client):
    assert (await client.get("/api/v1/status")).json()["requests"] == 3
    peers = (await client.get("/api/v1/peers")).json()
    assert peers["items"][0]["connection"]["origin_host"] == "pgw.example"
    assert peers["silent_workers"] == {}


async def test_accounts_are_listed_page_by_page(client):
    first = (await client.get("/api/v1/accounts", params={"limit": 2})).json()
    assert [item["account_id"] for item in first["items"]] == ["a1", "a2"]
    second = (
        await client.get("/api/v1/accounts", params={"limit": 2, "cursor": first["next_cursor"]})
    ).json()
    assert [item["account_id"] for item in second["items"]] == ["a3"]
    assert second["next_cursor"] is None


async def test_account_is_shown_with_its_balance(client):
    content = (await client.get("/api/v1/accounts/a1")).json()
    assert content["balance"] == {"amount": "9.91", "micro": 9_910_000, "currency": "EUR"}
    assert content["available"]["amount"] == "8.91"


async def test_sessions_are_listed_and_shown(client):
    listed = (await client.get("/api/v1/sessions")).json()
    assert [item["session_id"] for item in listed["items"]] == ["gw;1;1", "gw;1;2;x/y"]
    shown = (await client.get("/api/v1/sessions/gw;1;1")).json()
    assert (shown["charged"], shown["services"][0]["rating_group"]) == ("0.09", 10)


@pytest.mark.parametrize("safe", ["", "/"])
async def test_session_id_with_a_slash_is_found_encoded_or_not(client, safe: str):
    response = await client.get("/api/v1/sessions/" + quote("gw;1;2;x/y", safe=safe))
    assert response.json()["session_id"] == "gw;1;2;x/y"


@pytest.mark.parametrize("name", ["a/b//c", "/lead", "tail/", "a%2Fb", "a b?c#d", "ä;ö", "..", "x\n[/y]"])
async def test_every_name_is_found_percent_encoded(client, reader, name: str):
    reader.accounts[name] = msgspec.structs.replace(reader.accounts["a1"], account_id=name)
    reader.sessions[name] = msgspec.structs.replace(reader.sessions["gw;1;1"], session_id=name)
    encoded = quote(name, safe="") if name != ".." else "%2E%2E"
    assert (await client.get(f"/api/v1/accounts/{encoded}")).json()["account_id"] == name
    assert (await client.get(f"/api/v1/sessions/{encoded}")).json()["session_id"] == name


async def test_what_is_not_there_is_a_404(client):
    assert problem(await client.get("/api/v1/accounts/none"), 404)["detail"] == "there is no such account"
    assert problem(await client.get("/api/v1/sessions/none"), 404)["detail"] == "there is no such session"
    problem(await client.get("/nothing"), 404)


async def test_other_methods_are_refused(client):
    problem(await client.delete("/api/v1/accounts"), 405)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=x", "limit"),
        ("cursor=" + "9" * 65, "cursor"),
        ("cursor=x", "cursor"),
    ],
)
async def test_parameter_out_of_bounds_is_a_400_that_names_it(client, query: str, named: str):
    assert problem(await client.get(f"/api/v1/sessions?{query}"), 400)["detail"].startswith(named)


async def test_store_that_is_away_is_a_503_and_shows_nothing_of_itself(client, reader):
    reader.break_down()
    response = await client.get("/api/v1/accounts")
    assert problem(response, 503)["detail"] == "the store does not answer"
    assert "hunter2" not in response.text


async def test_fault_of_ours_is_a_500_and_shows_nothing_of_itself(client, reader):
    reader.error = RuntimeError("hunter2")
    response = await client.get("/api/v1/accounts/a1")
    assert problem(response, 500) == {"title": "Internal Server Error", "status": 500}


async def test_status_page_brings_its_parts_and_allows_no_others(client):
    page = await client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    parts = re.findall(r'(?:href|src)="(/[^"]*)"', page.text)
    assert {"/assets/status.css", "/assets/status.js"} <= set(parts)
    for part in parts:
        assert (await client.get(part)).status_code == 200, part
    script = (await client.get("/assets/status.js")).text
    assert "innerHTML" not in script
    for identifier in set(re.findall(r'(?:element|setText|fill)\("([\w-]+)"', script)):
        assert f'id="{identifier}"' in page.text, identifier
    for path in re.findall(r'"(/api/v1/\w+)"', script):
        assert (await client.get(path)).status_code == 200


async def test_answers_hold_no_fingerprint_and_are_plain_json(client):
    response = await client.get("/api/v1/sessions")
    assert msgspec.json.decode(response.content)
    assert "fingerprint" not in response.text
