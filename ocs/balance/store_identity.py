"""Whether the store that answers is still the one that charging was started on.

A server that was emptied, or replaced by an empty one, says of every subscriber that there is none. That must never
reach a gateway as DIAMETER_USER_UNKNOWN: it would turn away subscribers whose money is in a backup.
"""

from collections.abc import Callable
from typing import Final

import structlog

from ocs.balance.keys import META
from ocs.balance.redis_connection import Reply
from ocs.balance.store import Unavailable
from ocs.balance.store_admin import LIBRARY_FIELD, StoreMeta
from ocs.metrics import Gauge

log = structlog.get_logger()

_LOST: Final = Gauge(
    "ocs_store_identity_lost", "1 while the store is empty or another one than at the start.", merge="max"
)

QUESTION: Final = ("HMGET", META, "created_s", "origin_state_id", LIBRARY_FIELD)
_REMEDY: Final = "restore the newest backup and restart `ocs up`; nothing is charged until then"


class StoreIdentity:
    """What the store said of itself at the start, against what it says now.

    Args:
        meta: from the start.
        on_state_id: told the store's Origin-State-Id whenever it was read.

    Attributes:
        fault: why it is not the store that we know; empty while it is.
        library: which functions were loaded last, as :func:`~ocs.balance.store_admin.library_digest` names them.
    """

    def __init__(self, meta: StoreMeta, on_state_id: Callable[[int], None]) -> None:
        self._created_s = str(meta.created_s).encode()
        self._on_state_id = on_state_id
        self.fault = ""
        self.library = ""

    def take(self, reply: Reply) -> Unavailable | None:
        """Judge the reply to :data:`QUESTION`; returns why nothing it says may be believed, None when it is ours."""
        if not isinstance(reply, list):
            return reply if isinstance(reply, Unavailable) else Unavailable(f"store answered {reply!r}")
        created_s, state_id, library = reply
        if created_s == self._created_s:
            if self.fault:
                self.fault = ""
                _LOST.set(0)
                log.info("store_identity_found")
            self.library = "" if library is None else library.decode()
            if state_id is not None:
                self._on_state_id(int(state_id))
            return None
        is_empty = created_s is None
        fault = "the store is empty" if is_empty else "the store is another one than at the start"
        if fault != self.fault:
            self.fault = fault
            _LOST.set(1)
            log.error("store_is_empty" if is_empty else "store_is_another", reason=fault, remedy=_REMEDY)
        return Unavailable(fault)
