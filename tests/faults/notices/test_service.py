"""From the stream into outboxes and to recipients: at least once, in order, together, and seen when it never works."""

from collections.abc import Sequence
from typing import Any

import pytest
import trio

from ocs.clock import ManualClock
from ocs.faults.alarm_change import AlarmChange, ChangeKind
from ocs.faults.notices import service as module
from ocs.faults.notices.outbox import Outbox
from ocs.faults.notices.recipient import Recipient
from ocs.faults.notices.sender import NoticeFailedError, NoticeRefusedError
from ocs.faults.notices.service import GROUP, Mailing, NoticeService
from ocs.faults.store import keys
from ocs.faults.store.change_group import ChangeGroup
from tests.support.alarm_lab import AlarmLab, alarm_server, lab
from tests.support.alarms import NOW_MS, Fact, alarm_of, batch_of

__all__ = ["alarm_server", "lab"]

pytestmark = pytest.mark.bounded(1_000_000)

A, B, C = (alarm_of(f"router{number}") for number in range(3))
NOC = Recipient(name="noc")


class FakeSender:
    """Notes what it is given; fails as often as it is told."""

    def __init__(self, *errors: Exception, batch_max: int = 10) -> None:
        self.batch_max = batch_max
        self.sent: list[list[str]] = []
        self.tries: list[float] = []
        self._errors = list(errors)
        self.always: Exception | None = None

    async def send(self, changes: Sequence[AlarmChange]) -> None:
        await trio.lowlevel.checkpoint()
        self.tries.append(trio.current_time())
        if self.always is not None:
            raise self.always
        if self._errors:
            raise self._errors.pop(0)
        self.sent.append([change.alarm_id for change in changes])

    async def until(self, count: int) -> None:
        while len(self.sent) < count:
            await trio.sleep(0.1)


@pytest.fixture(autouse=True)
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that jumps when nobody runs would not wait for threads."""

    async def call(function: Any, *arguments: Any, **_: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return function(*arguments)

    monkeypatch.setattr(trio.to_thread, "run_sync", call)


@pytest.fixture
def outbox(lab) -> Outbox:
    return Outbox(lab.client)


@pytest.fixture
def make(lab, outbox):
    def make(*mailings: tuple[Recipient, FakeSender]) -> NoticeService:
        group = ChangeGroup(lab.client, GROUP)
        if mailings:
            group.open()
        made = [Mailing(*mailing) for mailing in mailings]
        return NoticeService(group, outbox, made, ManualClock(NOW_MS))

    return make


def commit(lab: AlarmLab, *alarms, **more) -> None:
    lab.commit(batch_of(*alarms, **more))


async def test_changes_reach_who_wants_them_in_order(lab, make, nursery, autojump_clock):
    all_of_it, of_one = FakeSender(), FakeSender()
    service = make((NOC, all_of_it), (Recipient(name="one", resource="router1"), of_one))
    commit(lab, A, B)
    commit(lab, C)
    nursery.start_soon(service.run)
    await all_of_it.until(1)
    await of_one.until(1)
    assert all_of_it.sent == [[A.alarm_id, B.alarm_id, C.alarm_id]]
    assert of_one.sent == [[B.alarm_id]]


async def test_suppressed_change_is_sent_to_nobody(lab, make, nursery, autojump_clock):
    sender = FakeSender()
    service = make((NOC, sender))
    commit(lab, A, changes=[Fact(ChangeKind.RAISED, A.alarm_id, is_notified=False)])
    commit(lab, B)
    nursery.start_soon(service.run)
    await sender.until(1)
    assert sender.sent == [[B.alarm_id]]


async def test_failure_is_tried_again_ever_more_slowly_and_nothing_is_lost(
    lab, make, outbox, nursery, autojump_clock, monkeypatch
):
    sender = FakeSender(*[NoticeFailedError("away")] * 4)
    service = make((NOC, sender))
    commit(lab, A)
    nursery.start_soon(service.run)
    await sender.until(1)
    pauses = [round(after - before) for before, after in zip(sender.tries, sender.tries[1:], strict=False)]
    assert pauses == [1, 2, 4, 8]
    await trio.sleep(1)
    assert outbox.length("noc") == 0


async def test_what_follows_a_mail_is_collected_for_a_while(lab, make, nursery, autojump_clock):
    sender = FakeSender()
    service = make((Recipient(name="noc", digest_s=300), sender))
    commit(lab, A)
    nursery.start_soon(service.run)
    await sender.until(1)
    commit(lab, B)
    await trio.sleep(200)
    commit(lab, C)
    assert sender.sent == [[A.alarm_id]]
    await sender.until(2)
    assert sender.sent[1] == [B.alarm_id, C.alarm_id]
    assert sender.tries[1] - sender.tries[0] >= 300


async def test_what_is_refused_is_given_up_at_once_and_can_be_seen(
    lab, make, outbox, nursery, autojump_clock, monkeypatch
):
    sender = FakeSender(NoticeRefusedError("550 no such user"))
    service = make((NOC, sender))
    commit(lab, A)
    nursery.start_soon(service.run)
    while not outbox.dead("noc"):
        await trio.sleep(0.1)
    commit(lab, B)
    await sender.until(1)
    (dead,) = outbox.dead("noc")
    assert (dead.change.alarm_id, dead.reason, dead.at_ms) == (A.alarm_id, "550 no such user", NOW_MS)
    assert sender.sent == [[B.alarm_id]]


async def test_recipient_that_is_away_for_too_long_is_given_up_and_what_follows_is_not(
    lab, make, outbox, nursery, autojump_clock, monkeypatch
):
    sender = FakeSender(batch_max=1)
    monkeypatch.setattr(module, "NOTICE_GIVEN_UP_S", 100.0)
    sender.always = NoticeFailedError("away")
    service = make((NOC, sender))
    commit(lab, A, B)
    nursery.start_soon(service.run)
    while not outbox.dead("noc"):
        await trio.sleep(1)
    assert sender.tries[-1] - sender.tries[0] >= 100
    sender.always = None
    await sender.until(1)
    assert sender.sent == [[B.alarm_id]]


async def test_crash_between_sending_and_noting_it_sends_it_again(lab, make, outbox, nursery, autojump_clock):
    first, second = FakeSender(), FakeSender()
    commit(lab, alarm_of("before"))
    service = make((NOC, first))
    commit(lab, A)
    service.collect()
    first.always = None
    await first.send(outbox.waiting("noc", 10))  # and the process ends
    nursery.start_soon(make((NOC, second)).run)
    await second.until(1)
    assert first.sent == second.sent == [[A.alarm_id]]


def test_changes_that_were_read_and_not_put_are_read_again(lab, make, outbox, monkeypatch):
    service = make((NOC, FakeSender()))
    commit(lab, A)
    monkeypatch.setattr(outbox, "put", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        service.collect()
    monkeypatch.undo()
    assert make((NOC, FakeSender())).collect() == 1
    assert outbox.length("noc") == 1


async def test_without_recipients_the_stream_is_not_held_up(lab, make, nursery, autojump_clock):
    make((NOC, FakeSender()))
    commit(lab, A)
    assert len(lab.client.xinfo_groups(keys.CHANGES)) == 1
    await make().run()
    assert lab.client.xinfo_groups(keys.CHANGES) == []
