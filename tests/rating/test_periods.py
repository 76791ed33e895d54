from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocs.limits import CALENDAR_DAYS_REMEMBERED
from ocs.rating.errors import ExpectationError
from ocs.rating.periods import Calendar, Period, compile_period
from ocs.rating.schema import PeriodTable

BERLIN = ZoneInfo("Europe/Berlin")
DAY_NAMES = ["mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday"]


def period(name: str, *days: str, start: str = "00:00", end: str = "24:00") -> Period:
    return compile_period(PeriodTable(id=name, days=days or ("daily",), start=start, end=end))  # type: ignore[arg-type]


def local(text: str, zone: ZoneInfo = BERLIN, *, fold: int = 0) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp())


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


NIGHT = Calendar([period("night", start="22:00", end="06:00")], BERLIN)


@pytest.mark.parametrize(
    ("at", "is_night"),
    [
        ("2026-11-04T21:59:59", False),
        ("2026-11-04T22:00:00", True),
        ("2026-11-05T00:00:00", True),
        ("2026-11-05T05:59:59", True),
        ("2026-11-05T06:00:00", False),
        ("2026-11-30T23:30:00", True),
        ("2026-12-01T00:30:00", True),
        ("2026-12-31T23:30:00", True),
        ("2027-01-01T05:59:59", True),
        ("2028-02-29T00:00:00", True),
    ],
)
def test_period_over_midnight_reaches_into_the_next_day_month_and_year(at: str, is_night: bool) -> None:
    assert ("night" in NIGHT.active(local(at))) is is_night


@pytest.mark.parametrize(
    ("at", "is_active"),
    [
        ("2026-11-06T21:00:00", False),  # a Friday
        ("2026-11-06T22:00:00", True),
        ("2026-11-07T05:59:00", True),
        ("2026-11-07T22:00:00", False),
        ("2026-11-06T03:00:00", False),  # Thursday's night is not Friday's
    ],
)
def test_days_say_when_a_period_begins(at: str, is_active: bool) -> None:
    calendar = Calendar([period("friday-night", "fri", start="22:00", end="06:00")], BERLIN)
    assert bool(calendar.active(local(at))) is is_active


def test_holiday_is_a_day_of_its_own_and_no_day_of_the_week() -> None:
    christmas = date(2026, 12, 25)  # a Friday
    calendar = Calendar(
        [
            period("working", "weekdays"),
            period("off", "weekend", "holiday"),
            period("always"),
            period("late", "thu", start="20:00", end="08:00"),
        ],
        BERLIN,
        [christmas],
    )
    assert calendar.active(local("2026-12-24T23:59:59")) == {"working", "always", "late"}
    assert calendar.active(local("2026-12-25T00:00:00")) == {"off", "always", "late"}
    assert calendar.active(local("2026-12-25T12:00:00")) == {"off", "always"}
    assert calendar.active(local("2026-12-26T00:00:00")) == {"off", "always"}
    assert calendar.active(local("2026-12-28T00:00:00")) == {"working", "always"}


def changes(calendar: Calendar, start: int, end: int) -> list[tuple[int, frozenset[str]]]:
    return [change for change in calendar.changes_after(start, days=5) if change[0] < end]


def test_night_before_the_clocks_go_forward_is_an_hour_shorter() -> None:
    # 2027-03-28 02:00 is 03:00.
    start, end = local("2027-03-27T12:00:00"), local("2027-03-28T12:00:00")
    assert [at for at, _ in changes(NIGHT, start, end)] == [utc("2027-03-27T21:00"), utc("2027-03-28T04:00")]


def test_night_before_the_clocks_go_back_is_an_hour_longer() -> None:
    # 2026-10-25 03:00 is 02:00.
    start, end = local("2026-10-24T12:00:00"), local("2026-10-25T12:00:00")
    assert [at for at, _ in changes(NIGHT, start, end)] == [utc("2026-10-24T20:00"), utc("2026-10-25T05:00")]


