"""The server speaks first: re-authorisation after a top-up and by hand, sessions ended, from the gateway's side.

By the commands of ocs/session_commands.py and `ocs topup`, on a system with two workers.
"""

import json
import shutil
import subprocess
from contextlib import ExitStack
from urllib.request import Request, urlopen

import pytest

from simulators.system import lab_config, ocs_command
from tests.endtoend.lab import EURO, browsing_micro, wait_until
from tests.endtoend.relay import IS_INSTALLED, RelayedGateway, running_relay
from tests.endtoend.wire import (
    ABORT_SESSION,
    INITIAL,
    PROXIABLE,
    RE_AUTH,
    REQUEST,
    TERMINATION,
    UPDATE,
    new_session,
    requested,
    service,
    subscription,
    used,
)

MIB = 1 << 20
OCS = "ocs.lab.example"


def who(subscriber):
    return (subscription(0, subscriber.msisdn), subscription(1, subscriber.imsi))


@pytest.fixture
def begin(connect, subscribe):
    """Open a session: gives (gateway, subscriber, session id)."""

    def open_session(*groups: int, balance: int = 5 * EURO, host: str = "pgw.example"):
        gateway, subscriber, session = connect(host), subscribe(balance=balance), new_session(host)
        services = [service(group, requested(total=MIB)) for group in groups or (1,)]
        initial = gateway.credit(session, INITIAL, 0, *services, subscriptions=who(subscriber))
        assert gateway.ask(initial).result == 2001
        return gateway, subscriber, session

    return open_session


