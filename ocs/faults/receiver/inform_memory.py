"""Informs that were seen already: a sender repeats one until it is acknowledged. Pure."""

import enum
from collections import OrderedDict
from collections.abc import Hashable

from ocs.faults.snmp.engine import Arrival
from ocs.limits import INFORMS_REMEMBERED_MAX


class Standing(enum.Enum):
    """Where an inform stands."""

    NEW = enum.auto()
    WAITING = enum.auto()
    DURABLE = enum.auto()


class InformMemory:
    """What was acknowledged lately, and what waits for its commit.

    A repeat wants an acknowledgement of its own: in version 3 it bears another message id, and senders do not listen
    for that of the first any more.
    """

    def __init__(self) -> None:
        self._durable: OrderedDict[Hashable, None] = OrderedDict()
        self._waiting: dict[Hashable, Arrival] = {}

    def meet(self, arrival: Arrival) -> Standing:
        """Whether an inform is new; of those that wait for the same commit the latest is acknowledged."""
        key = arrival.inform_key
        if key in self._durable:
            return Standing.DURABLE
        standing = Standing.WAITING if key in self._waiting else Standing.NEW
        self._waiting[key] = arrival
        return standing

    def settle(self, arrival: Arrival) -> Arrival:
        """Its alarm is durable; returns which of its copies is to be acknowledged."""
        key = arrival.inform_key
        self._durable[key] = None
        if len(self._durable) > INFORMS_REMEMBERED_MAX:
            self._durable.popitem(last=False)
        return self._waiting.pop(key, arrival)

    def forget(self, arrival: Arrival) -> None:
        """It was not taken: its next copy is new."""
        self._waiting.pop(arrival.inform_key, None)
