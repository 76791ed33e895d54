"""Which transactions may begin now. Pure: rows and a time come in.

Two that touch one element are never under way together, and keep their order unless one has a higher priority. A
batch begins with its canaries; the rest follows when all of them have succeeded, and more failures than the batch
allows cancel what has not begun.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from ocs.provisioning.transactions.record import Transaction


class BatchProgress(msgspec.Struct, frozen=True):
    """How far a batch has come.

    Attributes:
        canaries: its first transactions, which must succeed before others begin. failures_max: more stop it.
        canaries_done, failures: how many have succeeded of the former, and failed of all.
    """

    canaries: int
    failures_max: int
    canaries_done: int
    failures: int


class Choice(NamedTuple):
    """What to do with the queue now.

    Attributes:
        begin: in this order. late: their change window has passed. stopped: their batch has failed too often.
        look_again_ms: when a change window opens; None: none is waited for.
    """

    begin: list[Transaction]
    late: list[Transaction]
    stopped: list[Transaction]
    look_again_ms: int | None


def choose(
    waiting: Sequence[Transaction],
    *,
    busy: Iterable[str],
    batches: Mapping[str, BatchProgress],
    now_ms: int,
    free_places: int,
) -> Choice:
    """Choose what may begin.

    Args:
        waiting: what is queued, in the order in which it should begin. busy: elements that are held.
        free_places: how many more may be under way.
    """
    taken = set(busy)
    choice = Choice([], [], [], None)
    look_again: list[int] = []
    for one in waiting:
        batch = batches.get(one.batch_id)
        if one.not_after_ms and now_ms > one.not_after_ms:
            choice.late.append(one)
        elif batch is not None and batch.failures > batch.failures_max:
            choice.stopped.append(one)
        elif one.not_before_ms > now_ms:
            look_again.append(one.not_before_ms)
        elif _waits_for_canaries(one, batch):
            pass  # it holds up nobody else
        elif not taken.isdisjoint(one.elements):
            taken.update(one.elements)  # and what came after it keeps behind it
        elif len(choice.begin) < free_places:
            taken.update(one.elements)
            choice.begin.append(one)
    return choice._replace(look_again_ms=min(look_again, default=None))


def _waits_for_canaries(one: Transaction, batch: BatchProgress | None) -> bool:
    return batch is not None and one.batch_place >= batch.canaries > batch.canaries_done
