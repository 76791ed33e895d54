"""Flapping: an alarm raised over and over. One notice when it begins, one when it ends; its state stays true beneath.

Each raise counts one, and half after a half-life (as route flap damping does, RFC 2439). Above a threshold the alarm
flaps; it ends when the count has fallen below a lower one, so that the end is a hold-down by itself.
"""

from math import ceil, log2
from typing import Final

from ocs.faults.alarm import Severity
from ocs.faults.book.entry import Entry
from ocs.faults.book.policy import BookPolicy

# However long it flapped, the hold-down has an end: as many times the threshold are the most that is counted.
_CEILING: Final = 4


def count_raise(entry: Entry, at_ms: int, policy: BookPolicy) -> bool:
    """Count a raise; True when the alarm begins to flap with it."""
    entry.score = min(_decayed(entry, at_ms, policy) + 1.0, _CEILING * policy.flapping_raises)
    entry.score_ms = max(entry.score_ms, at_ms)
    # The raises take time, in which the first ones already count less.
    if entry.is_flapping or entry.score <= policy.flapping_raises - 1:
        return False
    entry.is_flapping = True
    return True


def ends_ms(entry: Entry, policy: BookPolicy) -> int:
    """When the flapping of an alarm is over, if nothing more happens."""
    half_lives = log2(max(entry.score, policy.flapping_ends_below) / policy.flapping_ends_below)
    return entry.score_ms + ceil(half_lives * policy.flapping_half_life_ms)


def recount(entry: Entry, policy: BookPolicy) -> None:
    """Count the raises that the alarm's changes tell: after a restart nothing else is known."""
    is_up = False
    is_flapping = entry.is_flapping
    for change in entry.changes:
        was_up, is_up = is_up, change.severity is not Severity.CLEARED
        if is_up and not was_up:
            count_raise(entry, change.at_ms, policy)
    entry.is_flapping = is_flapping


def _decayed(entry: Entry, at_ms: int, policy: BookPolicy) -> float:
    age_ms = at_ms - entry.score_ms
    if age_ms <= 0 or not entry.score:
        return entry.score
    return entry.score * 2.0 ** (-age_ms / policy.flapping_half_life_ms)
