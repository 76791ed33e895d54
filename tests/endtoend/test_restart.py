"""`ocs up` stopped and started again on its data folder, with gateways in the middle of their sessions."""

import threading

import pytest

from tests.endtoend.lab import EURO, browsing_micro, running
from tests.endtoend.wire import (
    CREDIT_CONTROL,
    DISCONNECT,
    INITIAL,
    TERMINATION,
    UPDATE,
    Answer,
    Gateway,
    new_session,
    requested,
    retransmitted,
    service,
    subscription,
    used,
)
from tests.endtoend.wireshark import Capture

SESSIONS = 50
USED = 10_000


@pytest.fixture
def system(tmp_path):
    with running(tmp_path / "data") as system:
        for number in range(SESSIONS):
            system.open_account(f"R{number}", f"e164:{4915200000000 + number}")
        yield system


def initial(gateway, session, number):
    who = (subscription(0, str(4915200000000 + number)),)
    return gateway.credit(session, INITIAL, 0, service(10, requested()), subscriptions=who)


def test_answers_are_not_lost_at_SIGTERM_and_everything_is_there_after_a_restart(system, capture):
    gateway = Gateway(system.address, capture).opened()
    sessions = [new_session() for _ in range(SESSIONS)]
    for number, session in enumerate(sessions):
        assert gateway.ask(initial(gateway, session, number)).result == 2001
    state_id = gateway.ask(gateway.watchdog()).get(278)
    updates = [
        gateway.credit(session, UPDATE, 1, service(10, requested(), used(total=USED))) for session in sessions
    ]
    gateway.send(b"".join(updates))
    stopping = threading.Thread(target=system.stop)
    stopping.start()
    answers, left = {}, False
    for frame in gateway.frames():
        message = Answer(frame)
        if message.command == DISCONNECT and message.is_request:
            assert message.one(273) == 0  # REBOOTING
            gateway.answer_base(message)
            left = True
        elif message.command == CREDIT_CONTROL:
            answers[message.hop_by_hop] = message
    stopping.join()
    gateway.close()
    assert left
    # What was read before the stop is answered; what was not is sent again, as gateways do.
    assert {answer.result for answer in answers.values()} <= {2001}

    system.start()
    with Gateway(system.address, capture).opened() as again:
        assert again.ask(again.watchdog()).get(278) == state_id  # no session was lost
        for update, session in zip(updates, sessions, strict=True):
            repeat = again.ask(retransmitted(update))
            assert repeat.result == 2001
            first = answers.get(Answer(update).hop_by_hop)
            if first is not None:
                assert repeat.frame[20:] == first.frame[20:]
            assert system.session(session).state.name == "OPEN"
        for number, session in enumerate(sessions):
            last = again.credit(session, TERMINATION, 2, service(10, used(total=1)))
            assert again.ask(last).result == 2001
            assert 5 * EURO - system.balance(f"R{number}") == browsing_micro(USED + 1)
            assert len(system.debits(f"R{number}")) == 2
            assert system.reserved(f"R{number}") == 0


def test_killed_parent_takes_its_workers_along_and_its_store_is_adopted(system):
    with Gateway(system.address, Capture()).opened() as gateway:
        session = new_session()
        assert gateway.ask(initial(gateway, session, 0)).result == 2001
        update = gateway.credit(session, UPDATE, 1, service(10, requested(), used(total=USED)))
        first = gateway.ask(update)
        store = system.client
        assert store.account("R0") is not None
        system.kill()
    system.start()
    with Gateway(system.address, Capture()).opened() as gateway:
        assert gateway.ask(retransmitted(update)).frame[20:] == first.frame[20:]
        assert gateway.ask(gateway.credit(session, TERMINATION, 2, service(10, used(total=1)))).result == 2001
    assert 5 * EURO - system.balance("R0") == browsing_micro(USED + 1)
    assert len(system.debits("R0")) == 2
