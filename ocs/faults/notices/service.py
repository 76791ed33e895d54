"""Tells every recipient: changes go from the stream into outboxes, and from there each at its recipient's pace.

Each change is told at least once. Run on the node that has the alarm list; two at a time, for a moment, double some.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import redis
import trio

from ocs.clock import Clock
from ocs.faults.alarm_change import AlarmChange
from ocs.faults.notices.outbox import Outbox
from ocs.faults.notices.recipient import Recipient
from ocs.faults.notices.sender import NoticeFailedError, NoticeRefusedError, Sender
from ocs.faults.store.change_group import ChangeGroup
from ocs.limits import (
    NOTICE_GIVEN_UP_S,
    NOTICE_INTERVAL_S,
    NOTICE_RETRY_DELAY_MAX_S,
    NOTICE_RETRY_DELAY_S,
    NOTICES_PER_READ,
)
from ocs.log import get_logger
from ocs.metrics import Counter, Gauge

log = get_logger(__name__)

GROUP: Final = "notices"

_SENT: Final = Counter(
    "ocs_notices_total", "Changes of alarms told to recipients, by outcome.", ("recipient", "outcome")
)
_WAITING: Final = Gauge("ocs_notices_waiting", "Notices that wait for their recipient.", ("recipient",))


class Mailing(NamedTuple):
    """A recipient and what carries notices to it."""

    recipient: Recipient
    sender: Sender


class NoticeService:
    """Collects and sends, until cancelled; what was not sent waits for the next one.

    Args:
        changes: the group :data:`GROUP`; given up when there are no recipients.
    """

    def __init__(
        self, changes: ChangeGroup, outbox: Outbox, mailings: Sequence[Mailing], clock: Clock
    ) -> None:
        self._changes = changes
        self._outbox = outbox
        self._mailings = tuple(mailings)
        self._clock = clock

    def open(self) -> None:
        """Have changes kept for us from now on, if there is anybody to be told. Blocks.

        Raises:
            redis.RedisError: no answer.
        """
        if self._mailings:
            self._changes.open()

    async def run(self) -> None:
        """Collect and send for ever."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._collect)
            for mailing in self._mailings:
                nursery.start_soon(self._serve, mailing)

    # --- Into the outboxes ------------------------------------------------------------------------------------

    async def _collect(self) -> None:
        is_told = False
        while True:
            try:
                found = await trio.to_thread.run_sync(self.collect)
                is_told = False
            except redis.RedisError as error:
                found = 0
                self._changes.forget()
                if not is_told:
                    is_told = True
                    log.warning("notices_not_collected", reason=str(error), remedy="look at the store")
            if not self._mailings:
                return
            if not found:
                await trio.sleep(NOTICE_INTERVAL_S)

    def collect(self) -> int:
        """Put the next changes into the outboxes of those who want them; returns how many were read. Blocks.

        Raises:
            redis.RedisError: what was put may be put again.
        """
        if not self._mailings:
            self._changes.close()
            return 0
        self._changes.open()
        found = self._changes.read(NOTICES_PER_READ)
        for recipient, _ in self._mailings:
            wanted = [followed.change for followed in found if recipient.wants(followed.change)]
            self._outbox.put(recipient.name, wanted)
        self._changes.done(found)
        return len(found)

    # --- Out of them ------------------------------------------------------------------------------------------

    async def _serve(self, mailing: Mailing) -> None:
        recipient, sender = mailing
        delay_s = NOTICE_RETRY_DELAY_S
        failing_since_s: float | None = None
        next_s = trio.current_time()
        while True:
            await trio.sleep_until(next_s)
            waiting = await self._waiting(recipient.name, sender.batch_max)
            if not waiting:
                next_s = trio.current_time() + NOTICE_INTERVAL_S
                continue
            reason = await self._sent(mailing, waiting)
            now_s = trio.current_time()
            if not reason:
                delay_s, failing_since_s = NOTICE_RETRY_DELAY_S, None
                next_s = now_s + recipient.digest_s
                continue
            failing_since_s = now_s if failing_since_s is None else failing_since_s
            if now_s - failing_since_s >= NOTICE_GIVEN_UP_S:
                await self._bury(recipient.name, waiting, reason)
                failing_since_s = None
            next_s = now_s + delay_s
            delay_s = min(delay_s * 2, NOTICE_RETRY_DELAY_MAX_S)

    async def _waiting(self, name: str, count: int) -> list[AlarmChange]:
        try:
            _WAITING.set(await trio.to_thread.run_sync(self._outbox.length, name), name)
            return await trio.to_thread.run_sync(self._outbox.waiting, name, count)
        except redis.RedisError:
            return []  # told by the collecting beside us

    async def _sent(self, mailing: Mailing, changes: list[AlarmChange]) -> str:
        """Send; why it is to be tried again, empty when not."""
        name = mailing.recipient.name
        try:
            await mailing.sender.send(changes)
        except NoticeFailedError as error:
            _SENT.inc(name, "failed", by=len(changes))
            log.warning("notice_failed", recipient=name, reason=str(error), remedy="none: it is tried again")
            return str(error)
        except NoticeRefusedError as error:
            await self._bury(name, changes, str(error))
            return ""
        _SENT.inc(name, "sent", by=len(changes))
        try:
            await trio.to_thread.run_sync(self._outbox.done, name, changes)
        except redis.RedisError as error:
            return str(error)
        return ""

    async def _bury(self, name: str, changes: list[AlarmChange], reason: str) -> None:
        _SENT.inc(name, "dead", by=len(changes))
        log.error(
            "notices_given_up",
            recipient=name,
            notices=len(changes),
            reason=reason,
            remedy="`ocs alarms notices` shows them; look at [[faults.notices]]",
        )
        try:
            await trio.to_thread.run_sync(self._outbox.bury, name, changes, reason, self._clock.now_ms())
        except redis.RedisError:
            return  # they wait on, and are given up later
