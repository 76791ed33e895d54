from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.rating import ChargeKind, CountingPeriod, OfferCharge
from ocs.rating.schedule import next_due_ms, period_end_ms, period_start_ms, prorated_micro

BERLIN = ZoneInfo("Europe/Berlin")
MONTHLY = OfferCharge("fee", "fee", ChargeKind.RECURRING, 10_000_000, CountingPeriod.MONTH, False, 0, "")


def ms(text: str, zone: ZoneInfo = BERLIN) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()) * 1000


# --- counting periods -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("period", "at", "start", "end"),
    [
        ("day", "2026-11-22T12:00:00", "2026-11-22T00:00:00", "2026-11-23T00:00:00"),
        ("day", "2026-10-25T12:00:00", "2026-10-25T00:00:00", "2026-10-26T00:00:00"),  # 25 hours
        ("day", "2028-02-29T23:59:59", "2028-02-29T00:00:00", "2028-03-01T00:00:00"),
        ("week", "2026-11-22T23:59:59", "2026-11-16T00:00:00", "2026-11-23T00:00:00"),
        ("week", "2026-11-23T00:00:00", "2026-11-23T00:00:00", "2026-11-30T00:00:00"),
        ("week", "2027-01-01T00:00:00", "2026-12-28T00:00:00", "2027-01-04T00:00:00"),
        ("month", "2026-02-28T23:00:00", "2026-02-01T00:00:00", "2026-03-01T00:00:00"),
        ("month", "2026-12-31T23:59:59", "2026-12-01T00:00:00", "2027-01-01T00:00:00"),
        ("billing", "2026-11-14T23:59:59", "2026-10-15T00:00:00", "2026-11-15T00:00:00"),
        ("billing", "2026-11-15T00:00:00", "2026-11-15T00:00:00", "2026-12-15T00:00:00"),
        ("billing", "2027-01-01T00:00:00", "2026-12-15T00:00:00", "2027-01-15T00:00:00"),
    ],
)
def test_counters_start_anew_at_local_midnight(period: str, at: str, start: str, end: str) -> None:
    kind = CountingPeriod(period)
    assert period_start_ms(kind, ms(at), BERLIN, billing_day=15) == ms(start)
    assert period_end_ms(kind, ms(at), BERLIN, billing_day=15) == ms(end)


@given(
    st.sampled_from(CountingPeriod),
    st.integers(1_600_000_000_000, 1_900_000_000_000),
    st.sampled_from(["Europe/Berlin", "America/Santiago", "Asia/Kathmandu", "UTC"]),
    st.integers(1, 28),
)
def test_every_moment_is_in_one_period(
    period: CountingPeriod, at_ms: int, zone: str, billing_day: int
) -> None:
    clock = ZoneInfo(zone)
    start = period_start_ms(period, at_ms, clock, billing_day=billing_day)
    end = period_end_ms(period, at_ms, clock, billing_day=billing_day)
    assert start <= at_ms < end
    assert period_start_ms(period, end, clock, billing_day=billing_day) == end
    assert period_end_ms(period, start, clock, billing_day=billing_day) == end
    assert period_start_ms(period, end - 1, clock, billing_day=billing_day) == start


# --- charges ----------------------------------------------------------------------------------------------


def due_dates(charge: OfferCharge, subscribed: str, count: int, *, billing_day: int = 1) -> list[str]:
    begun = ms(subscribed)
    after, found = begun - 1, list[str]()
    for _ in range(count):
        due = next_due_ms(charge, begun, after, BERLIN, billing_day=billing_day)
        if due is None:
            break
        assert due > after
        after = due
        found.append(datetime.fromtimestamp(due / 1000, BERLIN).isoformat(timespec="minutes")[:16])
    return found


def test_what_began_on_the_31st_is_due_on_the_last_day_of_shorter_months() -> None:
    assert due_dates(MONTHLY, "2028-01-31T09:30:00", 5) == [
        "2028-01-31T09:30",
        "2028-02-29T00:00",
        "2028-03-31T00:00",
        "2028-04-30T00:00",
        "2028-05-31T00:00",
    ]


def test_what_began_on_a_leap_day_is_due_on_the_29th() -> None:
    assert due_dates(MONTHLY, "2028-02-29T00:00:00", 3)[1:] == ["2028-03-29T00:00", "2028-04-29T00:00"]


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        (CountingPeriod.DAY, ["2026-10-25T00:00", "2026-10-26T00:00"]),
        (CountingPeriod.WEEK, ["2026-10-26T00:00", "2026-11-02T00:00"]),
        (CountingPeriod.BILLING, ["2026-11-10T00:00", "2026-12-10T00:00"]),
    ],
)
def test_other_periods_are_due_on_the_operators_days(period: CountingPeriod, expected: list[str]) -> None:
    charge = msgspec.structs.replace(MONTHLY, period=period)
    assert due_dates(charge, "2026-10-24T09:00:00", 3, billing_day=10)[1:] == expected


def test_setup_charge_is_due_once_and_one_off_charge_never_by_itself() -> None:
    setup = msgspec.structs.replace(MONTHLY, kind=ChargeKind.SETUP, period=None)
    one_off = msgspec.structs.replace(MONTHLY, kind=ChargeKind.ONE_OFF, period=None)
    assert due_dates(setup, "2026-11-22T10:00:00", 3) == ["2026-11-22T10:00"]
    assert due_dates(one_off, "2026-11-22T10:00:00", 3) == []


@given(
    st.integers(1_600_000_000, 1_900_000_000),
    st.integers(0, 10**8),
    st.sampled_from(CountingPeriod),
)
def test_nothing_is_due_twice_or_left_out(subscribed_s: int, later_s: int, period: CountingPeriod) -> None:
    charge = msgspec.structs.replace(MONTHLY, period=period)
    begun, at = subscribed_s * 1000, (subscribed_s + later_s) * 1000
    due = next_due_ms(charge, begun, at, BERLIN)
    assert due is not None
    assert at < due <= at + 32 * 86_400_000
    # Asked at any moment before it is due, the answer is the same.
    assert next_due_ms(charge, begun, due - 1, BERLIN) == due or due - 1 < begun


@pytest.mark.parametrize(
    ("period", "start", "end", "expected"),
    [
        (CountingPeriod.BILLING, "2026-11-16T12:00:00", "2026-12-01T00:00:00", 5_000_000),  # 15 of 30 days
        (CountingPeriod.BILLING, "2026-11-30T23:00:00", "2026-12-01T00:00:00", 333_334),
        (CountingPeriod.BILLING, "2028-02-15T00:00:00", "2028-03-01T00:00:00", 5_172_414),  # 15 of 29 days
        (CountingPeriod.BILLING, "2026-11-01T00:00:00", "2026-12-01T00:00:00", 10_000_000),
        (CountingPeriod.MONTH, "2026-11-22T10:00:00", "2026-12-07T00:00:00", 5_000_000),  # 15 of its own 30
        (CountingPeriod.WEEK, "2026-11-22T10:00:00", "2026-11-23T00:00:00", 1_428_572),
    ],
)
def test_part_of_a_period_costs_its_days(period: CountingPeriod, start: str, end: str, expected: int) -> None:
    charge = msgspec.structs.replace(MONTHLY, period=period, is_prorated=True)
    assert prorated_micro(charge, ms(start), ms(end), BERLIN) == expected
    whole = msgspec.structs.replace(charge, is_prorated=False)
    assert prorated_micro(whole, ms(start), ms(end), BERLIN) == 10_000_000
