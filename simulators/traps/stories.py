"""What a scenario is: what elements send, in which order, and what the alarm list must hold after it. Pure."""

from collections.abc import Iterable, Sequence
from random import Random
from typing import Final

import msgspec

from simulators.traps.notices import Notice

LINK_DOWN: Final = "link-down"
PEER_DOWN: Final = "bgp-peer-down"
CARD_FAILED: Final = "card-failed"
FAN_FAILED: Final = "fan-failed"
TRAP_STORM: Final = "trap-storm"


class Sending(msgspec.Struct, frozen=True):
    """One notification of one element.

    Attributes:
        address: the element's.
        at_ticks: when it happened, by the element's clock, in hundredths of a second since the story began.
    """

    address: str
    notice: Notice
    at_ticks: int


class Expected(msgspec.Struct, frozen=True):
    """One alarm as it must be.

    Attributes:
        root: resource and type of the alarm that it must stand under; empty when it must stand for itself. None: it
            does not matter, as for one that is over.
        occurrences: exactly so many more than before; None: any number.
        must_be: False for an alarm that may also be missing.
    """

    resource: str
    alarm_type: str
    is_cleared: bool = False
    root: tuple[str, str] | None = None
    occurrences: int | None = None
    must_be: bool = True

    @property
    def key(self) -> tuple[str, str]:
        """What it is called in the list."""
        return self.resource, self.alarm_type


NO_ROOT: Final = ("", "")


class Act(msgspec.Struct, frozen=True):
    """A part of a story, after which the list must come to what is expected.

    Attributes:
        sendings: in the order in which they are sent.
        expected: every alarm of the story's elements.
    """

    name: str
    sendings: Sequence[Sending]
    expected: Sequence[Expected]


class Story(msgspec.Struct, frozen=True):
    """A scenario, told.

    Attributes:
        elements: whose alarms are looked at: names, and addresses of those that the network does not know.
        begin_ticks: the elements' uptime when it begins; 0: whatever it is now.
    """

    name: str
    acts: Sequence[Act]
    elements: frozenset[str]
    begin_ticks: int = 0

    @property
    def sendings(self) -> int:
        """All notifications."""
        return sum(len(act.sendings) for act in self.acts)

    @property
    def ticks(self) -> int:
        """How long it lasts by the elements' clocks."""
        return max(sending.at_ticks for act in self.acts for sending in act.sendings)


def disorder(sendings: Iterable[Sending], random: Random, *, doubled: float = 0.0) -> list[Sending]:
    """As a bad network delivers: in any order, and a share of them twice."""
    told = list(sendings)
    told += random.sample(told, round(len(told) * doubled))
    random.shuffle(told)
    return told


class Clock:
    """An element's clock. Much may happen in one tick; what follows from one another has ticks of its own."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._ticks = 1

    def says(self, notice: Notice) -> Sending:
        """What it says now."""
        return Sending(self.address, notice, self._ticks)

    def advance(self, ticks: int = 1) -> None:
        """Let time go by."""
        self._ticks += ticks
