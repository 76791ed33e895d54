"""What is written and read, as values: composed changes decode, gaps are seen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.faults.alarm_change import AlarmChange, ChangeKind
from ocs.faults.operator_axis import OperatorRecord
from ocs.faults.store.batch import (
    AlarmBatch,
    check_batch,
    decode_change,
    decode_read,
    encode_alarm,
    encode_record,
    frame_change,
    parse_entry_id,
)
from tests.support.alarms import NOW_MS, TOKENS, Fact, alarm_of

A = alarm_of("router1", details=(("ifName.1", "Gi0/1"),), affected_services=("voice",))


@given(
    kind=st.sampled_from(list(ChangeKind)),
    alarm_id=st.text(max_size=40),
    at_ms=st.integers(0, 2**53),
    is_notified=st.booleans(),
    has_alarm=st.booleans(),
    has_record=st.booleans(),
)
def test_change_composed_of_its_parts_is_the_change(
    kind: ChangeKind, alarm_id: str, at_ms: int, is_notified: bool, has_alarm: bool, has_record: bool
):
    token = TOKENS.next()
    head, tail = frame_change(Fact(kind, alarm_id, at_ms, is_notified), token, 7)
    record = OperatorRecord(alarm_id, assigned_to="kim")
    parts = (encode_alarm(A) if has_alarm else b"\xc0", encode_record(record) if has_record else b"\xc0")
    assert decode_change(head + b"".join(parts) + tail) == AlarmChange(
        f"{alarm_id}-{token.hex()}-7",
        kind,
        alarm_id,
        at_ms,
        A if has_alarm else None,
        record if has_record else None,
        is_notified,
    )


@pytest.mark.parametrize("token", [b"", b"short", bytes(13)])
def test_token_has_its_length(token: bytes):
    with pytest.raises(ValueError, match="12 octets"):
        check_batch(AlarmBatch(token))


@pytest.mark.parametrize(
    ("trimmed", "first", "last_given", "is_whole"),
    [
        (0, b"1-0", b"5-0", True),
        (0, b"6-0", b"6-0", True),  # the stream began behind us: nothing was ever trimmed
        (3, b"5-0", b"9-0", True),
        (3, b"5-1", b"9-0", False),
        (3, b"", b"9-0", False),
        (0, b"1-0", b"4-9", False),  # another stream than the one that gave 5-0
        (0, b"", b"0-0", False),
    ],
)
def test_reader_whom_trimming_overtook_is_told(trimmed: int, first: bytes, last_given: bytes, is_whole: bool):
    assert (decode_read([trimmed, first, last_given, []], "5-0") is not None) is is_whole


def test_entry_ids_compare_as_numbers():
    assert parse_entry_id("10-2") > parse_entry_id("9-10")
    assert parse_entry_id("10") == (10, 0)
    with pytest.raises(ValueError):
        parse_entry_id("nonsense")


def test_change_ids_of_one_alarm_in_one_batch_differ():
    token = TOKENS.next()
    fact = Fact(ChangeKind.RAISED, A.alarm_id, NOW_MS)
    heads = {frame_change(fact, token, ordinal)[0] for ordinal in range(3)}
    assert len(heads) == 3
