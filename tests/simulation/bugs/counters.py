"""Bugs of what subscribers have used by the day, and of what limits and caps make of it."""

from typing import Final

import msgspec
import pytest

from ocs.balance.model import Counter, SessionService
from ocs.charging import counted, member_limits
from ocs.charging.counting import CounterBook
from ocs.charging.draft import Draft
from tests.simulation.bugs.plant import Plant


def counters_not_written(patch: pytest.MonkeyPatch) -> None:
    """What a subscriber used is charged, and not counted."""
    patch.setattr(Draft, "subscriber", lambda draft: draft._subscriber)


def counter_kept_by_expired_sessions(patch: pytest.MonkeyPatch) -> None:
    """What an open grant had set aside in counters stays there when it ends."""
    patch.setattr(CounterBook, "release", lambda book, holds: None)


def counters_of_open_grants_ignored(patch: pytest.MonkeyPatch) -> None:
    """A member's limit looks at what was used, not at what is granted already."""
    patch.setattr(
        member_limits,
        "_left",
        lambda draft, limit: max(0, limit.amount - draft.counter(limit.counter_id, limit.period).value),
    )


def cap_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Use beyond a daily cap costs what it did before it."""
    price_in_parts = counted.price_in_parts
    patch.setattr(
        counted,
        "price_in_parts",
        lambda rate, meter, units: price_in_parts(msgspec.structs.replace(rate, caps=()), meter, units),
    )


def use_counted_in_the_day_of_its_report(patch: pytest.MonkeyPatch) -> None:
    """What a grant was held for yesterday counts today."""
    patch.setattr(CounterBook, "under", lambda book, hold: book.at(hold.counter_id, hold.period_start_ms))


def counter_of_yesterday_dropped(patch: pytest.MonkeyPatch) -> None:
    """With the first use of a day the counters of the day before are gone, whatever is held in them."""
    place = CounterBook._place

    def dropped(book: CounterBook, counter: Counter) -> None:
        place(book, counter)
        book._earlier.clear()

    patch.setattr(CounterBook, "_place", dropped)


def counter_kept_when_supervision_closes(patch: pytest.MonkeyPatch) -> None:
    """Supervision gives back the money of a grant, and not what it held in counters."""
    release = Draft.release_grant

    def without_counters(draft: Draft, service: SessionService) -> None:
        if draft._operation == "tcc":
            service = msgspec.structs.replace(service, counter_holds=())
        release(draft, service)

    patch.setattr(Draft, "release_grant", without_counters)


THEME: Final = "calls"
BUGS: Final[tuple[Plant, ...]] = (
    counters_not_written,
    counter_kept_by_expired_sessions,
    counters_of_open_grants_ignored,
    cap_forgotten,
    use_counted_in_the_day_of_its_report,
    counter_of_yesterday_dropped,
    counter_kept_when_supervision_closes,
)