def test_period_beginning_in_the_skipped_hour_begins_when_clocks_go_forward() -> None:
    calendar = Calendar([period("early", start="02:30", end="05:00")], BERLIN)
    start, end = local("2027-03-28T00:00:00"), local("2027-03-28T12:00:00")
    assert changes(calendar, start, end) == [
        (utc("2027-03-28T01:00"), frozenset({"early"})),
        (utc("2027-03-28T03:00"), frozenset()),
    ]


def test_period_inside_the_skipped_hour_does_not_happen() -> None:
    calendar = Calendar([period("gone", start="02:15", end="02:45")], BERLIN)
    assert changes(calendar, local("2027-03-28T00:00:00"), local("2027-03-28T12:00:00")) == []


def test_period_inside_the_hour_shown_twice_happens_twice() -> None:
    calendar = Calendar([period("twice", start="02:15", end="02:45")], BERLIN)
    start, end = local("2026-10-25T00:00:00"), local("2026-10-25T12:00:00")
    assert [at for at, _ in changes(calendar, start, end)] == [
        utc("2026-10-25T00:15"),
        utc("2026-10-25T00:45"),
        utc("2026-10-25T01:15"),
        utc("2026-10-25T01:45"),
    ]


def test_midnight_that_is_skipped_does_not_confuse_days() -> None:
    # Beirut goes from 2026-03-29 00:00 to 01:00: that Sunday has no midnight.
    zone = ZoneInfo("Asia/Beirut")
    calendar = Calendar([period("sunday", "sun")], zone)
    start = local("2026-03-28T12:00:00", zone)
    assert [at for at, _ in changes(calendar, start, start + 2 * 86_400)] == [
        utc("2026-03-28T22:00"),
        utc("2026-03-29T21:00"),
    ]


days = st.lists(st.sampled_from(DAY_NAMES), min_size=1, max_size=8, unique=True)
clock_times = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from([0, 15, 30, 59]))
periods = st.builds(
    lambda names, start, end: period("p", *names, start=start, end=end), days, clock_times, clock_times
)
zones = st.sampled_from(["Europe/Berlin", "Asia/Beirut", "Australia/Lord_Howe", "America/St_Johns", "UTC"])
# Around the changes of all those clocks, a holiday and the turn of the year.
first_days = st.sampled_from(
    ["2026-10-24", "2026-10-03", "2026-11-01", "2026-12-23", "2026-12-31", "2027-03-27"]
)


@settings(max_examples=40)
@given(st.lists(periods, min_size=1, max_size=3), zones, first_days)
def test_segments_say_what_the_wall_clock_says_at_every_minute(
    some: list[Period], zone: str, first_day: str
) -> None:
    named = [
        Period(period_id=str(n), days=p.days, start_minute=p.start_minute, end_minute=p.end_minute)
        for n, p in enumerate(some)
    ]
    calendar = Calendar(named, ZoneInfo(zone), [date(2026, 12, 24)])
    start = utc(first_day)
    later = dict(calendar.changes_after(start, days=2))
    active = calendar.active(start)
    for at in range(start, start + 2 * 86_400, 60):
        if at > start:
            assert (calendar.active(at) != active) == (at in later)
        active = calendar.active(at)
        since, said = calendar.segment(at)
        assert said == active
        assert since <= at
        assert at not in later or later[at] == active


@given(periods, periods)
def test_periods_overlap_exactly_when_some_moment_is_in_both(one: Period, other: Period) -> None:
    week = [date(2026, 11, 2) + timedelta(days=n) for n in range(16)]

    def moments(holidays: set[date]) -> bool:
        return any(
            all(
                period.contains(
                    minute,
                    begins_today=period.begins_on(day, kind(day)),
                    began_yesterday=period.begins_on(day - timedelta(days=1), kind(day - timedelta(days=1))),
                )
                for period in (one, other)
            )
            for kind in [lambda day: 7 if day in holidays else day.weekday()]
            for day in week
            for minute in {
                0,
                one.start_minute,
                one.end_minute % 1440,
                other.start_minute,
                other.end_minute % 1440,
            }
        )

    # Holidays on the days of the second week, and two in a row, see every pair of kinds of days.
    everything = [set[date]()] + [{day} for day in week[7:14]] + [{week[8], week[9]}]
    assert one.overlaps(other) == any(moments(holidays) for holidays in everything)


