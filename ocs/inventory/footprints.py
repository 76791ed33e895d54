"""Counts services by what they stand on, so that how many suffer from a failure is known without looking at each.

The footprint of a service is the set of elements, sites and links that it uses, or uses a part of. Many services share
one; the counts stand beside it and change in the transaction that changes a service.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from sqlalchemy import Connection, select, update

from ocs.inventory.statements import in_batches, insert_missing
from ocs.inventory.tables import FOOTPRINT, FOOTPRINT_ANCHOR

# Numbers of anchors, sorted.
Anchors: TypeAlias = tuple[int, ...]
_SEPARATOR: Final = " "


class Counts:
    """What is to be added to the counts, collected."""

    def __init__(self) -> None:
        self._services = Counter[int]()
        self._subscribers = Counter[int]()

    def add(self, footprint: int, *, services: int, subscribers: int) -> None:
        """More, or less, on a footprint."""
        self._services[footprint] += services
        self._subscribers[footprint] += subscribers

    def write(self, connection: Connection) -> None:
        """Add what was collected; in the footprints' order, so that no two transactions wait for each other."""
        for footprint in sorted(self._services.keys() | self._subscribers.keys()):
            connection.execute(
                update(FOOTPRINT)
                .where(FOOTPRINT.c.number == footprint)
                .values(
                    services=FOOTPRINT.c.services + self._services[footprint],
                    subscribers=FOOTPRINT.c.subscribers + self._subscribers[footprint],
                )
            )


def footprints_of(connection: Connection, wanted: Iterable[Anchors]) -> Mapping[Anchors, int]:
    """The footprints of some sets of anchors; those that nothing stood on until now are made."""
    by_digest = {_digest(anchors): anchors for anchors in sorted(set(wanted))}
    found = _known(connection, by_digest)
    missing = [(digest, anchors) for digest, anchors in by_digest.items() if anchors not in found]
    rows = [
        {"anchors": _SEPARATOR.join(map(str, anchors)), "digest": digest, "services": 0, "subscribers": 0}
        for digest, anchors in missing
    ]
    insert_missing(connection, FOOTPRINT, rows)
    made = _known(connection, dict(missing))
    insert_missing(
        connection,
        FOOTPRINT_ANCHOR,
        [{"anchor": anchor, "footprint": made[anchors]} for _, anchors in missing for anchor in anchors],
    )
    return found | made


def _known(connection: Connection, by_digest: Mapping[str, Anchors]) -> dict[Anchors, int]:
    found: dict[Anchors, int] = {}
    for batch in in_batches(by_digest):
        rows = connection.execute(
            select(FOOTPRINT.c.number, FOOTPRINT.c.digest).where(FOOTPRINT.c.digest.in_(batch))
        )
        found.update((by_digest[digest], number) for number, digest in rows)
    return found


def _digest(anchors: Anchors) -> str:
    return hashlib.sha256(_SEPARATOR.join(map(str, anchors)).encode()).hexdigest()
