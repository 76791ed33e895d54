"""Finds whose a shown token is: all requests that wait for the store are answered by one reading of it.

Whoever floods us with wrong tokens so makes the readings longer, not more, and never has more than one thread. Right
tokens are found among them; nothing is remembered from one reading to the next, so that a token that is revoked is
refused at once.
"""

import trio

from ocs.api.threads import ReaderUnavailableError, read_in_thread
from ocs.api.tokens import Token, TokenStore, is_good, split_token
from ocs.clock import Clock


class _Reading:
    """One look into the store: for whom, and what it brought."""

    def __init__(self) -> None:
        self.token_ids: dict[str, None] = {}
        self.found: dict[str, Token] | None = None
        self.failed: ReaderUnavailableError | None = None


class TokenLookup:
    """Looks tokens up.

    Args:
        tokens: of the store. clock: tells which are over.
    """

    def __init__(self, tokens: TokenStore, clock: Clock) -> None:
        self._tokens = tokens
        self._clock = clock
        self._next = _Reading()
        self._lock = trio.Lock()

    async def find(self, text: str) -> Token | None:
        """The token that a bearer shows; None when it is none of ours, or is over.

        Cancelled, it leaves the reading to the next in line.

        Raises:
            ReaderUnavailableError: the store does not answer.
        """
        parts = split_token(text)
        if parts is None:
            return None
        token_id, secret = parts
        reading = self._next
        reading.token_ids[token_id] = None
        async with self._lock:
            found = await self._look(reading)
        token = found.get(token_id)
        return token if token is not None and is_good(token, secret, now_ms=self._clock.now_ms()) else None

    async def _look(self, reading: _Reading) -> dict[str, Token]:
        """Read for all who wait, unless it was done; a failure is everybody's too, who else would try one by one."""
        if reading.found is not None:
            return reading.found
        if reading.failed is not None:
            raise ReaderUnavailableError(str(reading.failed))
        # A token of whoever comes from now on may have been made since: it is read for anew.
        if self._next is reading:
            self._next = _Reading()
        try:
            found: dict[str, Token] = await read_in_thread(self._tokens.some, tuple(reading.token_ids))
        except ReaderUnavailableError as error:
            reading.failed = error
            raise
        reading.found = found
        return found
