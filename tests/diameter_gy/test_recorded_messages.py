"""Messages recorded from stacks we did not write: each is read as what it is, or refused as documented."""

import csv
import re
from itertools import pairwise
from pathlib import Path

import pytest

from ocs.diameter_gy.avp import split_avps
from ocs.diameter_gy.cca import encode_error_answer
from ocs.diameter_gy.ccr import decode_ccr
from ocs.diameter_gy.describe import describe
from ocs.diameter_gy.errors import AvpUnsupported, FramingError
from ocs.diameter_gy.identity import NodeIdentity
from ocs.diameter_gy.message import Framer, check_flags, parse_header
from ocs.diameter_gy.policy import GyPolicy
from ocs.messages import CCRequestType, MultipleServicesCreditControl, Service, ServiceUnit

DATA = Path(__file__).parent.parent / "data" / "gy"
POLICY = GyPolicy()


def rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def octets(row: dict[str, str]) -> bytes:
    return bytes.fromhex(row["message_hex"])


MAGMA = rows("magma.tsv")
QUBERSHIP = rows("qubership.tsv")
FREE_DIAMETER = rows("freediameter.tsv")
SOUND = [
    *map(octets, MAGMA),
    *map(octets, FREE_DIAMETER),
    *[octets(row) for row in QUBERSHIP if not row["note"]],
    bytes.fromhex((DATA / "erlang_cer.hex").read_text(encoding="ascii").strip()),
]


def requests(messages: list[bytes]) -> list[bytes]:
    return [
        message for message in messages if parse_header(message).command_code == 272 and message[4] & 0x80
    ]


def decode(message: bytes):
    return decode_ccr(message, parse_header(message), POLICY)


def test_all_recordings_are_there():
    assert (len(MAGMA), len(QUBERSHIP), len(FREE_DIAMETER)) == (260, 29, 82)
    assert len(requests(SOUND)) == 130 + 2 + 19


def test_every_sound_message_is_framed_whole_and_byte_by_byte():
    stream = b"".join(SOUND)
    assert Framer().feed(stream) == SOUND
    framer = Framer()
    assert [message for octet in stream for message in framer.feed(bytes((octet,)))] == SOUND


def test_every_sound_message_splits_and_is_put_together_again():
    for message in SOUND:
        check_flags(parse_header(message))
        body = b"".join(avp.encoded for avp in split_avps(message, 20))
        assert message[20:] == body


def test_every_sound_message_can_be_described_by_name():
    unnamed: set[str] = set()
    for message in SOUND:
        shown = describe(message)
        assert "malformed" not in shown
        unnamed |= set(re.findall(r"^ *AVP (\d+)", shown, re.MULTILINE))
    # Vendor 666's, and those that the relay's cases made up.
    assert unnamed <= {"22831", "22832", "22833", "9999", "77"}


def test_magma_session_opens_with_four_rating_groups():
    request = decode(octets(MAGMA[0])).charging
    size = ServiceUnit(total_octets=200_000, input_octets=200_000, output_octets=200_000)
    assert request.session_id == "string;490;022;IMSI999991234567810"
    assert (request.request_type, request.request_number) == (CCRequestType.INITIAL, 0)
    assert (request.origin_host, request.origin_realm, request.service) == ("string", "string", Service.DATA)
    assert request.subscription_ids == ("e164:1234567810", "imsi:999991234567810")
    assert request.services == tuple(
        MultipleServicesCreditControl(number, (), size, ()) for number in (9, 3, 2, 1)
    )
    assert (request.context.access_point_name, request.context.serving_network) == ("internet", "00101")
    assert request.event_time_s == 1_620_246_598


def test_magma_update_reports_what_was_used():
    request = decode(octets(MAGMA[2])).charging
    [service] = request.services
    assert (request.request_type, request.request_number) == (CCRequestType.UPDATE, 1)
    assert service.rating_group == 9
    assert service.requested == ServiceUnit(total_octets=1000, input_octets=0, output_octets=1000)
    assert service.used == (ServiceUnit(total_octets=1000, input_octets=1000, output_octets=0),)


def test_magma_terminations_report_and_ask_for_nothing():
    found = [decode(octets(row)).charging for row in MAGMA if row["request_or_answer"] == "R"]
    last = [request for request in found if request.request_type is CCRequestType.TERMINATION]
    assert len(found) == 130
    assert len(last) == 11
    for request in last:
        assert request.services
        assert all(service.used for service in request.services)


