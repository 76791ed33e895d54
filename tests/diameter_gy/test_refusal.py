import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.diameter_gy.avp import encode_avp, enumerated, grouped, split_avps, unsigned32, utf8
from ocs.diameter_gy.cca import encode_error_answer
from ocs.diameter_gy.errors import TooBusy
from ocs.diameter_gy.identity import NodeIdentity
from ocs.diameter_gy.message import encode_message, parse_header
from ocs.diameter_gy.refusal import BusyAnswers, request_type_of
from ocs.messages import CCRequestType

OURS = NodeIdentity("ocs.lab.example", "lab.example", "ocs-bss", origin_state_id=7)
SESSION = utf8(263, "pgw.example;1;2")
PROXY_INFO = grouped(284, utf8(280, "proxy.example"), utf8(33, "state"))


def ccr(*avps, flags=0xC0):
    return encode_message(272, 4, flags, 5, 6, b"".join(avps))


def refuse(message):
    return BusyAnswers(OURS).encode(message, parse_header(message))


@pytest.mark.parametrize("kind", CCRequestType)
@pytest.mark.parametrize("flags", [0x40, 0x00, 0x60])
def test_type_is_found_among_other_avps(kind, flags):
    kind_avp = encode_avp(416, kind.to_bytes(4), flags=flags)
    assert request_type_of(ccr(SESSION, utf8(264, "pgw"), kind_avp, unsigned32(415, 0))) is kind


def test_octets_that_look_like_a_type_inside_another_avp_are_passed_over():
    decoy = encode_avp(33, enumerated(416, 1) * 3)
    assert request_type_of(ccr(SESSION, decoy, enumerated(416, 3))) is CCRequestType.TERMINATION
    assert request_type_of(ccr(SESSION, decoy)) is None


@pytest.mark.parametrize(
    "message",
    [
        ccr(),
        ccr(SESSION),
        ccr(SESSION, enumerated(416, 9)),
        ccr(SESSION, encode_avp(416, b"\0\0\0\1\0\0\0\1")),
        ccr(SESSION, encode_avp(416, b"\0\0\0\1", 10415)),
        ccr(*[utf8(264, "x")] * 100, encode_avp(416, b"\0\0\0\3", flags=0)),
        ccr(b"\0\0\0\1\0\0\0\0" * 10),
    ],
)
def test_type_that_is_not_there_or_not_one_is_none(message):
    assert request_type_of(message) is None


@given(st.binary(max_size=200))
def test_any_octets_have_a_type_or_none_and_get_one_answer(body):
    message = encode_message(272, 4, 0xC0, 5, 6, body)
    request_type_of(message)
    answer = refuse(message)
    assert parse_header(answer)[4:] == (4, 5, 6)
    assert len(answer) <= 65_536


@pytest.mark.parametrize("flags", [0xC0, 0x80, 0xD0])
def test_answer_is_the_one_that_any_refusal_gets(flags):
    message = ccr(SESSION, utf8(264, "pgw"), enumerated(416, 1), flags=flags)
    header = parse_header(message)
    assert refuse(message) == encode_error_answer(message, header, TooBusy("this node is overloaded"), OURS)


def test_answer_holds_what_the_standard_wants_of_an_error():
    answer = refuse(ccr(SESSION, utf8(264, "pgw"), enumerated(416, 1)))
    header = parse_header(answer)
    assert header.is_error
    assert not header.is_request
    assert header.is_proxiable
    assert (header.hop_by_hop_id, header.end_to_end_id) == (5, 6)
    avps = split_avps(answer, 20)
    assert [avp.code for avp in avps] == [263, 264, 296, 268, 281]
    assert int.from_bytes(avps[3].data) == 3004


def test_proxy_info_comes_back():
    assert PROXY_INFO in refuse(ccr(SESSION, enumerated(416, 1), PROXY_INFO))


def test_octets_that_look_like_proxy_info_inside_another_avp_do_no_harm():
    decoy = encode_avp(33, b"\x1c\0\0\1\x1c\0\0\1\x1c")
    answer = refuse(ccr(SESSION, utf8(264, "\x1c"), decoy))
    assert [avp.code for avp in split_avps(answer, 20)] == [263, 264, 296, 268, 281]
    assert PROXY_INFO in refuse(ccr(SESSION, utf8(264, "\x1c"), decoy, PROXY_INFO))


def test_session_id_with_flags_of_its_own_comes_back():
    odd = encode_avp(263, b"pgw.example;1;2", flags=0)
    answer = refuse(ccr(odd, enumerated(416, 1)))
    assert next(avp.data for avp in split_avps(answer, 20)) == b"pgw.example;1;2"


def test_session_id_that_does_not_stand_first_comes_back():
    assert SESSION in refuse(ccr(utf8(264, "pgw"), SESSION, enumerated(416, 1)))


@pytest.mark.parametrize("length", [0, 7, 400])
def test_session_id_of_an_impossible_length_is_left_out(length):
    broken = bytearray(SESSION)
    broken[5:8] = length.to_bytes(3)
    answer = refuse(ccr(bytes(broken)))
    assert [avp.code for avp in split_avps(answer, 20)] == [264, 296, 268, 281]
