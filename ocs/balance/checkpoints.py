"""What an account's trimmed charge events came to, so that its books can be audited without them.

A checkpoint is written in the same step that trims the events it sums up (:mod:`ocs.balance.trimming`); with the events
that are left it must lead to the account's running totals (:mod:`ocs.balance.verify`).
"""

from typing import Final

import msgspec

from ocs.balance.model import Total
from ocs.events import ChargeEvent, EventKind
from ocs.units import UnitType

# The field of the checkpoints that says where the last trim stopped; no account has an empty id.
POSITION_FIELD: Final = ""


class Checkpoint(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An account's books up to one of its events.

    Attributes:
        sequence: number of the last event that is summed up here, 0 for none.
        totals: what was credited, debited and expired until then, per unit type.
    """

    sequence: int = 0
    totals: tuple[Total, ...] = ()

    def after(self, event: ChargeEvent) -> "Checkpoint":
        """The books after one more event; whether it is the next one is for the caller to judge."""
        totals = {total.unit_type: total for total in self.totals}
        for movement in event.movements:
            before = totals.get(movement.unit_type) or Total(movement.unit_type)
            totals[movement.unit_type] = _counted(before, movement.amount, event.kind)
        return Checkpoint(event.sequence, tuple(totals.values()))

    def total(self, unit_type: UnitType) -> Total:
        """The totals of one unit type; nothing when none moved."""
        return next((total for total in self.totals if total.unit_type == unit_type), Total(unit_type))


def _counted(total: Total, amount: int, kind: EventKind) -> Total:
    """Count a movement: what expired is told by the event, all else by its sign."""
    if kind == EventKind.EXPIRY:
        return Total(total.unit_type, total.credited, total.debited, total.expired - amount)
    if amount < 0:
        return Total(total.unit_type, total.credited, total.debited - amount, total.expired)
    return Total(total.unit_type, total.credited + amount, total.debited, total.expired)


NOTHING_TRIMMED: Final = Checkpoint()
encode_checkpoint: Final = msgspec.msgpack.Encoder().encode
decode_checkpoint: Final = msgspec.msgpack.Decoder(Checkpoint).decode
