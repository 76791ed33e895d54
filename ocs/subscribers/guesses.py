"""How many wrong voucher codes an account, and all accounts together, have tried lately.

The counts are hints in the store, shared by all processes: losing one at a failover gives an attacker a handful of
guesses, of a thousand million that he needs.
"""

from typing import Any

from ocs.balance.store_client import StoreClient
from ocs.settings import VoucherSettings
from ocs.subscribers.operations import OperationError

_TOTAL = "guesses:"


class LockedOutError(OperationError):
    """Too many wrong codes: no code is looked at for a while, right or wrong."""


class Guesses:
    """Counts a guess before it is looked at, so that many at once are no more than one after the other."""

    def __init__(self, connection: StoreClient, settings: VoucherSettings) -> None:
        self._redis: Any = connection
        self._settings = settings

    def begin(self, account_id: str) -> None:
        """Count a guess of an account.

        Raises:
            LockedOutError: it, or everybody, has guessed too often.
        """
        settings = self._settings
        if self._add(_TOTAL + account_id, 1) > settings.guesses_max:
            raise LockedOutError(f"account {account_id} has tried too many wrong codes: try again later")
        if self._add(_TOTAL, 1) > settings.guesses_total_max:
            raise LockedOutError("too many wrong codes are being tried: try again later")

    def was_right(self, account_id: str) -> None:
        """Take the last guess back: it was none."""
        self._add(_TOTAL + account_id, -1)
        self._add(_TOTAL, -1)

    def _add(self, key: str, amount: int) -> int:
        # Both in one transaction: a count without an end would lock out for ever.
        with self._redis.pipeline() as pipeline:
            pipeline.set(key, 0, nx=True, ex=self._settings.guess_lockout_s)
            pipeline.incrby(key, amount)
            return pipeline.execute()[1]
