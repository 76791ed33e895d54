"""Neutral messages: what a repeat gets again comes out of the store as it went in, and is small there."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.messages import (
    ChargingAnswer,
    FinalUnitAction,
    FinalUnitIndication,
    Outcome,
    RedirectAddressType,
    ServiceAnswer,
    ServiceUnit,
)
from ocs.units import Money

counts = st.none() | st.integers(0, 2**63 - 1)
money = st.builds(Money, st.integers(-(2**62), 2**62), st.sampled_from(["EUR", "USD"]))
units = st.builds(ServiceUnit, counts, counts, counts, counts, counts, st.none() | money)
final_units = st.builds(
    FinalUnitIndication,
    st.sampled_from(FinalUnitAction),
    st.none() | st.sampled_from(RedirectAddressType),
    st.text(max_size=20),
    st.lists(st.text(max_size=20), max_size=3).map(tuple),
    st.lists(st.text(max_size=20), max_size=3).map(tuple),
)
service_answers = st.builds(
    ServiceAnswer,
    st.sampled_from(Outcome),
    counts,
    st.lists(st.integers(0, 2**32 - 1), max_size=3).map(tuple),
    st.none() | units,
    counts,
    counts,
    counts,
    st.none() | final_units,
)
answers = st.builds(
    ChargingAnswer,
    st.sampled_from(Outcome),
    st.lists(service_answers, max_size=3).map(tuple),
    st.none() | money,
    st.none() | st.booleans(),
    st.none() | money,
)


@given(answers)
def test_answer_reads_back_as_it_was_remembered(answer: ChargingAnswer) -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(answer), type=ChargingAnswer) == answer


def test_remembered_answer_of_one_grant_is_a_few_octets() -> None:
    granted = ServiceAnswer(Outcome.SUCCESS, 10, (), ServiceUnit(total_octets=10_485_760), 3600, 1_048_576)
    assert len(msgspec.msgpack.encode(ChargingAnswer(Outcome.SUCCESS, (granted,)))) <= 40
    assert len(msgspec.msgpack.encode(ChargingAnswer(Outcome.UNKNOWN_SESSION))) <= 8


def test_absent_unit_is_not_zero() -> None:
    absent, zero = ServiceUnit(), ServiceUnit(total_octets=0)
    assert absent != zero
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(zero), type=ServiceUnit).total_octets == 0


def test_message_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        ChargingAnswer(Outcome.SUCCESS).outcome = Outcome.USER_UNKNOWN  # type: ignore[misc]
