"""freeDiameterd, a stack that we did not write, as peer, as relay, and as the relay that loses one of two OCS."""

import pytest

from bench.templates import avp
from tests.endtoend.lab import EURO, browsing_micro, running, wait_until
from tests.endtoend.relay import IS_INSTALLED, RelayedGateway, line_to, running_relay
from tests.endtoend.wire import (
    EVENT,
    INITIAL,
    RETRANSMITTED,
    SMS,
    TERMINATION,
    UPDATE,
    Answer,
    message_to,
    new_session,
    requested,
    service,
    subscription,
    text,
    unsigned32,
    used,
)

pytestmark = pytest.mark.skipif(
    not IS_INSTALLED, reason="freeDiameterd is not installed (Debian: freediameterd, freediameter-extensions)"
)
MIB = 1 << 20
OCS, SECOND = "ocs.lab.example", "ocs2.lab.example"


@pytest.fixture(scope="module")
def second_ocs(ocs, tmp_path_factory):
    """Another `ocs up` on the same store, under a name of its own; each answers for the other."""
    names = {
        "OCS_STORE__URL": ocs.store.url,
        "OCS_DIAMETER__ORIGIN_HOST": SECOND,
        "OCS_DIAMETER__DESTINATION_HOSTS": f'["{OCS}"]',
    }
    with running(tmp_path_factory.mktemp("second") / "data", **names) as system:
        yield system


@pytest.fixture(scope="module")
def relay(ocs, capture, tmp_path_factory):
    """(relay, gateway before it) with the system behind it."""
    gateway = RelayedGateway(capture)
    with (
        gateway,
        running_relay(
            tmp_path_factory.mktemp("relay"), {OCS: ocs.address[1], "pgw.example": gateway.port}
        ) as relay,
    ):
        gateway.accept()
        wait_until(lambda: relay.has_open(OCS), "connection between relay and OCS")
        yield relay, gateway


def who(subscriber):
    return (subscription(0, subscriber.msisdn), subscription(1, subscriber.imsi))


def test_relay_exchanges_capabilities_and_is_answered(relay):
    running, _ = relay
    assert running.has_open(OCS)


def test_relayed_session_is_charged_and_the_relay_finds_no_fault_in_our_answers(ocs, relay, subscribe):
    running, gateway = relay
    subscriber, session = subscribe(), new_session()
    data = {"subscriptions": who(subscriber)}
    initial = gateway.ask(
        gateway.credit(session, INITIAL, 0, service(1, requested(total=MIB)), service(2, requested()), **data)
    )
    assert initial.result == 2001
    assert initial.granted() >= MIB
    assert b"relay.lab.example" not in initial.one(264)
    update = gateway.ask(gateway.credit(session, UPDATE, 1, service(1, requested(), used(total=MIB)), **data))
    assert update.result == 2001
    assert (
        gateway.ask(gateway.credit(session, TERMINATION, 2, service(1, used(total=1)), **data)).result == 2001
    )
    assert 5 * EURO - ocs.balance(subscriber.account) == browsing_micro(MIB + 1)
    for action in range(4):
        event = gateway.credit(
            new_session(), EVENT, 0, unsigned32(436, action), service(None, requested(events=1)),
            message_to("4917012345678"), context=SMS, **data,
        )  # fmt: skip
        assert gateway.ask(event).result == 2001
    assert "ERROR" not in running.log


def test_relayed_answers_keep_proxy_info_session_and_end_to_end_identifier(relay, subscribe):
    running, gateway = relay
    session = new_session()
    proxies = [
        avp(284, text(280, name) + avp(33, state))
        for name, state in (("a.example", b"1"), ("b.example", b"22"))
    ]
    request = gateway.credit(
        session, INITIAL, 0, service(10, requested()), *proxies,
        subscriptions=who(subscribe()), identifiers=(11, 0xABCDEF01),
    )  # fmt: skip
    answer = gateway.ask(request)
    assert answer.result == 2001
    assert answer.one(263) == session
    assert b"".join(proxies) in answer.frame
    assert (answer.hop_by_hop, answer.end_to_end) == (11, 0xABCDEF01)
    assert "ERROR" not in running.log


