"""What carries notices to one recipient."""

from collections.abc import Awaitable, Sequence
from typing import Protocol

from ocs.faults.alarm_change import AlarmChange


class NoticeFailedError(Exception):
    """It was not sent, or it is not known; trying again may help. ``str()`` is one line."""


class NoticeRefusedError(Exception):
    """The recipient will never take it; ``str()`` is one line."""


class Sender(Protocol):
    """Sends changes to one recipient."""

    @property
    def batch_max(self) -> int:
        """How many are sent together."""
        ...

    def send(self, changes: Sequence[AlarmChange]) -> Awaitable[None]:
        """Send all of them; the recipient recognises what it gets again by the change's id.

        Raises:
            NoticeFailedError: try again. NoticeRefusedError: do not.
        """
        ...
