"""Origin-State-Id: equal in all workers, and higher after the store has lost sessions (RFC 6733 section 8.16).

A gateway that sees it rise knows that sessions of before are gone here. So it rises once for each loss, however many
workers notice it, and never because a process was started again.
"""

import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import structlog
import trio

from ocs.balance.store_admin import StoreRefusedError
from ocs.limits import STORE_TOPOLOGY_INTERVAL_S
from ocs.peer_notices import ORIGIN_STATE, Notice, NoticesUnavailableError

log = structlog.get_logger()

_encode: Final = msgspec.msgpack.encode
_decode: Final = msgspec.msgpack.Decoder(int).decode


class OriginState:
    """One worker's knowledge of the Origin-State-Id.

    Args:
        state_id: what the store said at the start.
        advance: raises it in the store for the loss of one history, given what is known here, and returns what all
            have from now on; blocks; raises StoreRefusedError.
        use: puts a new one into all messages from now on.
        publish: tells the other workers; raises NoticesUnavailableError.
    """

    def __init__(
        self,
        state_id: int,
        *,
        advance: Callable[[int, str], int],
        use: Callable[[int], None],
        publish: Callable[[Notice], Awaitable[object]],
    ) -> None:
        self.state_id = state_id
        self._advance = advance
        self._use = use
        self._publish = publish
        self._losses: deque[str] = deque()
        self._wake = trio.Event()

    def sessions_were_lost(self, history: str) -> None:
        """A server took another one's place and lacks something acknowledged; ``history`` names what it writes."""
        self._losses.append(history)
        self._wake.set()

    def adopt(self, state_id: int) -> None:
        """Go by what the store or another worker says; a lower one is older news, or was lost itself."""
        if state_id > self.state_id:
            log.warning("origin_state_advanced", origin_state_id=state_id, before=self.state_id)
            self.state_id = state_id
            self._use(state_id)

    def hear(self, notice: Notice) -> int:
        """Adopt what another worker tells."""
        try:
            self.adopt(_decode(notice.body))
        except msgspec.DecodeError:
            return 0  # of a release that says it otherwise
        return 1

    async def run(self) -> None:
        """Raise it for each loss, until cancelled; a loss that was not dealt with is noticed by the other workers."""
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            while self._losses:
                await self._deal_with(self._losses[0])
                self._losses.popleft()

    async def _deal_with(self, history: str) -> None:
        is_told = False
        while True:
            try:
                state_id = await trio.to_thread.run_sync(
                    self._advance, self.state_id, history, abandon_on_cancel=True
                )
            except StoreRefusedError as error:
                if not is_told:
                    log.warning(
                        "origin_state_not_advanced", reason=str(error), remedy="none: it is tried again"
                    )
                is_told = True
                await trio.sleep(STORE_TOPOLOGY_INTERVAL_S)
            else:
                break
        self.adopt(state_id)
        # Every worker also reads it from the store within seconds.
        with contextlib.suppress(NoticesUnavailableError):
            await self._publish(Notice(ORIGIN_STATE, body=_encode(state_id)))
