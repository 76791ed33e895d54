import contextlib
import csv
from pathlib import Path

import pytest
from diameter.message import Message
from hypothesis import given
from hypothesis import strategies as st

from ocs.diameter_gy.avp import address, encode_avp, grouped, split_avps, unsigned32, utf8
from ocs.diameter_gy.base_commands import (
    DisconnectCause,
    Result,
    decode_capabilities_exchange_request,
    decode_device_watchdog_request,
    decode_disconnect_peer_request,
    encode_capabilities_exchange_answer,
    encode_device_watchdog_answer,
    encode_device_watchdog_request,
    encode_disconnect_peer_answer,
    encode_disconnect_peer_request,
)
from ocs.diameter_gy.errors import (
    AvpOccursTooManyTimes,
    DiameterError,
    InvalidAvpLength,
    InvalidAvpValue,
    MissingAvp,
)
from ocs.diameter_gy.identity import NodeIdentity
from ocs.diameter_gy.message import encode_message, parse_header
from ocs.limits import MESSAGE_OCTETS_MAX

DATA = Path(__file__).parents[1] / "data" / "gy"
OURS = NodeIdentity("ocs.lab.example", "lab.example", "ocs-bss", origin_state_id=7)
ORIGIN = utf8(264, "pgw.example") + utf8(296, "example")


def recorded(command: str) -> list[bytes]:
    """Every well-formed request of a command in the recordings."""
    messages = [bytes.fromhex((DATA / "erlang_cer.hex").read_text())] if command == "257" else []
    for name in ("freediameter.tsv", "qubership.tsv"):
        with (DATA / name).open(newline="") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                if row["command"] == command and row["request_or_answer"] == "R" and not row.get("note"):
                    messages.append(bytes.fromhex(row["message_hex"]))
    return messages


def request(command: int, body: bytes, flags: int = 0x80) -> bytes:
    return encode_message(command, 0, flags, 0x11223344, 0x55667788, body)


@pytest.mark.parametrize("message", recorded("257"))
def test_recorded_cer_offers_credit_control_or_relay(message):
    cer = decode_capabilities_exchange_request(message)
    assert cer.origin.host
    assert cer.origin.realm
    assert cer.application_ids & {4, 0xFFFFFFFF}


def test_recorded_cers_are_as_various_as_expected():
    products = {decode_capabilities_exchange_request(message).product_name for message in recorded("257")}
    assert {"freeDiameter", "OTP"} < products


def test_ten_applications_of_a_recorded_node_are_all_seen():
    with (DATA / "qubership.tsv").open(newline="") as file:
        rows = {row["name"]: row["message_hex"] for row in csv.DictReader(file, delimiter="\t")}
    capabilities = bytes.fromhex(rows["hexdump/cea.hexdump.txt"])
    applications = decode_capabilities_exchange_request(capabilities).application_ids
    assert {3, 4, 7, 16777238, 16777302} < applications
    assert len(applications) == 11


@pytest.mark.parametrize("message", recorded("280"))
def test_recorded_dwr_tells_its_origin(message):
    assert decode_device_watchdog_request(message).host


@pytest.mark.parametrize("message", recorded("282"))
def test_recorded_dpr_tells_its_cause(message):
    assert decode_disconnect_peer_request(message) in DisconnectCause


def test_cer_without_address_state_vendor_or_product_is_read():
    cer = decode_capabilities_exchange_request(request(257, ORIGIN + unsigned32(258, 4)))
    assert cer.origin == ("pgw.example", "example", None)
    assert (cer.product_name, cer.vendor_id) == ("", 0)


def test_applications_are_collected_wherever_they_stand():
    body = (
        ORIGIN
        + unsigned32(258, 1)
        + unsigned32(259, 3)
        + grouped(260, unsigned32(266, 10415), unsigned32(258, 4))
        + grouped(260, unsigned32(266, 0), unsigned32(259, 19302))
        + unsigned32(258, 99, vendor_id=10415)
    )
    assert decode_capabilities_exchange_request(request(257, body)).application_ids == {1, 3, 4, 19302}


def test_inband_security_ids_are_collected():
    body = ORIGIN + unsigned32(299, 1) + unsigned32(299, 0)
    assert decode_capabilities_exchange_request(request(257, body)).inband_security_ids == {0, 1}


@pytest.mark.parametrize(
    ("body", "error", "failed_avp"),
    [
        (utf8(296, "example"), MissingAvp, encode_avp(264, b"")),
        (utf8(264, "pgw"), MissingAvp, encode_avp(296, b"")),
        (ORIGIN + utf8(264, "other"), AvpOccursTooManyTimes, utf8(264, "other")),
        (utf8(264, "") + utf8(296, "example"), InvalidAvpValue, encode_avp(264, b"")),
        (ORIGIN + encode_avp(278, b"\0\0"), InvalidAvpLength, encode_avp(278, bytes(4))),
        (ORIGIN + encode_avp(258, b"\0"), InvalidAvpLength, encode_avp(258, bytes(4))),
    ],
)
def test_faulty_cer_is_refused_with_the_avp_at_fault(body, error, failed_avp):
    with pytest.raises(error) as caught:
        decode_capabilities_exchange_request(request(257, body))
    assert caught.value.failed_avp == failed_avp


def test_dpr_with_an_unknown_cause_is_an_invalid_value():
    with pytest.raises(InvalidAvpValue):
        decode_disconnect_peer_request(request(282, ORIGIN + unsigned32(273, 3)))


def test_dpr_without_a_cause_is_read():
    assert decode_disconnect_peer_request(request(282, ORIGIN)) is DisconnectCause.REBOOTING


