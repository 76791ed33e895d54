"""What travels through the engine: a request on its way to an answer, or a session to be closed."""

from collections.abc import Callable
from typing import Final

from ocs.charging.cache import Copy
from ocs.messages import CCRequestType, ChargingAnswer, ChargingRequest

_BEGINNINGS: Final = (CCRequestType.INITIAL, CCRequestType.EVENT)

_NOWHERE: Final = Copy("", "")

Reply = Callable[[ChargingAnswer], None]


class Work:
    """A request, or the expiry of a session (``request`` is None), on its way through the engine.

    Attributes:
        is_new: it opens something, so the store need not be asked for its session first.
        is_continued: what it is about may have begun before, under an account that its number has left since.
        since_s: when it first found the store away; 0 until then.
        is_hinted: its account came from the hint cache, which may be stale.
        is_located: the locator was asked already.
        session: what the worker has seen of its session, once the account is known.
        is_gone: of an expiry: the gateway says that it has no such session, so its deadline is not waited for.
    """

    __slots__ = (
        "account_id",
        "attempts",
        "is_continued",
        "is_gone",
        "is_hinted",
        "is_located",
        "is_new",
        "reply",
        "request",
        "session",
        "session_id",
        "since_s",
        "subscriber_id",
    )

    def __init__(self, request: ChargingRequest | None, reply: Reply | None, session_id: str) -> None:
        self.request = request
        self.reply = reply
        self.session_id = session_id
        self.is_new = request is not None and request.request_type in _BEGINNINGS
        self.is_continued = not self.is_new or (request is not None and _goes_on(request))
        self.account_id = self.subscriber_id = ""
        self.session = _NOWHERE
        self.attempts = 0
        self.since_s = 0.0
        self.is_hinted = self.is_located = self.is_gone = False


def _goes_on(request: ChargingRequest) -> bool:
    """Whether what is opened was used before: counters from a session's beginning must not be charged twice."""
    return request.is_cumulative and any([service.used for service in request.services])
