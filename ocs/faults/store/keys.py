"""Names of the alarm list's keys: one hash tag, so that a batch of alarms commits in one step on one server."""

from typing import Final

# Hash: which process has the list (``node``), its fencing id (``lease``), until when (``until``, ms of the store's
# clock), and how many of its batches stand (``number``).
OWNER: Final = "{alarms}owner"
# Hashes by alarm id; a value is twelve octets of token, then MessagePack of an Alarm or an OperatorRecord.
LIST: Final = "{alarms}list"
OPERATORS: Final = "{alarms}operators"
# Stream of every change, field ``c``; and of those alone that operators made, which the owner of the list follows.
CHANGES: Final = "{alarms}changes"
DESK: Final = "{alarms}desk"
# Hash: source -> what is known of it. Hash: our SNMP engine (``id``, ``boots``).
SOURCES: Final = "{alarms}sources"
ENGINE: Final = "{alarms}engine"
# Hash: id -> AlarmSignal that an operator asks the owner to take, until it is taken.
ORDERS: Final = "{alarms}orders"
# Hash of maintenance windows by id. Hash: alarm id -> what is remembered of an alarm that is not in the list.
WINDOWS: Final = "{alarms}windows"
TOMBSTONES: Final = "{alarms}tombstones"
# Written only so that its connection has something that replicas can be waited for with.
BARRIER: Final = "{alarms}barrier"