@given(st.binary(max_size=200))
def test_random_body_raises_nothing_but_diameter_errors(body):
    for decode in (
        decode_capabilities_exchange_request,
        decode_device_watchdog_request,
        decode_disconnect_peer_request,
    ):
        with contextlib.suppress(DiameterError):
            decode(request(257, ORIGIN + body))


# --- answers, read by the independent stack ---


@pytest.mark.parametrize("message", recorded("257"))
def test_cea_for_everybody_as_the_profile_lists_it(message):
    header = parse_header(message)
    octets = encode_capabilities_exchange_answer(
        header, OURS, Result(), host_ip_addresses=("192.0.2.1", "2001:db8::1")
    )
    cea = Message.from_bytes(octets)
    assert cea.header.command_code == 257
    assert not cea.header.is_request
    assert not cea.header.is_error
    assert cea.header.hop_by_hop_identifier == header.hop_by_hop_id
    assert cea.header.end_to_end_identifier == header.end_to_end_id
    assert cea.result_code == 2001
    assert cea.origin_host == b"ocs.lab.example"
    assert cea.origin_realm == b"lab.example"
    assert [text for _, text in cea.host_ip_address] == ["192.0.2.1", "2001:db8::1"]
    assert cea.vendor_id == 0
    assert cea.product_name == "ocs-bss"
    assert cea.origin_state_id == 7
    assert cea.supported_vendor_id == [10415]
    assert cea.auth_application_id == [4]
    assert [(v.vendor_id, v.auth_application_id) for v in cea.vendor_specific_application_id] == [(10415, 4)]
    assert cea.inband_security_id == [0]
    assert cea.acct_application_id == []


def test_product_name_and_firmware_revision_have_no_M_bit():
    header = parse_header(request(257, b""))
    octets = encode_capabilities_exchange_answer(
        header, OURS, Result(), host_ip_addresses=(), firmware_revision=3
    )
    optional = {avp.code for avp in split_avps(octets, 20) if not avp.is_mandatory}
    assert optional == {269, 267}


def test_refusal_by_a_protocol_error_sets_the_E_bit_and_explains_itself():
    header = parse_header(request(257, b""))
    refusal = Result(3010, "unknown peer pgw.example")
    cea = Message.from_bytes(
        encode_capabilities_exchange_answer(header, OURS, refusal, host_ip_addresses=("::1",))
    )
    assert cea.header.is_error
    assert cea.result_code == 3010
    assert cea.error_message == "unknown peer pgw.example"


@pytest.mark.parametrize("octets", [256, 60_000, 65_500])
def test_refused_cer_is_never_answered_by_more_than_a_message_may_be(octets):
    long = utf8(264, "x" * octets)
    with pytest.raises(InvalidAvpValue) as refused:
        decode_capabilities_exchange_request(request(257, long + utf8(296, "example")))
    result = Result(refused.value.result_code, refused.value.error_message, refused.value.failed_avp)
    header = parse_header(request(257, b""))
    answer = encode_capabilities_exchange_answer(header, OURS, result, host_ip_addresses=("::1",) * 8)
    found = split_avps(answer, 20)
    assert len(answer) <= MESSAGE_OCTETS_MAX
    assert [avp.data for avp in found if avp.code == 279] == ([long] if octets < 65_000 else [])


def test_refusal_for_a_missing_avp_shows_it_without_the_E_bit():
    header = parse_header(request(257, b""))
    refusal = Result(5005, "Origin-Host is missing", encode_avp(264, b""))
    cea = Message.from_bytes(encode_capabilities_exchange_answer(header, OURS, refusal, host_ip_addresses=()))
    assert not cea.header.is_error
    assert [avp.code for avp in cea.failed_avp.additional_avps] == [264]


def test_watchdog_answer_reads_as_such():
    dwa = Message.from_bytes(encode_device_watchdog_answer(parse_header(request(280, b"")), OURS, Result()))
    assert (dwa.result_code, dwa.origin_host, dwa.origin_state_id) == (2001, b"ocs.lab.example", 7)
    assert dwa.header.hop_by_hop_identifier == 0x11223344


def test_disconnect_answer_reads_as_such():
    dpa = Message.from_bytes(encode_disconnect_peer_answer(parse_header(request(282, b"")), OURS, Result()))
    assert (dpa.result_code, dpa.origin_realm) == (2001, b"lab.example")


def test_P_bit_is_copied_from_the_request():
    header = parse_header(request(280, b"", flags=0xC0))
    assert parse_header(encode_device_watchdog_answer(header, OURS, Result())).is_proxiable


def test_our_requests_read_as_such():
    dwr = Message.from_bytes(encode_device_watchdog_request(OURS, 1, 2))
    assert dwr.header.is_request
    assert (dwr.origin_host, dwr.origin_state_id) == (b"ocs.lab.example", 7)
    dpr = Message.from_bytes(encode_disconnect_peer_request(OURS, DisconnectCause.BUSY, 3, 4))
    assert (dpr.origin_realm, dpr.disconnect_cause) == (b"lab.example", 1)
    assert (dpr.header.hop_by_hop_identifier, dpr.header.end_to_end_identifier) == (3, 4)


def test_node_without_origin_state_id_leaves_it_out():
    silent = NodeIdentity("ocs", "lab")
    header = parse_header(request(257, b""))
    for octets in (
        encode_capabilities_exchange_answer(header, silent, Result(), host_ip_addresses=()),
        encode_device_watchdog_answer(header, silent, Result()),
        encode_device_watchdog_request(silent, 1, 1),
    ):
        assert 278 not in {avp.code for avp in split_avps(octets, 20)}


def test_address_of_each_family_is_written_with_its_number():
    assert address(257, "192.0.2.1")[8:10] == b"\0\1"
    assert address(257, "2001:db8::1")[8:10] == b"\0\2"
