"""TMF654 over real sockets and a real store: many at once, listeners told, the deadline of a slow client."""

import json
from functools import partial

import httpx
import pytest
import trio

from ocs.api.prepay_balance.resources import BASE
from ocs.api.reader import StoreBalanceReader
from ocs.api.server import run_http
from ocs.api.tmf.delivery import signature
from ocs.clock import ManualClock
from ocs.settings import HttpSettings, Settings, VoucherSettings
from ocs.subscribers.operations import NewAccount
from ocs.subscribers.service import SubscriberService
from ocs.subscribers.voucher_service import VoucherService
from ocs.units import Money
from tests.support.catalogue import lab_catalogue
from tests.support.charged_store import NOW_MS

pytestmark = pytest.mark.bounded(60)

TOPUP = {
    "amount": {"amount": 1, "units": "EUR"},
    "usageType": "monetary",
    "bucket": {"id": "A1:main"},
    "partyAccount": {"id": "A1"},
}


class Listener:
    """Takes events over a real socket."""

    def __init__(self) -> None:
        self.send, self.events = trio.open_memory_channel[tuple[bytes, bytes]](100)
        self.origin = ""

    async def start(self, nursery: trio.Nursery) -> None:
        opened = await nursery.start(partial(trio.serve_tcp, self._serve, 0, host="127.0.0.1"))
        self.origin = f"http://127.0.0.1:{opened[0].socket.getsockname()[1]}"

    async def _serve(self, stream: trio.SocketStream) -> None:
        octets = b""
        async with stream:
            while b"\r\n\r\n" not in octets:
                octets += await stream.receive_some(65_536)
            head, _, body = octets.partition(b"\r\n\r\n")
            length = next(
                int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
            )
            while len(body) < length:
                body += await stream.receive_some(65_536)
            await stream.send_all(b"HTTP/1.1 204 No Content\r\n\r\n")
        self.send.send_nowait((head, body))


@pytest.fixture
async def listener(nursery: trio.Nursery) -> Listener:
    listener = Listener()
    await listener.start(nursery)
    return listener


@pytest.fixture
async def client(nursery: trio.Nursery, make_parts, store, balance, token, listener):
    service = SubscriberService(balance, lab_catalogue(), ManualClock(NOW_MS))
    service.open_account(NewAccount("A1", "S1", (), ("basic",), Money(10_000_000, "EUR")))
    http = HttpSettings(port=0, hub_callbacks=(listener.origin,))
    reader = StoreBalanceReader(store, partitions=balance.partitions)
    parts = make_parts(reader, None, store=store, client=balance, hub_callbacks=http.hub_callbacks)
    send, receive = trio.open_memory_channel[str](1)
    nursery.start_soon(partial(run_http, Settings(http=http), parts, ready=send.send_nowait))
    address = await receive.receive()
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=f"http://{address}", headers=headers, timeout=30) as client:
        yield client


async def test_top_up_by_many_at_once_under_one_key_is_done_once(client):
    answers: list[httpx.Response] = []

    async def top_up() -> None:
        answers.append(
            await client.post(f"{BASE}/topupBalance", json=TOPUP, headers={"Idempotency-Key": "k"})
        )

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(top_up)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    bucket = (await client.get(f"{BASE}/bucket/A1:main")).json()
    assert bucket["remainingValue"]["amount"] == 11


async def test_voucher_redeemed_by_fifty_clients_at_once_credits_once(client, balance):
    service = SubscriberService(balance, lab_catalogue(), ManualClock(NOW_MS))
    for number in range(2, 11):
        service.open_account(NewAccount(f"A{number}", f"S{number}", (), ("basic",), Money(10_000_000, "EUR")))
    vouchers = VoucherService(service.office, "secret", VoucherSettings())
    ((serial, code),) = vouchers.generate("B1", 1, Money(5_000_000, "EUR"))
    vouchers.activate(serial)
    answers: list[httpx.Response] = []

    async def redeem(account_id: str) -> None:
        body = TOPUP | {
            "voucher": code,
            "bucket": {"id": f"{account_id}:main"},
            "partyAccount": {"id": account_id},
        }
        answers.append(await client.post(f"{BASE}/topupBalance", json=body))

    async with trio.open_nursery() as nursery:
        for number in range(50):
            nursery.start_soon(redeem, f"A{number % 10 + 1}")
    winners = {answer.json()["partyAccount"]["id"] for answer in answers if answer.status_code == 201}
    assert len(winners) == 1
    # The winner's other requests get his first receipt, or lose the race; everybody else's are refused.
    assert {answer.status_code for answer in answers} <= {201, 409, 503}
    amounts = [
        bucket["remainingValue"]["amount"]
        for bucket in (await client.get(f"{BASE}/bucket?usageType=monetary")).json()
    ]
    assert sorted(amounts) == [10] * 9 + [15]


