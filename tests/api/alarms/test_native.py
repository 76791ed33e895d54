"""The native alarm list over HTTP (conditions): pages, counters, deeds, the live stream with conditions and resumption."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

import msgspec
import pytest
import trio

from ocs.api.server import run_http
from ocs.api.tokens import Scope, make_token
from ocs.faults.alarm import Severity
from ocs.faults.alarm_change import ChangeKind
from ocs.settings import HttpSettings, Settings
from tests.support.alarms import NOW_MS, alarm_of

pytestmark = pytest.mark.bounded(60)

LIST = "/api/v1/alarms"
A = alarm_of("router1/if/1", affected_services=("lte",), details=(("ifIndex", "1"),))
B = alarm_of("router2", "high-temperature", severity=Severity.MINOR, last_changed_ms=NOW_MS + 1)
OVER = alarm_of("router3", is_cleared=True, last_changed_ms=NOW_MS - 1)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [B, A, OVER]),
        ("cleared=false&sort=severity", [B, A]),
        ("cleared=false&sort=-severity", [A, B]),
        ("severity=minor,critical", [B]),
        ("resource=router1", [A]),
        ("alarm_type=link-down&cleared=true", [OVER]),
        ("service=lte", [A]),
        ("text=TEMPER", [B]),
        ("seen_to=true", []),
        ("operator_state=ack,closed", []),
        ("since=2027-01-15T08:00:00.001Z", [B]),
        ("limit=1&offset=1", [A]),
    ],
)
async def test_list_is_filtered_sorted_and_cut(client, owner, query, found):
    await owner.put(A, B, OVER)
    answer = (await client.get(f"{LIST}?{query}")).json()
    shown = [alarm["alarm_id"] for alarm in answer["items"]]
    wanted = [alarm.alarm_id for alarm in found]
    assert shown == wanted
    assert answer["is_current"] is True
    assert answer["total"] == (3 if "limit" in query else len(found))


@pytest.mark.parametrize(
    "query",
    ["colour=red", "severity=bad", "cleared=maybe", "since=soon", "sort=odd", "limit=0", "text=a&text=b"],
)
async def test_condition_that_is_none_is_refused(client, owner, query):
    await owner.put(A)
    for path in (LIST, f"{LIST}/stream"):
        answer = await client.get(f"{path}?{query}")
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
        assert answer.json()["detail"].startswith(query.partition("=")[0])


async def test_alarm_is_shown_on_all_its_axes(client, owner):
    await owner.put(A)
    shown = (await client.get(f"{LIST}/{A.alarm_id}")).json()
    assert (shown["severity"], shown["details"], shown["operator"]) == ("major", {"ifIndex": "1"}, None)
    assert (await client.get(f"{LIST}/nothing")).status_code == 404


async def test_summary_counts(client, owner):
    await owner.put(A, B, OVER)
    counted = {row["severity"]: row for row in (await client.get(f"{LIST}/summary")).json()["severities"]}
    assert (counted["major"]["total"], counted["major"]["cleared_not_closed"]) == (2, 1)
    assert (counted["minor"]["not_cleared_not_closed"], counted["critical"]["total"]) == (1, 0)


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ({"action": "acknowledge", "operator": "anna"}, "ack"),
        ({"action": "comment", "text": "called"}, "none"),
        ({"action": "assign", "assigned_to": "field-1"}, "none"),
        ({"action": "shelve", "until": "2027-01-15T09:00:00Z"}, "shelved"),
        ({"action": "close"}, "closed"),
    ],
)
async def test_deed_is_done_and_the_operators_axis_shown(client, owner, body, state):
    await owner.put(A)
    answer = await client.post(f"{LIST}/{A.alarm_id}/actions", json=body)
    assert (answer.status_code, answer.json()["state"]) == (200, state)
    await owner.settle()
    assert (await client.get(f"{LIST}/{A.alarm_id}")).json()["operator"] == answer.json()


async def test_clear_by_hand_is_taken_on(client, owner):
    await owner.put(msgspec.structs.replace(A, will_clear=False))
    answer = await client.post(f"{LIST}/{A.alarm_id}/actions", json={"action": "clear"})
    assert (answer.status_code, answer.json()) == (202, None)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"action": "unacknowledge"}, 409),
        ({"action": "clear"}, 409),
        ({"action": "shelve"}, 400),
        ({"action": "close", "until": "2027-01-15T09:00:00Z"}, 400),
        ({"action": "assign"}, 400),
        ({"action": "ack", "assigned_to": "x"}, 400),
        ({"action": "explode"}, 400),
        ({"action": "close", "colour": "red"}, 400),
    ],
)
async def test_deed_that_is_not_allowed_is_refused(client, owner, body, status):
    await owner.put(A)
    assert (await client.post(f"{LIST}/{A.alarm_id}/actions", json=body)).status_code == status


async def test_each_route_needs_its_scope(client, owner, parts, connect_to, tokens):
    await owner.put(A)
    made, text = make_token("reader", (str(Scope.ALARM_READ),), now_ms=0)
    tokens.add(made)
    async with connect_to(parts, text) as reader:
        assert (await reader.get(LIST)).status_code == 200
        action = await reader.post(f"{LIST}/{A.alarm_id}/actions", json={"action": "close"})
        assert action.status_code == 403
    made, text = make_token("other", (str(Scope.BALANCE_READ),), now_ms=0)
    tokens.add(made)
    async with connect_to(parts, text) as other:
        for path in (LIST, f"{LIST}/summary", f"{LIST}/stream", f"{LIST}/{A.alarm_id}"):
            assert (await other.get(path)).status_code == 403, path


# --- The stream ---------------------------------------------------------------------------------------------------


class Listener:
    """A client of the stream over a real socket. It speaks HTTP/1.0, so that events come unframed."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._text = ""

    async def read(self, end: str) -> str:
        while end not in self._text:
            octets = await self._stream.receive_some(65_536)
            assert octets, f"the stream ended: {self._text}"
            self._text += octets.decode()
        text, _, self._text = self._text.partition(end)
        return text

    async def event(self) -> tuple[str, str, Any]:
        """The next event: id, kind, body."""
        while not (text := await self.read("\n\n")).startswith("id: "):
            assert text == ":"
        name, kind, data = (line.partition(": ")[2] for line in text.split("\n"))
        return name, kind, json.loads(data)