def refused(ocs, *arguments: str) -> str:
    """The one line of a command that fails."""
    command = [str(ocs_command()), *arguments, "--config", str(lab_config()), "--data-dir", str(ocs.data_dir)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done
    (line,) = done.stderr.splitlines()
    return line


def test_top_up_brings_the_gateway_back_and_traffic_goes_on(ocs, begin):
    gateway, subscriber, session = begin(balance=5_000)  # half a MiB
    ocs.command("topup", subscriber.account, "5.00", "--reference", "again")
    demand = gateway.hear_demand(RE_AUTH)
    assert demand.one(263) == session
    assert (demand.one(293), demand.one(283)) == (b"pgw.example", b"example")
    assert (demand.one(264), demand.one(258), demand.one(285)) == (OCS.encode(), 4, 0)
    assert demand.flags == REQUEST | PROXIABLE
    gateway.answer_demand(demand, 2002)
    spent = used(total=MIB // 4)
    update = gateway.ask(gateway.credit(session, UPDATE, 1, service(1, requested(total=MIB), spent)))
    assert update.result == 2001
    assert update.granted() >= MIB
    assert 5_000 + 5 * EURO - ocs.balance(subscriber.account) == browsing_micro(MIB // 4)


def test_top_up_and_reauthorisation_over_http_bring_the_gateway_back(ocs, begin):
    gateway, subscriber, session = begin(balance=5_000)
    token = ocs.command(
        "token", "create", "--name", "t", "--scope", "balance:topup", "--scope", "session:write"
    )

    def post(path: str, body: dict[str, object]) -> dict[str, object]:
        request = Request(
            f"http://{ocs.listeners['http']}/api/v1/{path}",
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {token.split()[-1]}", "Content-Type": "application/json"},
        )
        with urlopen(request, timeout=30) as answer:
            return json.load(answer)

    money = {"amount": "5.00", "currency": "EUR"}
    post("topups", {"account_id": subscriber.account, "amount": money, "reference": "http"})
    demand = gateway.hear_demand(RE_AUTH)
    assert demand.one(263) == session
    gateway.answer_demand(demand, 2002)
    update = gateway.credit(session, UPDATE, 1, service(1, requested(total=MIB), used(total=1)))
    assert gateway.ask(update).granted() >= MIB
    assert post("reauthorisations", {"session_id": session})
    gateway.answer_demand(gateway.hear_demand(RE_AUTH), 2001)


def test_redirected_session_without_credit_is_resumed_by_a_top_up(ocs, connect, subscribe):
    gateway, subscriber, session = connect(), subscribe(balance=0, offers=("young",)), new_session()
    initial = gateway.ask(
        gateway.credit(session, INITIAL, 0, service(77, requested(total=MIB)), subscriptions=who(subscriber))
    )
    assert (initial.result, initial.granted()) == (2001, None)
    assert initial.one(456, 430, 449) == 1  # REDIRECT
    assert initial.one(456, 430, 434, 435) == "2001:db8::10"
    ocs.command("topup", subscriber.account, "5.00", "--reference", "paid")
    demand = gateway.hear_demand(RE_AUTH)
    assert demand.one(263) == session
    gateway.answer_demand(demand, 2002)
    update = gateway.ask(gateway.credit(session, UPDATE, 1, service(77, requested(total=MIB), used(total=0))))
    assert update.result == 2001
    assert update.granted() >= MIB
    assert update.get(456, 430) is None


def test_repeated_top_up_asks_nobody(ocs, begin):
    gateway, subscriber, session = begin()
    for _ in range(2):
        ocs.command("topup", subscriber.account, "1.00", "--reference", "once")
    gateway.answer_demand(gateway.hear_demand(RE_AUTH), 2001)
    answer = gateway.ask(gateway.credit(session, TERMINATION, 1, service(1, used(total=0))))
    assert answer.result == 2001  # and no second demand came before it


def test_gateway_with_many_connections_is_asked_once_where_its_request_came_from(ocs, begin, connect):
    """Two workers hold connections of one gateway; one of them sends."""
    gateway, subscriber, session = begin(host="many.example")
    others = [connect("many.example") for _ in range(6)]
    ocs.command("session", "reauthorise", session)
    gateway.answer_demand(gateway.hear_demand(RE_AUTH), 2001)
    for other in others:
        # Answers keep their order: whatever had been sent would stand before this one.
        assert other.ask(other.watchdog()).command == 280
    assert subscriber.account


def test_rating_group_is_asked_for_by_name(ocs, begin):
    gateway, _, session = begin(1, 2)
    print(ocs.command("session", "reauthorise", session, "--rating-group", "2", "--rating-group", "77"))
    demand = gateway.hear_demand(RE_AUTH)
    gateway.answer_demand(demand, 2001)
    assert demand.all(432) == [2]
    assert "no open session has such a rating group" in refused(
        ocs, "session", "reauthorise", session, "--rating-group", "77"
    )


def test_all_sessions_of_an_account_are_asked(ocs, connect, subscribe):
    gateway, subscriber = connect(), subscribe()
    sessions = {new_session() for _ in range(3)}
    for session in sessions:
        initial = gateway.credit(session, INITIAL, 0, service(1, requested()), subscriptions=who(subscriber))
        assert gateway.ask(initial).result == 2001
    told = ocs.command("session", "reauthorise", "--account", subscriber.account)
    assert told == "3 sessions: gateway asked to re-authorise\n"
    heard = set()
    for _ in sessions:
        demand = gateway.hear_demand(RE_AUTH)
        heard.add(demand.one(263))
        gateway.answer_demand(demand, 2001)
    assert heard == sessions


def test_published_price_brings_back_the_rating_groups_that_it_is_for(ocs, begin, tmp_path):
    gateway, _, session = begin(1, 2, host="prices.example")
    delivered = lab_config().parent / "catalogue"
    folder = shutil.copytree(delivered, tmp_path / "catalogue")
    prices = (folder / "prepaid.toml").read_text(encoding="utf-8")
    (folder / "prepaid.toml").write_text(prices.replace('"0.008"', '"0.016"', 1), encoding="utf-8")
    try:
        told = ocs.command(
            "catalogue", "publish", str(folder), "--effective", "now", "--reauthorise", "--json"
        )
        asked: dict[str, list[int]] = {}
        assert json.loads(told)["reauthorised"] >= 1  # sessions that other tests left are among them
        while session not in asked:
            demand = gateway.hear_demand(RE_AUTH)
            gateway.answer_demand(demand, 2001)
            asked[demand.one(263)] = demand.all(432)
        assert asked[session] == [2]
        services = [service(group, requested(total=MIB), used(total=0)) for group in (1, 2)]
        assert gateway.ask(gateway.credit(session, UPDATE, 1, *services)).result == 2001
    finally:
        print(ocs.command("catalogue", "publish", str(delivered), "--effective", "now"))


def test_session_that_is_aborted_ends_at_the_gateway_and_pays_what_it_used(ocs, begin):
    gateway, subscriber, session = begin()
    assert ocs.command("session", "abort", session) == "1 session: gateway asked to end\n"
    demand = gateway.hear_demand(ABORT_SESSION)
    assert (demand.one(263), demand.one(293), demand.one(258)) == (session, b"pgw.example", 4)
    gateway.answer_demand(demand, 2001)
    assert gateway.ask(gateway.credit(session, TERMINATION, 1, service(1, used(total=MIB)))).result == 2001
    assert ocs.reserved(subscriber.account) == 0
    assert 5 * EURO - ocs.balance(subscriber.account) == browsing_micro(MIB)


@pytest.mark.parametrize("action", ["reauthorise", "abort"])
def test_session_that_the_gateway_does_not_know_gives_its_reservation_back_at_once(ocs, begin, action):
    gateway, subscriber, session = begin()
    assert ocs.reserved(subscriber.account) > 0
    ocs.command("session", action, session)
    gateway.answer_demand(gateway.hear_demand(RE_AUTH if action == "reauthorise" else ABORT_SESSION), 5002)
    wait_until(lambda: ocs.reserved(subscriber.account) == 0, "release of the reservation")
    assert "no open session" in refused(ocs, "session", action, session)
    # Its report is debited all the same, should it come.
    late = gateway.ask(gateway.credit(session, TERMINATION, 1, service(1, used(total=MIB))))
    assert late.result == 2001
    assert 5 * EURO - ocs.balance(subscriber.account) == browsing_micro(MIB)


def test_barred_account_has_its_sessions_ended(ocs, begin):
    gateway, subscriber, session = begin()
    ocs.command("account", "bar", subscriber.account)
    demand = gateway.hear_demand(ABORT_SESSION)
    assert demand.one(263) == session
    gateway.answer_demand(demand, 2001)
    assert gateway.ask(gateway.credit(session, TERMINATION, 1, service(1, used(total=0)))).result == 2001


def test_all_open_sessions_are_asked_by_and_by(ocs, begin):
    gateway, _, session = begin(host="all.example")
    told = ocs_all(ocs, "--rating-group", "1", "--per-second", "100000")
    assert "asked to re-authorise" in told or "leads to" in told  # other tests leave sessions behind
    demand = gateway.hear_demand(RE_AUTH)
    assert (demand.one(263), demand.one(432)) == (session, 1)
    gateway.answer_demand(demand, 2001)


def ocs_all(ocs, *options: str) -> str:
    """What `ocs session reauthorise --all` says, on whichever of its outputs."""
    command = [str(ocs_command()), "session", "reauthorise", "--all", *options]
    done = subprocess.run(
        [*command, "--config", str(lab_config()), "--data-dir", str(ocs.data_dir)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def test_gateway_that_is_gone_is_said_and_the_top_up_done_all_the_same(ocs, begin):
    gateway, subscriber, session = begin(host="gone.example")
    gateway.leave()
    gateway.close()
    wait_until(
        lambda: "gone.example" not in ocs.command("peer", "list", "--json"), "end of the gateway's connection"
    )
    assert "leads to gone.example" in refused(ocs, "session", "reauthorise", session)
    ocs.command("topup", subscriber.account, "1.00", "--reference", "r")
    assert ocs.balance(subscriber.account) == 6 * EURO


def test_gateway_that_does_not_answer_holds_up_no_other(ocs, begin):
    deaf, first, _ = begin(host="deaf.example")
    good, second, session = begin()
    for number, subscriber in enumerate((first, second)):
        ocs.command("topup", subscriber.account, "1.00", "--reference", f"deaf{number}")
    unanswered = deaf.hear_demand(RE_AUTH)
    demand = good.hear_demand(RE_AUTH)
    assert demand.one(263) == session
    good.answer_demand(demand, 2001)
    assert deaf.ask(deaf.watchdog()).command == 280  # served as before
    deaf.answer_demand(
        unanswered, 2001
    )  # or other tests would hear of it, when its session is asked about by a relay


def test_what_nobody_has_open_is_said(ocs, subscribe):
    subscriber = subscribe()
    assert "no open session 'nothing'" in refused(ocs, "session", "abort", "nothing")
    assert "has no open session" in refused(ocs, "session", "abort", "--account", subscriber.account)


@pytest.mark.skipif(
    not IS_INSTALLED, reason="freeDiameterd is not installed (Debian: freediameterd, freediameter-extensions)"
)
def test_demand_finds_its_gateway_behind_a_relay(ocs, capture, subscribe, tmp_path):
    gateway = RelayedGateway(capture)
    with ExitStack() as stack:
        stack.enter_context(gateway)
        peers = {OCS: ocs.address[1], "pgw.example": gateway.port}
        relay = stack.enter_context(running_relay(tmp_path, peers))
        gateway.accept()
        wait_until(lambda: relay.has_open(OCS), "connection between relay and OCS")
        subscriber, session = subscribe(), new_session()
        initial = gateway.credit(session, INITIAL, 0, service(1, requested()), subscriptions=who(subscriber))
        assert gateway.ask(initial).result == 2001
        ocs.command("topup", subscriber.account, "1.00", "--reference", "r")
        demand = gateway.hear_demand(RE_AUTH)
        assert (demand.one(263), demand.one(264), demand.one(282)) == (session, OCS.encode(), OCS.encode())
        gateway.answer_demand(demand, 2002)
        update = gateway.credit(session, UPDATE, 1, service(1, requested(), used(total=MIB)))
        assert gateway.ask(update).result == 2001
        ocs.command("session", "abort", session)
        demand = gateway.hear_demand(ABORT_SESSION)
        gateway.answer_demand(demand, 2001)
        end = gateway.credit(session, TERMINATION, 2, service(1, used(total=0)))
        assert gateway.ask(end).result == 2001
        assert "ERROR" not in relay.log
