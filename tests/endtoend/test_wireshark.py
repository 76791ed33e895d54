"""Wireshark decodes every command and answer, and every result that charging has, without a complaint."""

import pytest

from bench.templates import avp, message, unsigned32
from tests.endtoend.lab import running
from tests.endtoend.wire import (
    CAPABILITIES,
    CREDIT_CONTROL,
    DISCONNECT,
    EVENT,
    INITIAL,
    SMS,
    TERMINATION,
    UPDATE,
    VOICE,
    WATCHDOG,
    Answer,
    Gateway,
    call_to,
    fresh_identifiers,
    message_to,
    new_session,
    requested,
    service,
    subscription,
    text,
    used,
)
from tests.endtoend.wireshark import TSHARK, Capture, faults, messages_seen

pytestmark = pytest.mark.skipif(TSHARK is None, reason="tshark is not installed (Debian: tshark)")
MIB = 1 << 20


def play(gateway, who, poor):
    """Every kind of request, and every kind of refusal; gives the Result-Codes heard."""
    session, calls, data = new_session(), new_session(), {"subscriptions": (subscription(0, who),)}
    call = {"context": VOICE, **data}
    paris, berlin = call_to("tel:+33123456789"), message_to("4930123456")
    sms = {"context": SMS, **data}
    requests = [
        gateway.credit(session, INITIAL, 0, service(1, requested(total=MIB)), service(8), service(9), **data),
        gateway.credit(
            session, UPDATE, 1, service(1, requested(), used(total=MIB)), service(2, requested()), **data
        ),
        gateway.credit(session, UPDATE, 1, service(1, requested(), used(total=1)), **data),
        gateway.credit(session, TERMINATION, 2, service(1, used(input=1, output=2)), **data),
        gateway.credit(calls, INITIAL, 0, service(1, requested(seconds=60)), paris, **call),
        gateway.credit(calls, TERMINATION, 1, service(1, used(seconds=61)), paris, **call),
        gateway.credit(new_session(), INITIAL, 0, requested(total=MIB), **data),
        *(
            gateway.credit(
                new_session(), EVENT, 0, unsigned32(436, action), requested(events=1), berlin, **sms
            )
            for action in range(4)
        ),
        gateway.credit(new_session(), INITIAL, 0, service(1), subscriptions=(subscription(0, poor),)),
        gateway.credit(new_session(), INITIAL, 0, service(1), subscriptions=(subscription(0, "490000"),)),
        gateway.credit(new_session(), INITIAL, 0, service(8), **data),
        gateway.credit(new_session(), INITIAL, 0, service(1)),
        gateway.credit(new_session(), UPDATE, 1, service(1), **data),
        gateway.credit(new_session(), INITIAL, 0, service(1), realm="elsewhere.example", **data),
        gateway.credit(new_session(), INITIAL, 0, text(293, "other.lab.example"), service(1), **data),
        gateway.credit(new_session(), INITIAL, 0, text(282, "ocs.lab.example"), service(1), **data),
        gateway.credit(new_session(), INITIAL, 0, unsigned32(415, 0), **data),
        gateway.credit(new_session(), 9, 0, **data),
        gateway.credit(
            new_session(), INITIAL, 0, avp(284, text(280, "p.example") + avp(33, b"s")), service(1), **data
        ),
        message(258, 0xC0, 4, fresh_identifiers(), text(263, new_session()) + gateway.origin),
        message(
            CREDIT_CONTROL, 0xC0, 16777238, fresh_identifiers(), text(263, new_session()) + gateway.origin
        ),
    ]
    return {gateway.ask(request).result for request in requests}


def test_every_command_and_answer_is_well_formed(tmp_path):
    capture = Capture()
    with running(tmp_path / "data") as system:
        system.open_account("W1", "e164:4915300000001")
        system.open_account("W2", "e164:4915300000002", balance=0)
        with Gateway(system.address, capture) as gateway:
            results = play(gateway.opened(), "4915300000001", "4915300000002")
            gateway.ask(gateway.watchdog())
            assert gateway.leave().result == 2001
        for capabilities in ((unsigned32(258, 5),), (unsigned32(258, 4), unsigned32(299, 1))):
            with Gateway(system.address, capture) as stranger:
                results.add(stranger.ask(stranger.capabilities(*capabilities)).result)
        with Gateway(system.address, capture) as staying:
            staying.opened()
            system.stop()
            leave = Answer(next(staying.frames()))
            assert (leave.command, leave.is_request) == (DISCONNECT, True)
    assert {2001, 3001, 3002, 3003, 3005, 3007, 4012, 5002, 5005, 5009, 5030, 5010, 5017} <= results
    capture.write(tmp_path / "all.pcap")
    assert faults(tmp_path / "all.pcap") == []
    commands = (CAPABILITIES, WATCHDOG, DISCONNECT, CREDIT_CONTROL)
    seen = messages_seen(tmp_path / "all.pcap")
    assert seen >= {(command, is_request) for command in commands for is_request in (True, False)}
