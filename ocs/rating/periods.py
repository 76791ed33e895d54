"""Times of day and days of the week on the operator's clock, through every change of that clock.

A period is in effect whenever the local wall clock shows a time in it. So when clocks go back, the hour that is
shown twice counts twice; when they go forward, the time that is never shown is in no period.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from ocs.limits import CALENDAR_DAYS_REMEMBERED
from ocs.rating.errors import ExpectationError
from ocs.rating.schema import PeriodTable

_DAY_S: Final = 86_400
_DAY_MINUTES: Final = 1_440
_HOLIDAY: Final = 7
_WEEK: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday")
_GROUPS: Final = {"weekdays": range(5), "weekend": range(5, 7), "daily": range(8)}
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")

# (epoch second from which, ids of the periods in effect)
Segment = tuple[int, frozenset[str]]


class Period(msgspec.Struct, frozen=True):
    """A part of the week.

    Attributes:
        days: on which it begins: 0 Monday to 6 Sunday, 7 a holiday.
        start_minute: minute of the day at which it begins.
        end_minute: minute at which it ends; not above ``start_minute`` means on the next day.
        first_date: before which it does not begin, None for ever; last_date: after which it does not.
    """

    period_id: str
    days: frozenset[int]
    start_minute: int
    end_minute: int
    first_date: date | None = None
    last_date: date | None = None

    def contains(self, minute: int, *, begins_today: bool, began_yesterday: bool) -> bool:
        """Whether it is in effect at a minute of a day, given on which of two days it begins."""
        if self.start_minute < self.end_minute:
            return begins_today and self.start_minute <= minute < self.end_minute
        if minute >= self.start_minute:
            return begins_today
        return minute < self.end_minute and began_yesterday

    def begins_on(self, day: date, kind: int) -> bool:
        """Whether it begins on a date, which is a day of that kind."""
        return (
            kind in self.days
            and (self.first_date is None or self.first_date <= day)
            and (self.last_date is None or day <= self.last_date)
        )

    def overlaps(self, other: "Period") -> bool:
        """Whether some moment is in both, on a date that both may have."""
        return self._shares_dates_with(other) and self._shares_week_with(other)

    def _shares_dates_with(self, other: "Period") -> bool:
        return not (self.is_over_before(other) or other.is_over_before(self))

    def is_over_before(self, other: "Period") -> bool:
        """Whether its last day, with the part of the next into which it reaches, ends before the other begins."""
        if self.last_date is None or other.first_date is None or other.first_date <= self.last_date:
            return False
        reaches = self.end_minute if self.end_minute <= self.start_minute else 0
        is_next_day = other.first_date == self.last_date + timedelta(days=1)
        return not (is_next_day and other.start_minute < reaches)

    def _shares_week_with(self, other: "Period") -> bool:
        minutes = (
            {p.start_minute for p in (self, other)}
            | {p.end_minute % _DAY_MINUTES for p in (self, other)}
            | {0}
        )
        pairs = [(d, (d + 1) % 7) for d in range(7)]
        pairs += [(d, _HOLIDAY) for d in range(8)] + [(_HOLIDAY, d) for d in range(7)]
        return any(
            all(
                period.contains(
                    minute, begins_today=day in period.days, began_yesterday=day_before in period.days
                )
                for period in (self, other)
            )
            for day_before, day in pairs
            for minute in minutes
        )


def compile_period(table: PeriodTable) -> Period:
    """Read a period's days and times.

    Raises:
        ExpectationError: a time is not ``HH:MM``, no day is named, or the dates are the wrong way round.
    """
    days: set[int] = set()
    for day in table.days:
        days.update(_GROUPS.get(day) or (_WEEK.index(day),))
    if not days:
        raise ExpectationError("days", "expected at least one day")
    start, end = _minute("from", table.start), _minute("to", table.end)
    if start == _DAY_MINUTES:
        raise ExpectationError("from", "expected a time from '00:00' to '23:59', got '24:00'")
    if table.first_date is not None and table.last_date is not None and table.last_date < table.first_date:
        raise ExpectationError("last_date", "expected first_date <= last_date")
    return Period(
        period_id=table.id,
        days=frozenset(days),
        start_minute=start,
        end_minute=end,
        first_date=table.first_date,
        last_date=table.last_date,
    )


def _minute(key: str, written: str) -> int:
    if _TIME.fullmatch(written) is None:
        raise ExpectationError(key, f"expected a local time 'HH:MM' up to '24:00', got {written!r}")
    return int(written[:2]) * 60 + int(written[3:])


class Calendar:
    """Which periods are in effect at an instant, and when that changes."""

    def __init__(self, periods: Iterable[Period], time_zone: ZoneInfo, holidays: Iterable[date] = ()) -> None:
        self._periods = tuple(periods)
        self._zone = time_zone
        self._holidays = frozenset(holidays)
        self._minutes = sorted(
            {0}
            | {period.start_minute for period in self._periods}
            | {period.end_minute % _DAY_MINUTES for period in self._periods}
        )
        self._days: dict[int, tuple[list[int], list[frozenset[str]]]] = {}

    def active(self, at_s: int) -> frozenset[str]:
        """The periods in effect at an epoch second, read off the local wall clock."""
        local = datetime.fromtimestamp(at_s, self._zone)
        minute = local.hour * 60 + local.minute
        today = local.date()
        yesterday = today - timedelta(days=1)
        kind, kind_before = self._kind(today), self._kind(yesterday)
        return frozenset(
            period.period_id
            for period in self._periods
            if period.contains(
                minute,
                begins_today=period.begins_on(today, kind),
                began_yesterday=period.begins_on(yesterday, kind_before),
            )
        )

    def segment(self, at_s: int) -> Segment:
        """The periods in effect at an epoch second, and a second since when, at least, they have been."""
        starts, actives = self._day(at_s // _DAY_S)
        index = bisect_right(starts, at_s) - 1
        return starts[index], actives[index]

    def changes_after(self, at_s: int, *, days: int) -> Iterator[Segment]:
        """Every later change of the periods in effect, in order, within so many days."""
        first_day = at_s // _DAY_S
        _, previous = self.segment(at_s)
        for day in range(first_day, first_day + days + 1):
            for start, active in zip(*self._day(day), strict=True):
                if start > at_s and active != previous:
                    yield start, active
                    previous = active

    def _kind(self, day: date) -> int:
        return _HOLIDAY if day in self._holidays else day.weekday()

    def _day(self, index: int) -> tuple[list[int], list[frozenset[str]]]:
        """The segments of one UTC day, which unlike a local one always begins and has 86,400 seconds."""
        known = self._days.get(index)
        if known is not None:
            return known
        if len(self._days) >= CALENDAR_DAYS_REMEMBERED:
            self._days.clear()
        starts: list[int] = []
        actives: list[frozenset[str]] = []
        for start in self._candidates(index * _DAY_S):
            active = self.active(start)
            if not actives or active != actives[-1]:
                starts.append(start)
                actives.append(active)
        self._days[index] = starts, actives
        return starts, actives

    def _candidates(self, day_start: int) -> list[int]:
        """Every second of a UTC day at which the wall clock may enter or leave a period."""
        day_end = day_start + _DAY_S
        candidates = {day_start}
        first = datetime.fromtimestamp(day_start, self._zone).date()
        for offset in range(-1, 3):
            local_date = first + timedelta(days=offset)
            for minute in self._minutes:
                wall = datetime.combine(local_date, time(*divmod(minute, 60)))
                for fold in (0, 1):
                    candidates.add(int(wall.replace(tzinfo=self._zone, fold=fold).timestamp()))
        candidates.add(self._clock_change(day_start, day_end))
        return sorted(second for second in candidates if day_start <= second < day_end)

    def _clock_change(self, day_start: int, day_end: int) -> int:
        """The second of a UTC day at which the clocks are changed, its start when they are not."""
        before = self._utc_offset(day_start)
        if self._utc_offset(day_end) == before:
            return day_start
        low, high = day_start, day_end
        while high - low > 1:
            middle = (low + high) // 2
            if self._utc_offset(middle) == before:
                low = middle
            else:
                high = middle
        return high

    def _utc_offset(self, at_s: int) -> timedelta | None:
        return datetime.fromtimestamp(at_s, self._zone).utcoffset()
