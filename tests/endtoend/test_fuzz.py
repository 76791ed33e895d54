"""Mutations of recorded messages on real connections: documented errors, nobody else disturbed, no fault of ours."""

import socket
import struct

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from bench.processes import family
from tests.endtoend.lab import EURO, browsing_micro
from tests.endtoend.recordings import all_messages, joined, readdressed, split
from tests.endtoend.wire import (
    ERROR,
    INITIAL,
    REQUEST,
    UPDATE,
    Gateway,
    new_session,
    requested,
    service,
    subscription,
    used,
)
from tests.endtoend.wireshark import Capture

SEEDS = [
    message for message in all_messages() if message[0] == 1 and len(message) == int.from_bytes(message[1:4])
]
SUCCESS = {2001, 2002}
DOCUMENTED = {
    3001, 3002, 3003, 3004, 3005, 3007, 3008, 3009, 3010,
    4010, 4011, 4012,
    5001, 5002, 5003, 5004, 5005, 5007, 5008, 5009, 5010, 5011, 5012, 5013, 5014, 5015, 5017, 5030, 5031,
}  # fmt: skip
OUR_FAULT = 5012
GROWTH_OCTETS_MAX = 64 << 20


@st.composite
def mutated(draw):
    """A recorded message with a few things wrong: octets, lengths, flags, AVPs twice, missing or elsewhere."""
    message = draw(st.sampled_from(SEEDS))
    if draw(st.booleans()):
        message = readdressed(message)
    for _ in range(draw(st.integers(1, 4))):
        message = draw(
            st.sampled_from([octets_changed, length_changed, cut, avps_shuffled, avp_repeated, inserted])
        )(draw, message)
    return message


def octets_changed(draw, message):
    changed = bytearray(message)
    for _ in range(draw(st.integers(1, 6))):
        changed[draw(st.integers(0, len(changed) - 1))] = draw(st.integers(0, 255))
    return bytes(changed)


def length_changed(draw, message):
    """The header's length, or that of an AVP."""
    at = draw(st.sampled_from([1, *(20 + 5 + 4 * n for n in range(1, 40)), 25]))
    wrong = draw(st.integers(0, 0xFFFFFF) | st.integers(0, 64)).to_bytes(3)
    return message[:at] + wrong + message[at + 3 :] if at + 3 <= len(message) else message


def cut(draw, message):
    return message[: draw(st.integers(1, len(message)))]


def avps_shuffled(draw, message):
    parts = whole_parts(message)
    return joined(message, draw(st.permutations(parts))) if parts else message


def avp_repeated(draw, message):
    parts = whole_parts(message)
    return (
        joined(message, parts + [draw(st.sampled_from(parts))] * draw(st.integers(1, 50)))
        if parts
        else message
    )


def inserted(draw, message):
    at = draw(st.integers(0, len(message)))
    return message[:at] + draw(st.binary(min_size=1, max_size=64)) + message[at:]


def whole_parts(message):
    """The AVPs, where earlier mutations have left them whole."""
    if len(message) < 28 or len(message) % 4:
        return []
    rest = message[20:]
    while rest:
        length = int.from_bytes(rest[5:8]) + 3 & ~3
        if length < 8 or length > len(rest):
            return []
        rest = rest[length:]
    return split(message)


@pytest.fixture(scope="module")
def steady(magma_ocs):
    """A gateway that charges on a connection of its own all the while; gives a step, and counts."""
    magma_ocs.open_account("steady", "e164:4917700000001", balance=100 * EURO)
    with Gateway(magma_ocs.address, Capture(), host="steady.example") as gateway:
        gateway.opened()
        session, reported = new_session(gateway.host), [0]
        who = (subscription(0, "4917700000001"),)
        start = gateway.credit(
            session, INITIAL, 0, service(10, requested()), subscriptions=who, realm="magma.com"
        )
        assert gateway.ask(start).result == 2001

        def step():
            reported[0] += 1
            update = gateway.credit(
                session, UPDATE, reported[0], service(10, requested(), used(total=1_000)), realm="magma.com"
            )
            assert gateway.ask(update).result == 2001

        yield step
    assert 100 * EURO - magma_ocs.balance("steady") == browsing_micro(1_000 * reported[0])
    assert len(magma_ocs.debits("steady")) == reported[0]


def send_and_hang_up(gateway, octets):
    """Send, close our half, and read until the server has closed its half too."""
    try:
        gateway.send(octets)
        gateway._socket.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # it hung up on us first
    return list(gateway.frames())


def command_of(frame):
    return int.from_bytes(frame[5:8])


def assert_documented(frame):
    """Read without any stack: what a broken request had in its Session-Id comes back in the answer."""
    if frame[4] & REQUEST:
        assert command_of(frame) in {280, 282}
        return
    (result,) = (int.from_bytes(part[8:12]) for part in split(frame) if int.from_bytes(part[:4]) == 268)
    assert result in SUCCESS | DOCUMENTED
    assert result != OUR_FAULT
    assert bool(frame[4] & ERROR) == (3000 <= result < 4000)


@seed(8506)
@settings(max_examples=500, database=None)
@given(message=mutated())
def test_mutated_message_gets_a_documented_answer_or_none_and_disturbs_nobody(magma_ocs, steady, message):
    with Gateway(magma_ocs.address, Capture(), host="string") as gateway:
        gateway.opened()
        for answer in send_and_hang_up(gateway, message):
            assert_documented(answer)
    steady()


@seed(6733)
@settings(max_examples=150, database=None)
@given(message=mutated())
def test_mutated_message_before_capabilities_exchange_gets_no_service(magma_ocs, steady, message):
    with Gateway(magma_ocs.address, Capture(), host="stranger.example") as gateway:
        for answer in send_and_hang_up(gateway, message):
            assert_documented(answer)
            assert command_of(answer) != 272
    steady()


@seed(3539)
@settings(max_examples=80, database=None)
@given(noise=st.binary(min_size=1, max_size=2_000))
def test_noise_ends_its_connection_alone(magma_ocs, steady, noise):
    with Gateway(magma_ocs.address, Capture(), host="noise.example") as gateway:
        gateway.opened()
        for answer in send_and_hang_up(gateway, noise):
            assert_documented(answer)
    steady()


def test_flood_of_nonsense_leaves_memory_where_it_was(magma_ocs, steady):
    def resident():
        return sum(use.resident_octets for use in family(magma_ocs.process.pid).values() if not use.is_store)

    before = resident()
    for number in range(40):
        with Gateway(magma_ocs.address, Capture(), host="flood.example") as gateway:
            gateway.opened()
            # Commands that nobody knows, each with AVPs never seen before: each is refused, until we hang up.
            flood = [
                struct.pack(">IIIII", 1 << 24 | 32, 0x8000_0000 | 300 + n, 4, n, n)
                + struct.pack(">III", 100_000 + number * 200 + n, 12, n)
                for n in range(200)
            ]
            for answer in send_and_hang_up(gateway, b"".join(flood)):
                assert_documented(answer)
    steady()
    assert resident() - before < GROWTH_OCTETS_MAX


def test_every_account_still_adds_up(magma_ocs, steady):
    steady()
    cursor, accounts = magma_ocs.client.scan_accounts(count=10_000)
    assert cursor == 0
    assert accounts
    for account in accounts:
        magma_ocs.account(account.account_id)
        magma_ocs.debits(account.account_id)
