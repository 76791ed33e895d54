"""The charge event stream's schema: what the business side reads is what charging wrote."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.events import (
    SCHEMA_VERSION,
    BucketMovement,
    ChargeEvent,
    EventKind,
    Notice,
    NoticeKind,
    PriceTrace,
    decode_event,
    encode_event,
)
from ocs.units import UnitType

numbers = st.integers(-(2**62), 2**62)
texts = st.text(max_size=20)
movements = st.lists(
    st.builds(BucketMovement, texts, st.sampled_from(UnitType), numbers, numbers), max_size=4
)
events = st.builds(
    ChargeEvent,
    schema_version=st.just(SCHEMA_VERSION),
    event_id=texts,
    kind=st.sampled_from(EventKind),
    account_id=texts,
    sequence=numbers,
    subscriber_id=texts,
    session_id=texts,
    request_number=numbers,
    service=texts,
    rating_group=st.none() | numbers,
    service_identifiers=st.lists(numbers, max_size=3).map(tuple),
    unit_type=st.sampled_from(UnitType),
    units=numbers,
    billed_units=numbers,
    amount_micro=numbers,
    currency=texts,
    tax_class=texts,
    movements=movements.map(tuple),
    balance_after_micro=numbers,
    catalogue_version=texts,
    tariff_path=texts,
    trace=st.none() | st.builds(PriceTrace, *[numbers] * 12),
    event_time_ms=numbers,
    time_zone=texts,
    notice=st.none() | st.builds(Notice, st.sampled_from(NoticeKind), texts, numbers, numbers),
    reason=texts,
)

USE = ChargeEvent(
    SCHEMA_VERSION, "pgw1.lab.example;1760000000;42;0a1b2c3d;u7;0", EventKind.DEBIT, "A1", 8, "A1",
    "pgw1.lab.example;1760000000;42", 7, "data", 10, (), UnitType.TOTAL_OCTETS, 10_485_760, 10_485_760, -100_000,
    "EUR", "standard", (BucketMovement("main", UnitType.MONEY, -100_000, 9_900_000),), 9_900_000,
    "2026-10-01.bd6457d1", "prepaid-basic/browsing", PriceTrace(0, 1, 0, 1, 0, 0, 1, 10_000, 1 << 20, 10_240, 10_240, 0),
    1_760_000_000_000, "Europe/Berlin",
)  # fmt: skip


@given(events)
def test_event_reads_back_as_it_was_written(event: ChargeEvent) -> None:
    assert decode_event(encode_event(event)) == event


def test_schema_version_is_the_first_thing_in_an_event() -> None:
    first, *_ = msgspec.msgpack.decode(encode_event(USE))
    assert first == SCHEMA_VERSION


def test_event_of_an_ordinary_use_is_below_three_hundred_octets() -> None:
    assert len(encode_event(USE)) < 300


def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_event(msgspec.msgpack.encode({"schema_version": 1}))
    with pytest.raises(msgspec.DecodeError):
        decode_event(encode_event(USE)[:-3])