def test_relay_takes_our_refusals_without_a_dictionary_error(relay, subscribe):
    running, gateway = relay
    poor = subscribe(balance=0)
    broke = gateway.credit(new_session(), INITIAL, 0, service(10, requested()), subscriptions=who(poor))
    assert gateway.ask(broke).result == 4012
    stranger = gateway.credit(
        new_session(), INITIAL, 0, service(10), subscriptions=(subscription(0, "49999"),)
    )
    assert gateway.ask(stranger).result == 5030
    lost = gateway.credit(new_session(), UPDATE, 1, service(10, requested()), subscriptions=who(poor))
    assert gateway.ask(lost).result == 5002
    assert "ERROR" not in running.log


@pytest.mark.parametrize(
    "request_type", [INITIAL, UPDATE, TERMINATION, EVENT], ids=["initial", "update", "termination", "event"]
)
def test_relay_that_loses_one_ocs_gets_the_same_answer_and_one_debit_from_the_other(
    ocs, second_ocs, capture, subscribe, tmp_path, request_type
):
    """The first OCS commits; its answer is lost on the way; the relay sends again with T to the second."""
    subscriber, session = subscribe(), new_session()
    gateway = RelayedGateway(capture)
    with gateway, line_to(ocs.address) as first, line_to(second_ocs.address) as second:
        lines = {OCS: first, SECOND: second}
        peers = {"pgw.example": gateway.port, **{name: line.port for name, line in lines.items()}}
        with running_relay(tmp_path, peers) as relay:
            gateway.accept()
            for name in lines:
                wait_until(lambda name=name: relay.has_open(name), f"connection between relay and {name}")
            request = prepared(gateway, session, subscriber, request_type)
            seen = {name: len(line.requests) for name, line in lines.items()}
            lost_after = {name: len(line.answers) for name, line in lines.items()}
            # Whichever the relay chooses: the first to answer loses its answer and its connection.
            arm(first, second)
            answer = gateway.ask(request)
            (loser,) = (line for line in lines.values() if line.is_cut)
            (winner,) = (line for line in lines.values() if not line.is_cut)
            sent = loser.requests[-1], winner.requests[-1]
            assert not sent[0][4] & RETRANSMITTED
            assert sent[1][4] & RETRANSMITTED
            assert sent[0][16:20] == sent[1][16:20]
            assert sum(len(line.requests) - seen[name] for name, line in lines.items()) == 2
            assert sum(len(line.answers) - lost_after[name] for name, line in lines.items()) == 2
            lost = Answer(loser.answers[-1])
    assert answer.result == lost.result == 2001
    assert lost.one(264) != answer.one(264)
    assert charging_content(answer) == charging_content(lost)
    expected = {
        INITIAL: [],
        UPDATE: [-browsing_micro(MIB)],
        TERMINATION: [-browsing_micro(MIB)],
        EVENT: [-90_000],
    }
    assert [event.amount_micro for event in ocs.debits(subscriber.account)] == expected[request_type]


def prepared(gateway, session, subscriber, request_type):
    """The request that will be lost, after what must come before it."""
    data = {"subscriptions": who(subscriber)}
    if request_type == EVENT:
        return gateway.credit(
            session, EVENT, 0, unsigned32(436, 0), service(None, requested(events=1)), message_to("4917012345678"),
            context=SMS, **data,
        )  # fmt: skip
    initial = gateway.credit(session, INITIAL, 0, service(10, requested(total=MIB)), **data)
    if request_type == INITIAL:
        return initial
    assert gateway.ask(initial).result == 2001
    more = (requested(),) if request_type == UPDATE else ()
    # From the first answer on gateways name the host that gave it.
    return gateway.credit(
        session, request_type, 1, text(293, OCS), service(10, *more, used(total=MIB)), **data
    )


def arm(*lines):
    """Of these lines the first to carry an answer swallows it and breaks; the others carry on."""
    for line in lines:
        others = [other for other in lines if other is not line]
        line.swallow_once(others)


def charging_content(answer):
    """The answer's AVPs but who sent it and over which agents."""
    return [avp.as_bytes() for avp in answer.message.avps if avp.code not in {264, 282, 278}]
