"""What one commit writes: counters of subscribers stand and fall with the account and the session."""

import msgspec
import structlog

from ocs.balance import keys
from ocs.balance.model import LifecycleState, MemberLimit, Subscriber, decode_subscriber
from ocs.limits import EVENT_TIME_PAST_MAX_S
from ocs.messages import Outcome
from ocs.units import UnitType
from tests.support.engine_lab import Lab
from tests.support.ledger import MORNING_S
from tests.support.requests import ANNA, event, events, initial, mscc, octets, termination, update

LIMIT = MemberLimit("limit.spending", UnitType.MONEY, "month", 100_000)
# Rating group 1: 2,000 micro-units per started ten octets.


def limited() -> Lab:
    lab = Lab()
    subscriber = Subscriber("anna", "a", LifecycleState.ACTIVE, (ANNA,), ("packs", "basic"), limits=(LIMIT,))
    lab.put(keys.subscriber_key(lab.partition("a"), "anna"), subscriber)
    return lab


def stored(lab: Lab) -> Subscriber:
    key = keys.subscriber_key(lab.partition("a"), "anna")
    return decode_subscriber(lab.store.values[key].content)


def counted(lab: Lab) -> tuple[int, int]:
    (counter,) = stored(lab).counters
    return counter.value, counter.reserved


async def test_counters_are_written_with_what_they_count():
    lab = limited()
    worker = lab.worker()
    worker.ask(initial(mscc(1, requested=octets(100))))
    assert counted(lab) == (0, 20_000)
    commits = lab.auditor.counts["commits"]
    worker.ask(update(1, mscc(1, requested=octets(200), used=octets(100))))
    assert counted(lab) == (20_000, 40_000)
    assert lab.auditor.counts["commits"] == commits + 1
    worker.ask(termination(2, mscc(1, used=octets(200))))
    assert counted(lab) == (60_000, 0) and lab.reserved() == 0


async def test_requests_that_share_a_commit_count_one_after_the_other():
    lab = limited()
    worker = lab.worker()
    worker.ask(event(mscc(None), session_id="warm"))
    worker.send(*(event(mscc(None, requested=events(1)), session_id=f"e{n}") for n in range(3)))
    worker.run()
    assert worker.outcomes == [Outcome.SUCCESS] + [Outcome.CREDIT_LIMIT_REACHED] * 3
    assert counted(lab) == (90_000, 0)


async def test_two_workers_do_not_pass_the_limit_together():
    lab = limited()
    one, two = lab.worker(), lab.worker()
    one.ask(initial(mscc(1, requested=octets(10)), session_id="one"))
    two.ask(initial(mscc(1, requested=octets(10)), session_id="two"))
    first = one.ask(initial(mscc(1, requested=octets(400)), session_id="three")).services[0]
    second = two.ask(initial(mscc(1, requested=octets(400)), session_id="four")).services[0]
    assert (first.granted, second.granted) == (octets(400), octets(80))
    assert counted(lab) == (0, 100_000)


async def test_supervision_by_a_worker_that_knows_nothing_gives_the_counter_back():
    lab = limited()
    lab.worker().ask(initial(mscc(1, requested=octets(100))))
    lab.clock.advance_ms(3 * 3600 * 1000)
    other = lab.worker()
    other.supervisor.sweep()
    other.run()
    assert counted(lab) == (0, 0) and lab.reserved() == 0


async def test_subscriber_without_counters_is_read_and_not_written():
    lab = Lab()
    key = keys.subscriber_key(lab.partition("a"), "anna")
    token = lab.store.values[key].token
    lab.worker().ask(initial(mscc(1, requested=octets(100))))
    assert lab.store.values[key].token == token


async def test_limit_that_changes_under_a_cached_subscriber_counts_at_once():
    lab = limited()
    worker = lab.worker()
    worker.ask(initial(mscc(1, requested=octets(10))))
    raised = msgspec.structs.replace(stored(lab), limits=(msgspec.structs.replace(LIMIT, amount=10**9),))
    lab.put(keys.subscriber_key(lab.partition("a"), "anna"), raised)
    answer = worker.ask(update(1, mscc(1, requested=octets(1000), used=octets(10))))
    assert answer.services[0].granted == octets(1000)


async def test_first_use_of_a_created_subscriber_is_kept():
    lab = Lab()
    subscriber = Subscriber("anna", "a", LifecycleState.CREATED, (ANNA,), ("packs", "basic"))
    lab.put(keys.subscriber_key(lab.partition("a"), "anna"), subscriber)
    lab.worker().ask(event(mscc(None)))
    assert stored(lab).state == LifecycleState.ACTIVE


async def test_timestamp_that_is_no_time_of_use_is_told_once_and_booked_as_now():
    lab = Lab()
    worker = lab.worker()
    old_s = MORNING_S - EVENT_TIME_PAST_MAX_S - 1
    with structlog.testing.capture_logs() as lines:
        for name in "ab":
            worker.ask(event(mscc(None), session_id=name, event_time_s=old_s))
    assert [line["event"] for line in lines] == ["event_timestamp_ignored"]
    assert {e.event_time_ms for e in lab.events()} == {MORNING_S * 1000}