async def test_listener_is_told_of_a_top_up_with_a_signature(client, listener):
    hub = {
        "callback": f"{listener.origin}/events",
        "query": "eventType=TopupBalanceCreateEvent",
        "secret": "s3cret",
    }
    assert (await client.post(f"{BASE}/hub", json=hub)).status_code == 201
    made = (await client.post(f"{BASE}/topupBalance", json=TOPUP)).json()
    head, body = await listener.events.receive()
    assert head.startswith(b"POST /events HTTP/1.1")
    assert f"X-Hub-Signature: {signature('s3cret', body)}".encode() in head
    event = json.loads(body)
    assert event["eventType"] == "TopupBalanceCreateEvent"
    assert event["event"]["topupBalance"] == made


async def test_listener_is_told_of_what_came_through_other_doors(client, listener):
    hub = {"callback": f"{listener.origin}/events"}
    assert (await client.post(f"{BASE}/hub", json=hub)).status_code == 201
    euro = {"amount": "1.00", "currency": "EUR"}
    topup = {"account_id": "A1", "amount": euro, "reference": "R1"}
    assert (await client.post("/api/v1/topups", json=topup)).status_code == 201
    state = {"state": "suspended", "reference": "S1"}
    assert (await client.patch("/api/v1/accounts/A1", json=state)).status_code == 200
    events = [json.loads((await listener.events.receive())[1]) for _ in range(2)]
    assert [event["eventId"] for event in events] == ["topup:A1:R1", "state:A1:S1;account_state:suspended"]
    assert [event["eventType"] for event in events] == [
        "BalanceActionHistoryCreateEvent",
        "BalanceNoticeCreateEvent",
    ]
    assert events[0]["event"]["balanceActionHistory"]["amount"] == {"amount": 1, "units": "EUR"}
    assert events[1]["event"]["balanceNotice"]["status"] == "suspended"


async def test_order_to_top_up_goes_to_the_listener_and_its_payment_comes_back(client, listener):
    hub = {"callback": f"{listener.origin}/pay", "query": "balanceNotice.noticeType=auto_top_up"}
    assert (await client.post(f"{BASE}/hub", json=hub)).status_code == 201

    def euros(amount: str) -> dict[str, str]:
        return {"amount": amount, "currency": "EUR"}

    order = {"below": euros("5"), "amount": euros("20"), "method": "card-1"}
    change = {"auto_top_up": order, "reference": "O1"}
    assert (await client.patch("/api/v1/accounts/A1", json=change)).status_code == 200
    spent = {"account_id": "A1", "amount": euros("-6"), "reason": "use", "reference": "U1"}
    assert (await client.post("/api/v1/adjustments", json=spent)).status_code == 201
    notice = json.loads((await listener.events.receive())[1])["event"]["balanceNotice"]
    assert (notice["amount"], notice["paymentMethod"]) == ({"amount": 20, "units": "EUR"}, {"id": "card-1"})
    paid = {"account_id": "A1", "reference": notice["reference"], "state": "paid"}
    answers = [await client.post("/api/v1/payments", json=paid) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert (await client.get("/api/v1/accounts/A1")).json()["balance"]["amount"] == "24.00"


async def test_body_that_is_too_large_is_refused_without_being_read(client):
    response = await client.post(
        f"{BASE}/topupBalance", content=b"{" + b" " * 100_000, headers={"Content-Type": "application/json"}
    )
    assert (response.status_code, response.json()["code"]) == (413, "413")
    assert (await client.get("/healthz")).status_code == 200
