"""Groups read by a layout learnt before give what stepping through them gives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.diameter_gy.avp import encode_avp, grouped, unsigned32, unsigned64
from ocs.diameter_gy.errors import DiameterError
from ocs.diameter_gy.group_layouts import GroupLayouts, Span
from ocs.diameter_gy.service_units import ServiceUnitDecoder
from ocs.limits import GROUP_LAYOUTS_MAX


def decoder() -> ServiceUnitDecoder:
    return ServiceUnitDecoder(tolerates_unknown=False, currency="EUR")


TGPP = 10415
octets = st.integers(0, 2**54)
units = st.lists(
    st.one_of(
        st.builds(unsigned64, st.sampled_from([412, 414, 417, 421]), octets),
        st.builds(unsigned32, st.just(420), st.integers(0, 2**32 - 1)),
        st.builds(unsigned32, st.just(452), st.integers(0, 3)),
        st.builds(unsigned32, st.sampled_from([872, 1258]), st.integers(0, 3), st.just(TGPP)),
        st.builds(lambda data: encode_avp(9999, data, flags=0), st.binary(max_size=9)),
    ),
    max_size=4,
).map(b"".join)
services = st.lists(
    st.one_of(
        st.builds(unsigned32, st.sampled_from([432, 439]), st.integers(0, 2**32 - 1)),
        st.builds(grouped, st.sampled_from([437, 446]), units),
        st.builds(unsigned32, st.just(872), st.integers(0, 12), st.just(TGPP)),
        st.builds(lambda number: encode_avp(1264, unsigned32(870, number, TGPP), TGPP), st.integers(0, 3)),
        st.builds(lambda code: encode_avp(1266, unsigned32(code, 0, TGPP), TGPP), st.integers(1268, 1269)),
    ),
    max_size=4,
).map(b"".join)


def outcome(read, data: bytes):
    try:
        return read(data, [])
    except DiameterError as error:
        return type(error), error.failed_avp


@given(st.lists(services, min_size=1, max_size=8))
def test_services_read_by_layout_are_what_stepping_reads(messages):
    learnt = decoder()
    for data in messages * 2:
        assert outcome(learnt.services, data) == outcome(decoder().services, data)


def test_values_are_cut_out_where_the_layout_is_known():
    layouts = GroupLayouts(3)
    first = unsigned32(432, 7) + unsigned64(421, 1000)
    layouts.learn(first, [Span(2, 8, "I"), Span(0, 20, "Q")])
    assert layouts.read(unsigned32(432, 8) + unsigned64(421, 2000)) == (2000, None, 8)
    assert layouts.read(unsigned32(439, 8) + unsigned64(421, 2000)) is None
    assert layouts.read(first + first) is None


def test_kind_that_occurs_twice_is_not_learnt():
    layouts = GroupLayouts(2)
    data = unsigned32(439, 1) + unsigned32(439, 2)
    layouts.learn(data, [Span(0, 8, "I"), Span(0, 20, "I")])
    assert layouts.read(data) is None


def test_layouts_are_bounded():
    layouts = GroupLayouts(2)
    for length in range(1, GROUP_LAYOUTS_MAX + 10):
        layouts.learn(encode_avp(1, b"x" * 4 * length), [Span(0, 8, f"{4 * length}s")])
    assert layouts.read(encode_avp(1, b"y" * 4)) == (b"yyyy", None)
    assert layouts.read(encode_avp(1, b"y" * 4 * (GROUP_LAYOUTS_MAX + 5))) is None


@pytest.mark.parametrize("value", [2**53 + 1, 2**64 - 1])
def test_impossible_report_is_refused_also_by_a_known_layout(value):
    learnt = decoder()
    for amount in (1, 2):
        learnt.services(grouped(446, unsigned64(421, amount)) + unsigned32(432, 1), [])
    with pytest.raises(DiameterError) as refused:
        learnt.services(grouped(446, unsigned64(421, value)) + unsigned32(432, 1), [])
    assert refused.value.result_code == 5004
