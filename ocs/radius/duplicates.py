"""Replies kept for repeated requests: the same packet again gets the same reply (RFC 5080 section 2.2.2)."""

from collections import OrderedDict
from typing import Final, NamedTuple

from ocs.limits import RADIUS_DUPLICATES_MAX, RADIUS_DUPLICATES_S


class RequestKey(NamedTuple):
    """What copies of one request have in common: where it came from, its Identifier and its Authenticator."""

    host: str
    port: int
    identifier: int
    authenticator: bytes


class _Kept(NamedTuple):
    reply: bytes
    until_s: float


_UNDER_WAY: Final = b""


class Duplicates:
    """The replies of one process; the oldest give way."""

    def __init__(self) -> None:
        self._kept: OrderedDict[RequestKey, _Kept] = OrderedDict()

    def begin(self, key: RequestKey, now_s: float) -> bytes | None:
        """Note a request.

        Returns:
            None when it is new; its reply when it had one; nothing (``b""``) when that is on its way.
        """
        kept = self._kept.get(key)
        if kept is not None and now_s < kept.until_s:
            return kept.reply
        self._keep(key, _UNDER_WAY, now_s)
        return None

    def finish(self, key: RequestKey, reply: bytes, now_s: float) -> None:
        """Keep a request's reply."""
        self._keep(key, reply, now_s)

    def forget(self, key: RequestKey) -> None:
        """A request gets no reply: its next copy is looked at anew."""
        self._kept.pop(key, None)

    def _keep(self, key: RequestKey, reply: bytes, now_s: float) -> None:
        self._kept[key] = _Kept(reply, now_s + RADIUS_DUPLICATES_S)
        self._kept.move_to_end(key)
        while len(self._kept) > RADIUS_DUPLICATES_MAX:
            self._kept.popitem(last=False)
        oldest = next(iter(self._kept.values()))
        if oldest.until_s <= now_s:
            self._kept.popitem(last=False)