def test_magma_requests_are_all_different():
    found = [decode(octets(row)).charging for row in MAGMA if row["request_or_answer"] == "R"]
    assert len({request.fingerprint for request in found}) == len(found)


def test_ericsson_update_leaves_the_quota_to_us():
    [message] = [octets(row) for row in QUBERSHIP if row["name"] == "hexdump/ccr.hexdump.txt"]
    request = decode(message)
    assert request.charging.services == (MultipleServicesCreditControl(1000, (), ServiceUnit(), ()),)
    assert request.charging.subscription_ids == ("e164:15100000078", "imsi:302510400000090")
    assert (request.charging.context.access_point_name, request.charging.context.serving_network) == (
        "media.ng",
        "302510",
    )
    assert (request.destination_host, request.destination_realm) == ("ddrs2gy.videotron.com", "videotron.com")
    assert request.route_records == ("c2-10-217-32-2-lbepg201.vl.ca",)
    assert request.charging.service is Service.DATA


def test_unknown_vendor_avp_with_m_bit_at_the_top_level_is_refused_unless_tolerated():
    [message] = [octets(row) for row in QUBERSHIP if row["name"] == "bytes/ccr.bytes.txt"]
    with pytest.raises(AvpUnsupported) as caught:
        decode(message)
    assert (
        caught.value.failed_avp == bytes.fromhex("00005930c000001a0000029a33323235314074677070") + b".org\0\0"
    )
    lenient = GyPolicy(tolerate_unknown_mandatory_in=["Credit-Control-Request", "Service-Information"])
    request = decode_ccr(message, parse_header(message), lenient)
    assert [(avp.vendor_id, avp.code) for avp in request.tolerated] == [
        (666, 22832),
        (666, 22831),
        (666, 22833),
    ]
    assert request.charging.subscription_ids == ("e164:3240000088",)
    assert request.charging.context.serving_network == "20620"


BROKEN = [row for row in QUBERSHIP if row["note"]]


@pytest.mark.parametrize("row", BROKEN, ids=[row["name"] for row in BROKEN])
def test_broken_message_ends_its_stream_with_a_documented_error(row):
    assert row["note"].startswith("HEADER_MISMATCH")
    with pytest.raises(FramingError) as caught:
        Framer().feed(octets(row))
    error = caught.value
    assert error.result_code == 5011
    # What follows a message that is longer than it says is no message; the one before it stands.
    assert len(error.messages) == (0 if "ver=0" in row["note"] else 1)
    answer = encode_error_answer(
        error.header, parse_header(error.header), error, NodeIdentity("ocs.example", "example")
    )
    assert Framer().feed(answer) == [answer]


def test_failover_copy_of_a_relay_is_the_same_request():
    copies = [
        octets(row)
        for row in FREE_DIAMETER
        if row["case"].startswith("relay-failover:")
        and row["command"] == "272"
        and row["request_or_answer"] == "R"
    ]
    by_end_to_end: dict[int, list[bytes]] = {}
    for message in copies:
        by_end_to_end.setdefault(parse_header(message).end_to_end_id, []).append(message)
    [pair] = [messages for messages in by_end_to_end.values() if len(messages) == 2]
    first, second = sorted(map(decode, pair), key=lambda request: request.charging.retransmitted)
    assert (first.charging.retransmitted, second.charging.retransmitted) == (False, True)
    assert first.hop_by_hop_id != second.hop_by_hop_id
    assert first.charging.fingerprint == second.charging.fingerprint
    assert first.charging.session_id == second.charging.session_id
    assert first.route_records == second.route_records == ("string",)


def test_requests_read_alike_first_and_again():
    fresh = [
        GyPolicy().decoder.decode(message, parse_header(message))
        for message in requests(list(map(octets, MAGMA)))
    ]
    warm = GyPolicy()
    for _ in range(3):
        again = [warm.decoder.decode(request.message, parse_header(request.message)) for request in fresh]
        assert again == fresh


def test_numbers_of_one_magma_session_follow_each_other():
    numbers: dict[str, list[int]] = {}
    for row in MAGMA:
        if row["request_or_answer"] == "R":
            request = decode(octets(row)).charging
            numbers.setdefault(request.session_id, []).append(request.request_number)
    for found in numbers.values():
        assert all(after - before in (0, 1) for before, after in pairwise(sorted(found)))
