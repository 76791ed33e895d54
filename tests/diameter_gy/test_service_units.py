"""Services and units: what is counted, summed, refused."""

import pytest

from ocs.diameter_gy.avp import (
    encode_avp,
    enumerated,
    grouped,
    integer32,
    integer64,
    octet_string,
    unsigned32,
    unsigned64,
)
from ocs.diameter_gy.errors import (
    AvpOccursTooManyTimes,
    AvpUnsupported,
    DiameterError,
    InvalidAvpLength,
    InvalidAvpValue,
    MissingAvp,
)
from ocs.diameter_gy.service_units import ServiceUnitDecoder
from ocs.limits import UNITS_PER_REPORT_MAX
from ocs.messages import ReportingReason, ServiceUnit, TariffChangeUsage
from ocs.units import Money

TGPP = 10415
DECODER = ServiceUnitDecoder(tolerates_unknown=False, currency="EUR")


def services(*parts: bytes):
    return DECODER.services(b"".join(parts), [])


def used(*parts: bytes) -> ServiceUnit:
    [unit] = services(grouped(446, *parts)).used
    return unit


def amount(digits: int, exponent: int | None = None, currency: int | None = None) -> bytes:
    value = integer64(447, digits) + (b"" if exponent is None else integer32(429, exponent))
    return grouped(413, grouped(445, value), b"" if currency is None else unsigned32(425, currency))


def test_each_unit_is_read():
    unit = used(
        unsigned32(420, 1),
        unsigned64(421, 2),
        unsigned64(412, 3),
        unsigned64(414, 4),
        unsigned64(417, 5),
        amount(6),
    )
    assert unit == ServiceUnit(2, 3, 4, 1, 5, Money(6_000_000, "EUR"))


def test_input_and_output_without_total_are_summed():
    assert used(unsigned64(412, 700), unsigned64(414, 300)).total_octets == 1000
    assert used(unsigned64(412, 700)).total_octets == 700
    assert used(unsigned64(414, 300)).total_octets == 300


def test_total_is_taken_as_reported_beside_input_and_output():
    assert used(unsigned64(412, 1000), unsigned64(414, 0), unsigned64(421, 1001)).total_octets == 1001


def test_nothing_used_is_zero_and_nothing_said_is_absent():
    assert used(unsigned64(421, 0)).total_octets == 0
    assert used() == ServiceUnit()


def test_requested_unit_may_be_empty_or_absent():
    assert services(grouped(437)).requested == ServiceUnit()
    assert services(unsigned32(432, 1)).requested is None


def test_several_reports_keep_their_order():
    before, after = (
        grouped(446, enumerated(452, 0), unsigned64(421, 1)),
        grouped(446, enumerated(452, 1), unsigned64(421, 2)),
    )
    assert [unit.total_octets for unit in services(before, unsigned32(432, 1), after).used] == [1, 2]


def test_report_says_on_which_side_of_a_tariff_change_it_was_used():
    parts = [grouped(446, enumerated(452, side), unsigned64(421, side)) for side in (0, 1, 2)]
    assert [unit.tariff_change_usage for unit in services(*parts).used] == list(TariffChangeUsage)
    assert used(unsigned64(421, 1)).tariff_change_usage is None
    assert used(unsigned64(421, 1), enumerated(452, 1)).tariff_change_usage is TariffChangeUsage.AFTER


def test_unknown_side_of_a_tariff_change_is_refused():
    with pytest.raises(InvalidAvpValue) as caught:
        used(enumerated(452, 3))
    assert caught.value.failed_avp == grouped(456, grouped(446, enumerated(452, 3)))


def test_buffered_use_says_when_it_was():
    stamps = [encode_avp(1258, ntp.to_bytes(4, "big"), TGPP) for ntp in (0xE43D7EC6, 0xE43D7EC7)]
    told = [used(unsigned64(421, 1), stamp).event_time_s for stamp in stamps]
    assert told == [1_620_246_598, 1_620_246_599]


def test_reporting_reason_may_stand_in_the_report_or_beside_it():
    def reason(number: int) -> bytes:
        return enumerated(872, number, TGPP)

    for inside, beside in ((3, 4), (1, 2)):
        found = services(grouped(446, unsigned64(421, 1), reason(inside)), reason(beside), grouped(437))
        assert found.reporting_reasons == (ReportingReason(inside), ReportingReason(beside))
        found = services(grouped(446, unsigned64(421, 1), reason(inside)))
        assert found.reporting_reasons == (ReportingReason(inside),)
        assert services(reason(beside), unsigned32(432, 1)).reporting_reasons == (ReportingReason(beside),)
    assert services(unsigned32(432, 1)).reporting_reasons == ()


def test_every_reporting_reason_is_known_and_one_of_a_later_release_says_nothing():
    told = [services(enumerated(872, number, TGPP)).reporting_reasons for number in range(11)]
    assert told == [*[(reason,) for reason in ReportingReason], ()]


def test_triggers_of_a_report_are_read():
    for numbers in ((1, 2), (3, 4)):
        trigger = grouped(1264, *[enumerated(870, number, TGPP) for number in numbers], vendor_id=TGPP)
        assert services(trigger, unsigned32(432, 1)).triggers == numbers
    assert services(unsigned32(432, 1)).triggers == ()


def test_envelopes_are_accepted_and_change_no_units():
    envelope = grouped(1266, encode_avp(1269, bytes(4), TGPP), unsigned64(421, 700), vendor_id=TGPP)
    for total in (1000, 2000):
        found = services(envelope, envelope, grouped(446, unsigned64(421, total)))
        assert found.used == (ServiceUnit(total),)


