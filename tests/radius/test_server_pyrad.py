"""The real system over real UDP, with pyrad as the access server: login, reports, the end of credit, repeats.

What ocs/radius_worker.py does is seen here: servers that begin anew, and sessions that are ended by command.
"""

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from pyrad import packet as pyrad

from bench.processes import family
from tests.endtoend.lab import System, browsing_micro, running, wait_until
from tests.radius.access_server import SECRET, AccessServer

MIB = 1 << 20
EURO = 1_000_000
_users = count(1)


@pytest.fixture(scope="module")
def nas() -> Iterator[AccessServer]:
    server = AccessServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def ocs(tmp_path_factory: pytest.TempPathFactory, nas: AccessServer) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("radius")
    secret = folder / "secret"
    secret.write_bytes(SECRET + b"\n")
    secret.chmod(0o600)
    client = {"name": "lab", "address": "127.0.0.1", "secret_file": str(secret), "coa_port": nas.coa_port}
    options = {
        "OCS_RADIUS__AUTH_PORT": "0",
        "OCS_RADIUS__ACCT_PORT": "0",
        "OCS_RADIUS__CLIENTS": json.dumps([client]),
        "OCS_CHARGING__WORKERS": "2",
    }
    with running(folder / "data", **options) as system:
        nas.auth, nas.acct = (_address(system.listeners[f"radius_{door}"]) for door in ("auth", "acct"))
        yield system


@pytest.fixture(autouse=True)
def _no_orders_left(nas: AccessServer) -> None:
    """Each test begins without the orders of the one before."""
    nas.orders.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            nas.orders.recvfrom(4096)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


@pytest.fixture
def user(ocs: System) -> str:
    """A subscriber with five euros, known by a NAI."""
    name = f"user{next(_users)}@wifi.example"
    ocs.open_account(name, f"nai:{name}")
    return name


def counters(octets: int, time_s: int) -> dict[str, int]:
    """Half of the octets each way."""
    sent = octets // 2
    return {
        "Acct_Input_Octets": (octets - sent) % (1 << 32), "Acct_Input_Gigawords": (octets - sent) >> 32,
        "Acct_Output_Octets": sent % (1 << 32), "Acct_Output_Gigawords": sent >> 32,
        "Acct_Session_Time": time_s,
    }  # fmt: skip


def limit_of(found: pyrad.Packet) -> int:
    """How many octets a session may carry in all."""
    (low,) = found["ChilliSpot-Max-Total-Octets"]
    (high,) = found.get("ChilliSpot-Max-Total-Gigawords", [0])
    return (high << 32) + low


def test_a_session_logs_in_reports_gets_its_next_quota_and_is_charged_to_the_octet(
    ocs: System, nas: AccessServer, user: str
) -> None:
    accept = nas.ask(nas.access_request(user))
    assert accept.code == pyrad.AccessAccept
    (state,) = accept["Class"]
    (interval_s,) = accept["Acct-Interim-Interval"]
    first_limit = limit_of(accept)
    assert first_limit > 0
    assert accept["Mikrotik-Total-Limit"] == accept["ChilliSpot-Max-Total-Octets"]
    assert 60 <= interval_s <= 600
    assert ocs.reserved(user) > 0

    told = {"User_Name": user, "Class": state}
    assert nas.report(nas.accounting_request("Start", "s1", **told, **counters(0, 0)))
    used = first_limit - MIB
    assert nas.report(nas.accounting_request("Interim-Update", "s1", **told, **counters(used, 300)))
    order = nas.await_order()
    assert order.code == pyrad.CoARequest
    assert order["Acct-Session-Id"] == ["s1"]
    assert order["User-Name"] == [user]
    assert limit_of(order) > first_limit
    assert ocs.balance(user) == 5 * EURO - browsing_micro(used)

    assert nas.report(nas.accounting_request("Stop", "s1", **told, **counters(used + MIB, 360)))
    assert ocs.balance(user) == 5 * EURO - browsing_micro(used + MIB)
    assert ocs.reserved(user) == 0
    assert [-event.amount_micro for event in ocs.debits(user)] != []


