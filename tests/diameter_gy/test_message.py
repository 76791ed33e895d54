"""The header, its checks, and cutting a stream into messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.diameter_gy.errors import FramingError, InvalidBitInHeader, InvalidHeaderBits
from ocs.diameter_gy.message import Framer, check_flags, encode_message, parse_header
from ocs.limits import MESSAGE_OCTETS_MAX

DWR = bytes.fromhex("0100001480000118000000000000000100000002")


def test_header_is_read_as_it_stands():
    header = parse_header(bytes.fromhex("01000014d0000110000000040000000a0000000b"))
    assert header == (1, 20, 0xD0, 272, 4, 10, 11)
    assert header.is_request
    assert header.is_proxiable
    assert header.is_retransmitted
    assert not header.is_error


def test_message_is_written_as_it_is_read():
    message = encode_message(280, 0, 0x80, 1, 2, b"")
    assert message == DWR
    assert encode_message(272, 4, 0x40, 1, 2, bytes(8))[:4] == bytes.fromhex("0100001c")


@pytest.mark.parametrize("flags", [0x80, 0xC0, 0xD0, 0x90, 0x00, 0x40, 0x60, 0x20])
def test_flags_that_a_message_may_have_pass(flags):
    check_flags(parse_header(encode_message(272, 4, flags, 1, 1, b"")))


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        (0xA0, InvalidHeaderBits),  # E in a request
        (0x10, InvalidHeaderBits),  # T in an answer
        (0x81, InvalidBitInHeader),
        (0x88, InvalidBitInHeader),
        (0x48, InvalidBitInHeader),
    ],
)
def test_flags_that_no_message_may_have_are_refused(flags, error):
    with pytest.raises(error):
        check_flags(parse_header(encode_message(272, 4, flags, 1, 1, b"")))


@given(st.lists(st.binary(max_size=60).map(lambda data: data[: len(data) // 4 * 4]), max_size=6), st.data())
def test_messages_come_out_whole_whatever_the_pieces(bodies, data):
    messages = [encode_message(280, 0, 0x80, number, number, body) for number, body in enumerate(bodies)]
    stream = b"".join(messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    framer = Framer()
    found = []
    for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += framer.feed(stream[start:stop])
    assert found == messages
    assert not framer.has_begun_message


def test_messages_come_out_whole_byte_by_byte():
    messages = [encode_message(280, 0, 0x80, 1, 1, bytes(40)), DWR]
    framer = Framer()
    found = [message for octet in b"".join(messages) for message in framer.feed(bytes([octet]))]
    assert found == messages


def test_a_message_has_begun_with_its_first_octet_and_ends_with_its_last():
    framer = Framer()
    assert not framer.has_begun_message
    framer.feed(DWR[:1])
    assert framer.has_begun_message
    framer.feed(DWR[1:])
    assert not framer.has_begun_message


@pytest.mark.parametrize(
    ("header", "result_code"),
    [
        ("0200001480000118", 5011),
        ("0000001480000118", 5011),
        ("0100000080000118", 5015),
        ("0100001380000118", 5015),
        ("0100001580000118", 5015),
        ("01ffffff80000118", 5015),
        ("01fffffc80000118", 5015),
    ],
)
def test_a_header_that_loses_the_stream_is_refused_with_enough_to_answer(header, result_code):
    whole = bytes.fromhex(header + "000000000000000100000002")
    with pytest.raises(FramingError) as caught:
        Framer().feed(DWR + whole)
    assert caught.value.result_code == result_code
    assert caught.value.header == whole
    assert caught.value.messages == [DWR]
    assert parse_header(caught.value.header).end_to_end_id == 2


def test_a_header_is_judged_only_when_it_can_be_answered():
    framer = Framer()
    assert framer.feed(b"\x02" + bytes(18)) == []
    with pytest.raises(FramingError):
        framer.feed(b"\0")


def test_the_longest_message_passes_and_the_next_does_not():
    longest = encode_message(280, 0, 0x80, 1, 1, bytes(MESSAGE_OCTETS_MAX - 20))
    assert Framer().feed(longest) == [longest]
    with pytest.raises(FramingError):
        Framer().feed(encode_message(280, 0, 0x80, 1, 1, bytes(MESSAGE_OCTETS_MAX - 16)))