Open = Callable[..., AbstractAsyncContextManager[Listener]]


@pytest.fixture
async def streamed(client, nursery, parts, token) -> Open:
    """Opens a stream with a query and headers."""
    send, receive = trio.open_memory_channel[str](1)
    settings = Settings(http=HttpSettings(port=0))
    nursery.start_soon(partial(run_http, settings, parts, ready=send.send_nowait))
    host, _, port = (await receive.receive()).rpartition(":")

    @asynccontextmanager
    async def opened(query: str = "", **headers: str) -> AsyncGenerator[Listener]:
        head = [f"GET {LIST}/stream?{query} HTTP/1.0", f"Authorization: Bearer {token}", "Host: 127.0.0.1"]
        head += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        async with await trio.open_tcp_stream(host, int(port)) as stream:
            await stream.send_all("\r\n".join([*head, "", ""]).encode())
            listener = Listener(stream)
            answer = await listener.read("\r\n\r\n")
            assert " 200 " in answer.split("\r\n")[0], answer
            await listener.read(":\n\n")
            yield listener

    return opened


async def test_changes_are_streamed_as_they_happen(streamed, client, owner):
    await owner.put(B)
    async with streamed() as events:
        await owner.put(A)
        await client.post(f"{LIST}/{A.alarm_id}/actions", json={"action": "acknowledge"})
        over = msgspec.structs.replace(A, is_cleared=True)
        await owner.put(over, kind=ChangeKind.REPEATED)  # counters alone: not told
        await owner.put(over, kind=ChangeKind.CLEARED)
        told = [await events.event() for _ in range(3)]
    assert [kind for _, kind, _ in told] == ["raised", "operated", "cleared"]
    assert told[0][2]["alarm"]["resource"] == "router1/if/1"
    assert told[1][2]["alarm"]["operator"]["state"] == "ack"


async def test_stream_with_conditions_tells_what_matches_and_what_does_not_any_more(streamed, owner):
    async with streamed("resource=router1&cleared=false") as events:
        await owner.put(B, A)
        await owner.put(msgspec.structs.replace(A, is_cleared=True), kind=ChangeKind.CLEARED)
        told = [await events.event() for _ in range(2)]
    assert [(kind, body["matches"]) for _, kind, body in told] == [("raised", True), ("cleared", False)]


async def test_stream_goes_on_behind_the_last_event_that_was_seen(streamed, owner):
    async with streamed() as events:
        await owner.put(A)
        seen, _, _ = await events.event()
    await owner.put(B)
    async with streamed(Last_Event_ID=seen) as events:
        _, kind, body = await events.event()
    assert (kind, body["alarm_id"]) == ("raised", B.alarm_id)


async def test_stream_behind_an_event_that_is_gone_says_that_the_list_is_to_be_read_again(streamed, owner):
    await owner.put(A)
    async with streamed(Last_Event_ID="1-1") as events:
        _, kind, _ = await events.event()
        assert kind == "reload"
        await owner.put(B)
        assert (await events.event())[1] == "raised"


async def test_last_event_id_that_is_none_is_refused(client, owner):
    await owner.put(A)
    answer = await client.get(f"{LIST}/stream", headers={"Last-Event-ID": "x"})
    assert answer.status_code == 400


async def test_client_that_goes_leaves_no_watch_behind(streamed, owner, side):
    await owner.put(A)
    async with streamed():
        assert len(side.follower._watches) == 1
    while side.follower._watches:
        await trio.sleep(0.01)


async def test_interface_is_shown_and_found_by_its_name(client, owner):
    port = alarm_of("pe1/if/3", details=(("IF-MIB::ifName", "Gi0/3"),))
    await owner.put(port, B)
    for query in ("resource=pe1/if/Gi0/3", "resource=pe1/if/3", "resource=pe1"):
        (shown,) = (await client.get(f"{LIST}?{query}")).json()["items"]
        assert (shown["name"], shown["resource"]) == ("pe1/if/Gi0/3", "pe1/if/3")
    for value in ("pe1/if/Gi0/3", "pe1/if/3", '"pe1/if/Gi0/3","x"'):
        found = (await client.get(f"/tmf-api/alarmManagement/v4/alarm?alarmedObject.id={value}")).json()
        assert [one["alarmedObject"] for one in found] == [{"id": "pe1/if/3", "name": "pe1/if/Gi0/3"}]


async def test_alarms_are_grouped_by_hand(client, owner):
    await owner.put(A, B)
    url = f"{LIST}/{A.alarm_id}/actions"
    shown = (await client.post(url, json={"action": "group", "parent": B.alarm_id})).json()
    assert shown["grouped_under"] == B.alarm_id
    await owner.settle()
    found = (await client.get(f"{LIST}?parent={B.alarm_id}")).json()["items"]
    assert [one["alarm_id"] for one in found] == [A.alarm_id]
    assert (await client.post(url, json={"action": "group"})).status_code == 400
    shown = (await client.post(url, json={"action": "ungroup", "parent": B.alarm_id})).json()
    assert shown["grouped_under"] is None
