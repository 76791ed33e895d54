"""What people and partners see of an alarm: from an inform of net-snmp to a terminal, TMF642, a live stream, mail and posts."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from ocs.api.alarms import examples
from tests.endtoend.alarm_list import COMMUNITY, taking_traps, trap_port
from tests.endtoend.lab import ROOT, System, running
from tests.support import net_snmp
from tests.support.mail_server import FakeMailServer
from tests.support.net_snmp import LINK_DOWN, needs_net_snmp

pytestmark = [needs_net_snmp, pytest.mark.bounded(120)]

TMF = "/tmf-api/alarmManagement/v4"
LINK_UP = "1.3.6.1.6.3.1.1.5.4"
RESOURCE = "127.0.0.1/if/7"


class Posts:
    """An address that takes posts: webhooks and events of TMF642."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.origin = ""

    async def start(self, nursery: trio.Nursery) -> None:
        listeners = await nursery.start(partial(trio.serve_tcp, self._serve, 0, host="127.0.0.1"))
        self.origin = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"

    async def _serve(self, stream: trio.SocketStream) -> None:
        octets = b""
        async with stream:
            while b"\r\n\r\n" not in octets:
                octets += await stream.receive_some(65_536)
            head, _, body = octets.partition(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
            while len(body) < length:
                body += await stream.receive_some(65_536)
            await stream.send_all(b"HTTP/1.1 204 No Content\r\n\r\n")
        self.bodies.append(json.loads(body))

    async def until(self, truth: Callable[[Any], bool]) -> Any:
        while True:
            for body in self.bodies:
                if truth(body):
                    return body
            await trio.sleep(0.05)


@pytest.fixture
async def posts(nursery: trio.Nursery) -> Posts:
    posts = Posts()
    await posts.start(nursery)
    return posts


@pytest.fixture
async def mail(nursery: trio.Nursery) -> FakeMailServer:
    server = FakeMailServer()
    await server.start(nursery)
    return server


@pytest.fixture
def system(tmp_path: Path, posts: Posts, mail: FakeMailServer) -> Iterator[System]:
    recipients = [
        {"name": "noc", "mail": ["noc@example.net"]},
        {"name": "chat", "webhook": f"{posts.origin}/chat"},
    ]
    options = taking_traps(
        tmp_path,
        OCS_NOTICES__RECIPIENTS=json.dumps(recipients),
        OCS_NOTICES__MAIL_HOST="127.0.0.1",
        OCS_NOTICES__MAIL_PORT=str(mail.port),
        OCS_NOTICES__MAIL_SENDER="ocs@example.net",
        OCS_NOTICES__MAIL_TLS="none",
        OCS_HTTP__HUB_CALLBACKS=json.dumps([posts.origin]),
    )
    with running(tmp_path / "data", **options) as system:
        yield system


async def ocs(system: System, *arguments: str) -> str:
    """What a command prints."""
    command = [sys.executable, "-m", "ocs", *arguments, "--data-dir", str(system.data_dir)]
    done = await trio.run_process(
        command, capture_stdout=True, capture_stderr=True, check=False, cwd=ROOT, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


async def inform(system: System, folder: Path, trap: str, uptime: int, oper_status: int) -> None:
    entry = "1.3.6.1.2.1.2.2.1"
    varbinds = [f"{entry}.1.7", "i", "7", f"{entry}.7.7", "i", "1", f"{entry}.8.7", "i", str(oper_status)]
    who = ["-v2c", "-c", COMMUNITY, f"127.0.0.1:{trap_port(system)}"]
    done = await net_snmp.run(folder, "snmpinform", *who, str(uptime), trap, *varbinds)
    assert done.returncode == 0, done.stderr


async def streamed(host: str, port: int, token: str, kinds: trio.MemorySendChannel[str]) -> None:
    """Note the kind of each event of the live stream."""
    async with await trio.open_tcp_stream(host, port) as stream:
        head = (
            f"GET /api/v1/alarms/stream HTTP/1.0\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n"
        )
        await stream.send_all(head.encode())
        text, is_open = "", False
        while True:
            text += (await stream.receive_some(65_536)).decode()
            while "\n" in text:
                line, _, text = text.partition("\n")
                if line == ":" and not is_open:  # later ones are signs of life
                    is_open = True
                    await kinds.send("open")
                elif line.startswith("event: "):
                    await kinds.send(line.removeprefix("event: "))


async def test_alarm_is_seen_everywhere_acted_on_and_over(
    system: System, tmp_path: Path, posts: Posts, mail: FakeMailServer, nursery: trio.Nursery
) -> None:
    scopes = ["--scope", "alarm:read", "--scope", "alarm:operate"]
    token = (await ocs(system, "token", "create", "--name", "noc", *scopes)).strip()
    host, _, port = system.listeners["http"].rpartition(":")
    send, kinds = trio.open_memory_channel[str](100)
    nursery.start_soon(streamed, host, int(port), token, send)
    assert await kinds.receive() == "open"
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=f"http://{host}:{port}", headers=headers, timeout=30) as client:
        hub = await client.post(f"{TMF}/hub", json={"callback": f"{posts.origin}/tmf"})
        assert hub.status_code == 201, hub.text
        await inform(system, tmp_path, LINK_DOWN, 1_000, oper_status=2)

        assert await kinds.receive() == "raised"
        (alarm,) = (await client.get(f"{TMF}/alarm?alarmedObject.id={RESOURCE}")).json()
        assert (alarm["state"], alarm["perceivedSeverity"]) == ("raised", "major")
        await posts.until(lambda body: body.get("eventType") == "AlarmCreateEvent")
        told = await posts.until(lambda body: body.get("recipient") == "chat")
        assert told["changes"][0]["alarm"]["resource"] == RESOURCE
        while not mail.mails:
            await trio.sleep(0.05)
        assert f"[major] {RESOURCE}" in mail.mails[0]

        assert RESOURCE in await ocs(system, "alarms", "list")
        await ocs(system, "alarms", "ack", alarm["id"], "--operator", "anna")
        assert await kinds.receive() == "operated"
        shown = (await client.get(f"{TMF}/alarm/{alarm['id']}")).json()
        assert (shown["ackState"], shown["ackUserId"]) == ("acknowledged", "anna")
        body = {"ackUserId": "bo", "ackSystemId": "tmf", "alarmPattern": [{"id": alarm["id"]}]}
        undone = await client.post(f"{TMF}/unAckAlarms", json=body)
        assert [one["href"] for one in undone.json()["unAckedAlarm"]] == [alarm["href"]]

        await inform(system, tmp_path, LINK_UP, 2_000, oper_status=1)
        while await kinds.receive() != "cleared":
            pass
        await posts.until(lambda body: body.get("eventType") == "AlarmStateChangeEvent")
        await posts.until(
            lambda body: body.get("recipient") == "chat" and body["changes"][-1]["kind"] == "cleared"
        )
        assert "no alarms" in await ocs(system, "alarms", "list")
        metrics = (await client.get("/metrics", headers={"Authorization": ""})).text
        assert 'ocs_alarms_active{severity="major"} 0' in metrics
        report = examples.ALARM | {"alarmRaisedTime": datetime.now(UTC).isoformat()}
        reported = await client.post(f"{TMF}/alarm", json=report)
        assert reported.status_code in {201, 202}  # 202: the owner of the list does it a moment later
        url = f"{TMF}/alarm/{reported.json()['id']}"
        while (await client.get(url)).json().get("state") != "raised":
            await trio.sleep(0.1)
        over = {"state": "cleared", "alarmClearedTime": datetime.now(UTC).isoformat()}
        assert (await client.post(f"{TMF}/alarm", json=report | over)).status_code in {201, 202}
        while (await client.get(url)).json().get("state") != "cleared":
            await trio.sleep(0.1)
    history = await ocs(system, "alarms", "history", alarm["id"])
    assert [line.split()[3] for line in history.splitlines()[1:]] == [
        "cleared",
        "operated",
        "operated",
        "raised",
    ]
