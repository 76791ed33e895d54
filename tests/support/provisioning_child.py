"""A process of ours that works off the queue and is killed just before a step: `python -m tests.support.provisioning_child`.

Stdin says, as JSON, how elements are reached, which transaction is waited for, and before which step (counted from 0) it
is killed by a signal that nothing can catch.
"""

import os
import signal
import sys

import msgspec
import trio

from ocs.provisioning.transactions.engine import Engine
from ocs.provisioning.transactions.journal import is_final
from ocs.provisioning.transactions.record import Transaction
from ocs.provisioning.transactions.steps import Step
from tests.support.real_network import Reach, patient_loop


class Orders(msgspec.Struct, frozen=True):
    """What it is told."""

    reach: Reach
    transaction_id: str
    killed_at: int


async def work(orders: Orders) -> None:
    """Work off the queue until the transaction has ended, or we die."""
    steps = 0

    def note(transaction_id: str, element: str, step: Step) -> None:
        nonlocal steps
        if steps == orders.killed_at:
            print(f"{element or 'journal'} {step.value}", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        steps += 1

    async with patient_loop(), trio.open_nursery() as nursery:

        def end(transaction: Transaction) -> None:
            if transaction.transaction_id == orders.transaction_id and is_final(transaction.state):
                nursery.cancel_scope.cancel()

        means = orders.reach.means(orders.reach.sessions(), orders.reach.database(), note)
        await Engine(means, owner=f"child-{os.getpid()}", note_standing=end).run()


if __name__ == "__main__":
    trio.run(work, msgspec.json.decode(sys.stdin.buffer.read(), type=Orders))