def test_repeats_of_every_kind_cost_nothing(ocs: System, nas: AccessServer, user: str) -> None:
    ask = nas.access_request(user)
    accept = nas.ask(ask)
    assert nas.ask(ask)["Class"] == accept["Class"], "the same packet has the same reply"
    told = {"User_Name": user, "Class": accept["Class"][0]}
    interim = nas.accounting_request("Interim-Update", "r1", **told, **counters(10 * MIB, 100))
    for _ in range(3):
        assert nas.report(interim)
    # With Acct-Delay-Time a copy has another Identifier and Authenticator (RFC 2866 section 5.2).
    late = nas.accounting_request(
        "Interim-Update", "r1", **told, **counters(10 * MIB, 100), Acct_Delay_Time=9
    )
    assert nas.report(late)
    assert ocs.balance(user) == 5 * EURO - browsing_micro(10 * MIB)
    # One that an earlier report overtakes says nothing new.
    assert nas.report(nas.accounting_request("Interim-Update", "r1", **told, **counters(4 * MIB, 50)))
    stop = nas.accounting_request("Stop", "r1", **told, **counters(12 * MIB, 160))
    for _ in range(2):
        assert nas.report(stop)
    again = nas.accounting_request("Stop", "r1", **told, **counters(12 * MIB, 160), Acct_Delay_Time=30)
    assert nas.report(again)
    assert ocs.balance(user) == 5 * EURO - browsing_micro(12 * MIB)
    assert len(ocs.debits(user)) == 2
    while nas.await_order().code != pyrad.CoARequest:
        pass


def test_who_has_no_credit_is_not_let_in(ocs: System, nas: AccessServer) -> None:
    ocs.open_account("poor", "nai:poor@wifi.example", balance=0)
    reject = nas.ask(nas.access_request("poor@wifi.example"))
    assert reject.code == pyrad.AccessReject
    assert reject["Reply-Message"] == ["Your credit is used up"]
    assert nas.ask(nas.access_request("stranger@wifi.example"))["Reply-Message"] == ["Unknown user"]


def test_a_password_is_never_accepted_unseen(ocs: System, nas: AccessServer, user: str) -> None:
    request = nas.access_request(user)
    request["User-Password"] = request.PwCrypt("whatever")
    assert nas.ask(request).code == pyrad.AccessReject
    plain = nas.access_request(user)
    plain["Service-Type"] = 2
    assert nas.ask(plain).code == pyrad.AccessReject


