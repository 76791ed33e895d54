"""The circumstances of a use, as far as they come with requests: its context and its time."""

from typing import Final

import msgspec

from ocs.limits import EVENT_TIME_PAST_MAX_S
from ocs.messages import NO_CONTEXT, UsageContext

_FIELDS: Final = UsageContext.__struct_fields__


def updated_context(known: UsageContext, told: UsageContext) -> UsageContext:
    """What a session knows after a request: what it says replaces, what it leaves empty stays.

    A gateway need not repeat what has not changed; a serving network or a radio technology that it names has.

    Returns:
        The very object ``known`` when nothing is new.
    """
    if told is known or told == known or told == NO_CONTEXT:
        return known
    changes = {name: value for name in _FIELDS if (value := getattr(told, name)) != getattr(NO_CONTEXT, name)}
    return msgspec.structs.replace(known, **changes)


def time_of_use_s(told_s: int | None, now_s: int) -> int:
    """The moment whose tariff counts and that is booked, in epoch seconds.

    Args:
        told_s: Event-Timestamp of the message, or of buffered units.
        now_s: our time.

    Returns:
        What the network says, so that use which a gateway kept while nobody answered costs what it did when it
        happened. A time ahead of ours is a clock that is fast, and one from before the bound is no time of use: now.
    """
    if told_s is None or not is_believed(told_s, now_s):
        return now_s
    return min(told_s, now_s)


def is_believed(told_s: int, now_s: int) -> bool:
    """Whether a time of use is within the bound; a fast clock is, since it is cut to now."""
    return told_s >= now_s - EVENT_TIME_PAST_MAX_S