@pytest.mark.parametrize(
    ("table", "key"),
    [
        (PeriodTable(id="p", start="8:00"), "from"),
        (PeriodTable(id="p", start="24:00"), "from"),
        (PeriodTable(id="p", end="24:01"), "to"),
        (PeriodTable(id="p", end="25:00"), "to"),
        (PeriodTable(id="p", end="morning"), "to"),
        (PeriodTable(id="p", days=()), "days"),
        (PeriodTable(id="p", first_date=date(2026, 12, 2), last_date=date(2026, 12, 1)), "last_date"),
    ],
)
def test_times_and_days_that_do_not_exist_are_refused(table: PeriodTable, key: str) -> None:
    with pytest.raises(ExpectationError) as caught:
        compile_period(table)
    assert caught.value.key == key


def test_equal_times_are_a_whole_day_from_then_on() -> None:
    calendar = Calendar([period("day", "mon", start="08:00", end="08:00")], BERLIN)
    assert not calendar.active(local("2026-11-02T07:59:00"))
    assert calendar.active(local("2026-11-02T08:00:00"))
    assert calendar.active(local("2026-11-03T07:59:00"))
    assert not calendar.active(local("2026-11-03T08:00:00"))


def test_reports_from_any_day_do_not_fill_the_memory() -> None:
    for day in range(CALENDAR_DAYS_REMEMBERED * 2):
        NIGHT.segment(1_700_000_000 + day * 86_400)
    assert len(NIGHT._days) <= CALENDAR_DAYS_REMEMBERED


def dated(first: str | None, last: str | None, *, start: str = "00:00", end: str = "24:00") -> Period:
    return compile_period(
        PeriodTable(
            id="p",
            start=start,
            end=end,
            first_date=date.fromisoformat(first) if first else None,
            last_date=date.fromisoformat(last) if last else None,
        )
    )


def test_promotion_lasts_from_the_first_to_the_end_of_the_last_date() -> None:
    calendar = Calendar([dated("2026-12-01", "2026-12-26")], BERLIN)
    start, end = local("2026-12-01T00:00:00"), local("2026-12-27T00:00:00")
    assert [bool(calendar.active(at)) for at in (start - 1, start, end - 1, end)] == [
        False,
        True,
        True,
        False,
    ]
    assert list(calendar.changes_after(start - 86_400, days=40)) == [
        (start, frozenset({"p"})),
        (end, frozenset()),
    ]


def test_last_night_of_a_promotion_reaches_into_the_day_after() -> None:
    calendar = Calendar([dated("2026-12-01", "2026-12-02", start="22:00", end="06:00")], BERLIN)
    assert not calendar.active(local("2026-12-01T05:00:00"))
    assert calendar.active(local("2026-12-03T05:59:00"))
    assert not calendar.active(local("2026-12-03T06:00:00"))


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        (dated(None, "2026-11-30"), dated("2026-12-01", None), False),
        (dated(None, "2026-12-01"), dated("2026-12-01", None), True),
        (dated(None, None), dated("2026-12-01", "2026-12-01"), True),
        (dated("2026-01-01", "2026-02-01"), dated("2025-01-01", "2025-12-31"), False),
        (dated(None, "2026-11-30", start="22:00", end="06:00"), dated("2026-12-01", None), True),
        (dated(None, "2026-11-30", start="22:00", end="06:00"), dated("2026-12-02", None), False),
        (
            dated(None, "2026-11-30", start="22:00", end="06:00"),
            dated("2026-12-01", None, start="22:00", end="06:00"),
            False,
        ),
    ],
)
def test_periods_on_other_dates_do_not_overlap(one: Period, other: Period, *, overlap: bool) -> None:
    assert one.overlaps(other) is overlap
    assert other.overlaps(one) is overlap
