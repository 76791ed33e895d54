"""Whatever octets come, the codec answers or raises DiameterError."""

import csv
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocs.diameter_gy.cca import encode_cca, encode_error_answer
from ocs.diameter_gy.ccr import decode_ccr, routing_of
from ocs.diameter_gy.describe import describe
from ocs.diameter_gy.errors import DiameterError, FramingError
from ocs.diameter_gy.identity import NodeIdentity
from ocs.diameter_gy.message import Framer, parse_header
from ocs.diameter_gy.policy import GyPolicy
from ocs.messages import ChargingAnswer, Outcome, ServiceAnswer, ServiceUnit

DATA = Path(__file__).parent.parent / "data" / "gy"
IDENTITY = NodeIdentity("ocs.example", "example")
POLICIES = [GyPolicy(), GyPolicy(tolerate_unknown_mandatory_in=[])]


def recorded(name: str) -> list[bytes]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return [bytes.fromhex(row["message_hex"]) for row in csv.DictReader(file, delimiter="\t")]


MESSAGES = recorded("magma.tsv")[:24] + recorded("qubership.tsv") + recorded("freediameter.tsv")[26:34]
OCTET = st.integers(0, 255)


def serve(octets: bytes) -> None:
    """Frame, read, answer; what is refused is answered too, and every answer is a message."""
    try:
        messages = Framer().feed(octets)
    except FramingError as error:
        messages = error.messages
        answers = [encode_error_answer(error.header, parse_header(error.header), error, IDENTITY)]
    else:
        answers = []
    for message in messages:
        answers += [serve_message(message, policy) for policy in POLICIES]
        describe(message)
    for answer in answers:
        assert Framer().feed(answer) == [answer]


def serve_message(message: bytes, policy: GyPolicy) -> bytes:
    header = parse_header(message)
    try:
        routing_of(message)
        request = decode_ccr(message, header, policy)
    except DiameterError as error:
        return encode_error_answer(message, header, error, IDENTITY)
    services = tuple(
        ServiceAnswer(Outcome.SUCCESS, service.rating_group, service.service_identifiers, ServiceUnit(1))
        for service in request.charging.services
    )
    return encode_cca(request, ChargingAnswer(Outcome.SUCCESS, services), IDENTITY, policy)


@given(st.binary(max_size=300))
def test_any_octets_are_served_or_refused(octets):
    serve(octets)


@given(st.binary(max_size=200).map(lambda data: data[: len(data) // 4 * 4]))
def test_any_body_behind_a_sound_header_is_served_or_refused(body):
    serve(
        bytes([1])
        + (20 + len(body)).to_bytes(3, "big")
        + bytes.fromhex("c0000110 00000004 00000001 00000002")
        + body
    )


@settings(max_examples=300)
@given(st.sampled_from(MESSAGES), st.lists(st.tuples(st.integers(20, 5000), OCTET), min_size=1, max_size=5))
def test_changed_octets_of_recorded_messages_are_served_or_refused(message, changes):
    changed = bytearray(message)
    for at, octet in changes:
        changed[20 + at % (len(message) - 20)] = octet
    serve(bytes(changed))


@given(st.sampled_from(MESSAGES), st.integers(0, 5000), st.integers(0, 5000))
def test_cut_and_doubled_recorded_messages_are_served_or_refused(message, start, stop):
    body = message[20:]
    start, stop = sorted((start % len(body), stop % len(body)))
    for changed in (body[:start] + body[stop:], body[:stop] + body[start:]):
        padded = changed[: len(changed) // 4 * 4]
        serve(message[:1] + (20 + len(padded)).to_bytes(3, "big") + message[4:20] + padded)


@pytest.mark.parametrize("seed", range(4))
def test_many_mutations_of_recorded_requests_are_served_or_refused(seed):
    random = Random(seed)
    for message in MESSAGES:
        for _ in range(10):
            changed = bytearray(message)
            for _ in range(random.randrange(1, 4)):
                # Headers of AVPs stand at multiples of four: their octets break most.
                changed[random.randrange(5, len(message) // 4) * 4 + random.randrange(8) % 4] = random.choice(
                    (0, 1, 8, 64, 255)
                )
            serve(bytes(changed))


@given(st.sampled_from([message for message in MESSAGES if message[4] & 0x80]), st.integers(0, 5000))
def test_messages_whose_end_is_missing_wait_for_it(message, length):
    framer = Framer()
    cut = length % len(message)
    if message[0] == 1 and int.from_bytes(message[1:4], "big") == len(message):
        assert framer.feed(message[:cut]) == []
        assert framer.feed(message[cut:]) == [message]