def test_a_session_whose_credit_ends_is_disconnected_and_its_overrun_is_charged(
    ocs: System, nas: AccessServer
) -> None:
    ocs.open_account("ending", "nai:ending@wifi.example", balance=EURO // 10)
    accept = nas.ask(nas.access_request("ending@wifi.example"))
    told = {"User_Name": "ending@wifi.example", "Class": accept["Class"][0]}
    used = 1127 * 10_240  # whole blocks, for 0.11: a started block would be granted to its end
    assert nas.report(nas.accounting_request("Interim-Update", "e1", **told, **counters(used, 100)))
    order = nas.await_order()
    while order.code == pyrad.CoARequest:
        order = nas.await_order()
    assert order.code == pyrad.DisconnectRequest
    assert order["Acct-Session-Id"] == ["e1"]
    assert nas.report(nas.accounting_request("Stop", "e1", **told, **counters(used + MIB, 110)))
    assert ocs.balance("ending") == EURO // 10 - browsing_micro(used + MIB)
    assert ocs.reserved("ending") == 0


def test_a_session_that_nobody_asked_us_about_is_charged_from_its_beginning(
    ocs: System, nas: AccessServer, user: str
) -> None:
    told = {"User_Name": user}
    assert nas.report(nas.accounting_request("Interim-Update", "n1", **told, **counters(20 * MIB, 300)))
    assert ocs.balance(user) == 5 * EURO - browsing_micro(20 * MIB)
    assert nas.report(nas.accounting_request("Stop", "n1", **told, **counters(30 * MIB, 400)))
    assert nas.report(nas.accounting_request("Stop", "n2", **told, **counters(5 * MIB, 60)))
    assert ocs.balance(user) == 5 * EURO - browsing_micro(30 * MIB) - browsing_micro(5 * MIB)
    assert ocs.reserved(user) == 0


def test_accounting_on_ends_the_sessions_of_that_server_alone(
    ocs: System, nas: AccessServer, user: str
) -> None:
    other = AccessServer("ap-2")
    other.auth = nas.auth
    try:
        nas.ask(nas.access_request(user))
        held = ocs.reserved(user)
        other.ask(other.access_request(user))
        assert ocs.reserved(user) > held > 0
    finally:
        other.close()
    assert nas.report(nas.accounting_request("Accounting-On", ""))
    wait_until(lambda: ocs.reserved(user) <= held, "release of the holds of ap-1")
    assert ocs.reserved(user) > 0, "the other server's session goes on"


def test_who_does_not_know_the_secret_hears_nothing(ocs: System, nas: AccessServer, user: str) -> None:
    unsigned = pyrad.AuthPacket(id=1, secret=SECRET, dict=nas.access_request(user).dict)
    unsigned.AddAttribute("User-Name", user)
    assert nas.exchange(unsigned.RequestPacket(), nas.auth, patience_s=0.3) is None
    report = nas.accounting_request("Stop", "x1", User_Name=user, **counters(MIB, 1))
    octets = bytearray(report.RequestPacket())
    octets[7] ^= 1
    assert nas.exchange(bytes(octets), nas.acct, patience_s=0.3) is None
    assert ocs.balance(user) == 5 * EURO


def test_status_server_is_answered_on_both_ports(ocs: System, nas: AccessServer) -> None:
    status = nas.access_request("x")
    status.code = pyrad.StatusServer
    assert nas.ask(status).code == pyrad.AccessAccept
    again = nas.access_request("x")
    again.code = pyrad.StatusServer
    reply = nas.exchange(again.RequestPacket(), nas.acct)
    assert reply is not None
    assert reply[0] == pyrad.AccountingResponse


def test_a_barred_account_has_its_session_ended(ocs: System, nas: AccessServer, user: str) -> None:
    accept = nas.ask(nas.access_request(user, Acct_Session_Id="b1"))
    told = {"User_Name": user, "Class": accept["Class"][0]}
    assert nas.report(nas.accounting_request("Start", "b1", **told, **counters(0, 0)))
    ocs.command("session", "abort", accept["Class"][0].decode().replace("ocs1;", "radius;", 1))
    order = nas.await_order()
    while order.code == pyrad.CoARequest:
        order = nas.await_order()
    assert order["Acct-Session-Id"] == ["b1"]


def test_nothing_is_acknowledged_while_the_store_is_away_and_charged_once_when_it_is_back(
    ocs: System, nas: AccessServer, user: str
) -> None:
    accept = nas.ask(nas.access_request(user))
    stop = nas.accounting_request(
        "Stop", "p1", User_Name=user, Class=accept["Class"][0], **counters(3 * MIB, 60)
    )
    store = next(use.pid for use in family(ocs.process.pid).values() if use.is_store)
    os.kill(store, signal.SIGSTOP)
    try:
        assert not nas.report(stop, patience_s=1.5)
    finally:
        os.kill(store, signal.SIGCONT)
    assert nas.report(stop)
    assert ocs.balance(user) == 5 * EURO - browsing_micro(3 * MIB)
    assert len(ocs.debits(user)) == 1


def test_nothing_is_missed_when_a_worker_dies(ocs: System, nas: AccessServer, user: str) -> None:
    accept = nas.ask(nas.access_request(user))
    told = {"User_Name": user, "Class": accept["Class"][0]}
    for number, worker in enumerate(sorted(ocs.workers()), 1):
        os.kill(worker, signal.SIGKILL)
        report = nas.accounting_request("Interim-Update", "k1", **told, **counters(number * MIB, number * 60))
        assert nas.report(report)
    assert nas.report(nas.accounting_request("Stop", "k1", **told, **counters(5 * MIB, 300)))
    assert ocs.balance(user) == 5 * EURO - browsing_micro(5 * MIB)


def test_nothing_is_missed_while_workers_are_replaced(ocs: System, nas: AccessServer, user: str) -> None:
    accept = nas.ask(nas.access_request(user))
    told = {"User_Name": user, "Class": accept["Class"][0]}
    ocs.command("reload")
    assert nas.report(nas.accounting_request("Interim-Update", "w1", **told, **counters(MIB, 60)))
    assert nas.report(nas.accounting_request("Stop", "w1", **told, **counters(2 * MIB, 120)))
    assert ocs.balance(user) == 5 * EURO - browsing_micro(2 * MIB)


def test_the_ready_line_tells_where_radius_is_served(ocs: System, tmp_path: Path) -> None:
    assert {"radius_auth", "radius_acct"} <= ocs.listeners.keys()