def test_envelope_without_a_beginning_is_refused():
    decoder = ServiceUnitDecoder(tolerates_unknown=False, currency="EUR")
    decoder.services(grouped(1266, unsigned32(1269, 700, TGPP), vendor_id=TGPP), [])
    with pytest.raises(MissingAvp):  # also behind a sound one of its length
        decoder.services(grouped(1266, unsigned32(1267, 700, TGPP), vendor_id=TGPP), [])
    for _ in range(2):
        with pytest.raises(MissingAvp) as caught:
            services(unsigned32(432, 1), grouped(1266, unsigned64(421, 700), vendor_id=TGPP))
        start = encode_avp(1269, bytes(4), TGPP, flags=0)
        assert caught.value.failed_avp == grouped(456, grouped(1266, start, vendor_id=TGPP, flags=0))


@pytest.mark.parametrize(
    ("avp", "micro"),
    [
        (amount(5, -2), 50_000),
        (amount(5, 0), 5_000_000),
        (amount(5), 5_000_000),
        (amount(1, 3), 1_000_000_000),
        (amount(1, -6), 1),
        (amount(10, -7), 1),
        (amount(0, -18), 0),
    ],
)
def test_money_is_exact(avp, micro):
    assert used(avp).money == Money(micro, "EUR")


def test_money_says_its_currency():
    assert used(amount(1, 0, 840)).money == Money(1_000_000, "USD")
    assert services(grouped(437, amount(1, 0, 826))).requested == ServiceUnit(money=Money(1_000_000, "GBP"))


@pytest.mark.parametrize(
    "avp", [amount(1, -7), amount(15, -7), amount(1, 40), amount(1, -(2**31)), amount(-1, 0), amount(2**62, 12), amount(1, 0, 1)]
)  # fmt: skip
def test_money_that_micro_units_cannot_hold_is_refused(avp):
    with pytest.raises(InvalidAvpValue):
        used(avp)


def test_money_without_value_is_refused():
    with pytest.raises(MissingAvp) as caught:
        used(grouped(413, unsigned32(425, 978)))
    assert caught.value.failed_avp == grouped(456, grouped(446, grouped(413, grouped(445))))
    with pytest.raises(MissingAvp) as caught:
        used(grouped(413, grouped(445, integer32(429, 1))))
    failed = grouped(456, grouped(446, grouped(413, grouped(445, integer64(447, 0)))))
    assert caught.value.failed_avp == failed


def test_report_that_nobody_can_have_used_is_refused():
    assert used(unsigned64(421, UNITS_PER_REPORT_MAX)).total_octets == UNITS_PER_REPORT_MAX
    with pytest.raises(InvalidAvpValue) as caught:
        used(unsigned64(421, UNITS_PER_REPORT_MAX + 1))
    assert caught.value.failed_avp == grouped(456, grouped(446, unsigned64(421, UNITS_PER_REPORT_MAX + 1)))


def test_request_for_as_much_as_there_is_is_heard():
    assert services(grouped(437, unsigned64(421, 2**64 - 1))).requested == ServiceUnit(UNITS_PER_REPORT_MAX)


@pytest.mark.parametrize(
    ("parts", "error", "failed"),
    [
        (octet_string(432, b"\1"), InvalidAvpLength, unsigned32(432, 0)),
        (octet_string(439, b""), InvalidAvpLength, unsigned32(439, 0)),
        (unsigned32(432, 1) + unsigned32(432, 2), AvpOccursTooManyTimes, unsigned32(432, 2)),
        (grouped(437) * 2, AvpOccursTooManyTimes, grouped(437)),
        (encode_avp(9999, b""), AvpUnsupported, encode_avp(9999, b"")),
        (grouped(446, octet_string(420, bytes(8))), InvalidAvpLength, grouped(446, unsigned32(420, 0))),
        (grouped(437, unsigned32(421, 1)), InvalidAvpLength, grouped(437, unsigned64(421, 0))),
        (grouped(437, unsigned64(421, 1) * 2), AvpOccursTooManyTimes, grouped(437, unsigned64(421, 1))),
        (grouped(446, amount(1) * 2), AvpOccursTooManyTimes, grouped(446, amount(1))),
        (
            grouped(446, encode_avp(9999, b"", 4711)),
            AvpUnsupported,
            grouped(446, encode_avp(9999, b"", 4711)),
        ),
        (grouped(446, bytes.fromhex("000001a5400000ff")), InvalidAvpLength, grouped(446, unsigned64(421, 0))),
        (bytes.fromhex("000001b04000"), InvalidAvpLength, unsigned32(432, 0)),
        (encode_avp(872, b"", TGPP), InvalidAvpLength, encode_avp(872, bytes(4), TGPP)),
        (grouped(446, octet_string(452, b"")), InvalidAvpLength, grouped(446, enumerated(452, 0))),
    ],
)
def test_fault_is_shown_within_its_groups(parts, error, failed):
    with pytest.raises(error) as caught:
        services(parts)
    assert isinstance(caught.value, DiameterError)
    assert caught.value.failed_avp == grouped(456, failed)


def test_unknown_avps_with_m_bit_are_tolerated_where_told():
    tolerated = []
    decoder = ServiceUnitDecoder(tolerates_unknown=True, currency="EUR")
    found = decoder.services(encode_avp(9, b"", 4711) + grouped(446, encode_avp(8888, b"")), tolerated)
    assert found.used == (ServiceUnit(),)
    assert [(avp.vendor_id, avp.code) for avp in tolerated] == [(4711, 9), (0, 8888)]


def test_credit_control_units_are_one_after_the_other_read_without_memory_of_errors():
    wrong = grouped(437, unsigned32(421, 1))
    for _ in range(2):
        with pytest.raises(InvalidAvpLength) as caught:
            services(wrong)
        assert caught.value.failed_avp == grouped(456, grouped(437, unsigned64(421, 0)))
