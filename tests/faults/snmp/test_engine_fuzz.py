"""Whatever arrives, the engine says what became of it and raises nothing; and a long datagram is no long work."""

import itertools
import sys
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.faults.snmp import ber
from ocs.faults.snmp.discard import DiscardReason
from ocs.limits import SNMP_DATAGRAM_OCTETS_MAX, SNMP_VARBINDS_MAX
from tests.support.net_snmp import Protection
from tests.support.pysnmp_messages import Said, v2c_message
from tests.support.snmp_listener import ENGINE_TIME_S, NOW_MS
from tests.support.snmp_mutations import PEER, assert_one_outcome, judge, mutations
from tests.support.snmp_recordings import recordings
from tests.support.snmp_sender import HEAD, inform, trap

JUDGE = judge()
SECRET = Protection("sha256", "aes128").user()


@given(st.binary(max_size=300))
def test_noise_raises_nothing(octets: bytes) -> None:
    assert_one_outcome(JUDGE, octets)


@given(st.binary(max_size=100), st.sampled_from([0, 1, 3]))
def test_noise_in_a_message_raises_nothing(octets: bytes, version: int) -> None:
    assert_one_outcome(JUDGE, ber.encode(0x30, ber.encode_number(2, version) + b"\4\6public" + octets))


@given(st.binary(max_size=100), st.sampled_from([0xA4, 0xA6, 0xA7]), st.booleans())
def test_noise_in_an_authentic_pdu_raises_nothing(octets: bytes, tag: int, is_inform: bool) -> None:
    write = inform if is_inform else trap
    assert_one_outcome(JUDGE, write(SECRET, pdu=ber.encode(tag, octets)))


@given(st.integers(0, 2**32))
def test_mutated_recordings_raise_nothing(seed: int) -> None:
    for octets in itertools.islice(mutations(seed), 20):
        assert_one_outcome(JUDGE, octets)


def test_mutations_reach_every_part_of_the_decoder() -> None:
    outcomes = [
        JUDGE.receive([(octets, PEER, 1)], NOW_MS, ENGINE_TIME_S)
        for octets in itertools.islice(mutations(1), 8_000)
    ]
    reasons = {discard.reason for outcome in outcomes for discard in outcome.discards}
    assert reasons == set(DiscardReason) - {DiscardReason.TOO_LONG}
    assert sum(len(outcome.notifications) for outcome in outcomes) > 200, "some are still read"
    assert any(outcome.replies for outcome in outcomes)


def test_every_beginning_of_a_recorded_datagram_raises_nothing_and_none_is_read() -> None:
    shortest = {recording.case: recording.octets for recording in recordings()}
    for octets in shortest.values():
        for end in range(len(octets)):
            assert not assert_one_outcome(JUDGE, octets[:end])


# --- work is linear in the octets ---


def lines_run(octets: bytes) -> int:
    """Lines of our decoder that ran for one datagram: its work, told without a clock."""
    by = judge()
    by.receive([(trap(SECRET), PEER, 1)], NOW_MS, ENGINE_TIME_S)
    count = 0

    def count_line(frame: FrameType, event: str, _: object):
        nonlocal count
        if "snmp" not in frame.f_code.co_filename:
            return None
        count += event == "line"
        return count_line

    before = sys.gettrace()
    sys.settrace(count_line)
    try:
        by.receive([(octets, PEER, 1)], NOW_MS, ENGINE_TIME_S)
    finally:
        sys.settrace(before)
    return count


def flood(size: int) -> bytes:
    """As many empty varbinds as there is room for."""
    return v2c_with(b"\x30\x04\x06\x00\x05\x00" * (size // 6))


def v2c_with(varbinds: bytes) -> bytes:
    pdu = ber.encode(0xA7, bytes.fromhex("020101020100020100") + ber.encode(0x30, varbinds))
    return ber.encode(0x30, b"\2\1\1\4\6public" + pdu)


def uptimes(size: int) -> bytes:
    """Another sysUpTime.0 and another, which are no varbinds and count for none."""
    one = bytes.fromhex("300d06082b0601020101030043")
    return v2c_with(b"".join([one + b"\1" + bytes((number & 0x7F,)) for number in range(size // 15)]))


def object_identifiers(size: int) -> bytes:
    """Values of ever other long object identifiers."""
    many: list[Said] = [
        (f"1.3.6.1.4.1.{number}", 0x06, ".".join(["1.3", *[str(2**32 - 1 - number)] * 100]))
        for number in range(size // 520)
    ]
    return v2c_message([*HEAD, *many])


def endless_arc(size: int) -> bytes:
    return v2c_with(ber.encode(0x30, ber.encode(6, b"\x2b" + b"\xff" * size + b"\x7f") + b"\5\0"))


def nested(size: int) -> bytes:
    octets = b""
    while len(octets) < size:
        octets = ber.encode(0x30, octets)
    return v2c_with(octets)


def one_string(size: int) -> bytes:
    return v2c_message([*HEAD, ("1.3.6.1.4.1.9.1", 0x04, bytes(size))])


def private(size: int) -> bytes:
    return inform(SECRET, said=[*HEAD, ("1.3.6.1.4.1.9.1", 0x04, bytes(size))])


@pytest.mark.parametrize(
    "write",
    [flood, uptimes, object_identifiers, endless_arc, one_string, private],
    ids=lambda write: write.__name__,
)
def test_work_for_a_datagram_is_bounded_by_its_octets(write) -> None:
    for size in (600, 6_000, 60_000):
        octets = write(size)
        assert len(octets) <= SNMP_DATAGRAM_OCTETS_MAX
        assert lines_run(octets) < 600 + 6 * len(octets)


def test_depth_of_what_is_nested_costs_nothing() -> None:
    assert lines_run(nested(3_000)) < 200


def test_flood_of_varbinds_ends_at_its_bound() -> None:
    assert lines_run(flood(60_000)) < 600 + 20 * SNMP_VARBINDS_MAX
