"""Re-Auth- and Abort-Session-Requests, read by the `diameter` package and judged by Wireshark."""

from pathlib import Path
from typing import Any

import pytest
from diameter.message import Message
from diameter.message.commands import AbortSessionRequest, ReAuthRequest

from ocs.diameter_gy.avp import encode_avp, split_avps, unsigned32, utf8
from ocs.diameter_gy.identity import NodeIdentity
from ocs.diameter_gy.message import encode_message, parse_header
from ocs.diameter_gy.session_demand import (
    DemandKind,
    SentDemand,
    SessionDemand,
    decode_result_code,
    encode_demand,
)
from tests.endtoend import wireshark

OURS = NodeIdentity("ocs.lab.example", "lab.example", "ocs", 7)
NAMELESS = NodeIdentity("ocs.lab.example", "lab.example")
SENT = SentDemand(0x11, 0x22)


def demand(
    kind: DemandKind = DemandKind.REAUTHORISE, session: str = "pgw.example;1;2", **more: Any
) -> SessionDemand:
    return SessionDemand(kind, "a1", session, "pgw.example", "example", **more)


def read(octets: bytes) -> Any:
    found = Message.from_bytes(octets)
    assert found.as_bytes()
    return found


def codes_of(octets: bytes) -> list[int]:
    return [avp.code for avp in split_avps(octets, 20)]


def test_reauthorisation_names_the_session_and_the_way_to_its_gateway():
    octets = encode_demand(demand(), OURS, SENT)
    assert codes_of(octets) == [263, 264, 296, 283, 293, 258, 285, 278]
    found = read(octets)
    assert isinstance(found, ReAuthRequest)
    assert (found.session_id, found.origin_host, found.origin_realm) == (
        "pgw.example;1;2", b"ocs.lab.example", b"lab.example",
    )  # fmt: skip
    assert (found.destination_host, found.destination_realm) == (b"pgw.example", b"example")
    assert (found.auth_application_id, found.re_auth_request_type, found.origin_state_id) == (4, 0, 7)
    header = parse_header(octets)
    assert (header.flags, header.command_code, header.application_id) == (0xC0, 258, 4)
    assert (header.hop_by_hop_id, header.end_to_end_id) == (0x11, 0x22)


def test_whole_session_is_meant_where_no_part_is_named_and_each_part_is_told():
    parts = demand(rating_groups=(10, 20), service_identifiers=(5,), pools=(1, 2))
    avps = [
        (avp.code, int.from_bytes(avp.data)) for avp in split_avps(encode_demand(parts, NAMELESS, SENT), 20)
    ]
    assert avps[-5:] == [(453, 1), (453, 2), (439, 5), (432, 10), (432, 20)]
    assert not {432, 439, 453} & set(codes_of(encode_demand(demand(), NAMELESS, SENT)))


@pytest.mark.parametrize("kind", DemandKind)
def test_sub_session_is_named_beside_its_session(kind: DemandKind) -> None:
    octets = encode_demand(demand(kind, "pgw.example;1;2;sub=7"), NAMELESS, SENT)
    avps = {avp.code: avp.data for avp in split_avps(octets, 20)}
    assert (avps[263], int.from_bytes(avps[419])) == (b"pgw.example;1;2", 7)
    odd = {
        avp.code: avp.data for avp in split_avps(encode_demand(demand(kind, "a;sub=b"), NAMELESS, SENT), 20)
    }
    assert (odd[263], 419 in odd) == (b"a;sub=b", False)


def test_abort_names_the_session():
    octets = encode_demand(demand(DemandKind.ABORT, rating_groups=(10,)), OURS, SENT)
    assert codes_of(octets) == [263, 264, 296, 283, 293, 258, 278]
    found = read(octets)
    assert isinstance(found, AbortSessionRequest)
    assert (found.session_id, found.destination_host, found.auth_application_id) == (
        "pgw.example;1;2",
        b"pgw.example",
        4,
    )


def test_copy_has_the_T_flag():
    assert parse_header(encode_demand(demand(), OURS, SentDemand(1, 2, is_copy=True))).flags == 0xD0


def test_result_of_an_answer_is_read_and_none_is_zero():
    answer = encode_message(258, 4, 0x40, 1, 1, utf8(263, "s") + unsigned32(268, 2002))
    assert decode_result_code(answer) == 2002
    assert decode_result_code(encode_message(258, 4, 0x40, 1, 1, utf8(263, "s"))) == 0
    assert decode_result_code(encode_message(258, 4, 0x40, 1, 1, encode_avp(268, b""))) == 0
    assert decode_result_code(answer[:30]) == 0


@pytest.mark.skipif(not wireshark.TSHARK, reason="tshark is not installed (Debian: tshark)")
def test_wireshark_finds_no_fault(tmp_path: Path) -> None:
    capture = wireshark.Capture()
    for asked in (
        demand(rating_groups=(10,), service_identifiers=(5,), pools=(1,)),
        demand(session="s;sub=1"),
        demand(DemandKind.ABORT),
    ):
        capture.connection().received(encode_demand(asked, OURS, SENT))
    capture.write(tmp_path / "demands.pcap")
    assert wireshark.messages_seen(tmp_path / "demands.pcap") == {(258, True), (274, True)}
    assert wireshark.faults(tmp_path / "demands.pcap") == []
