"""A session that its gateway no longer knows (5002 to a demand) is closed now, whatever its deadline says."""

from ocs.messages import Outcome
from tests.support.requests import initial, mscc, octets, termination


def told_gone(lab, worker) -> None:
    lab.auditor.evidence.gone.add("s")
    worker.engine.expire("a", "s", is_gone=True)
    worker.run()


async def test_session_that_is_gone_gives_its_reservation_back_before_its_deadline(lab):
    worker = lab.worker()
    worker.ask(initial(mscc(1), session_id="s"))
    assert lab.reserved() > 0
    told_gone(lab, worker)
    assert lab.reserved() == 0
    assert not any(lab.store.deadlines.values())
    assert worker.engine.in_flight == 0


async def test_report_that_comes_after_it_is_debited_once(lab):
    worker = lab.worker()
    worker.ask(initial(mscc(1), session_id="s"))
    told_gone(lab, worker)
    end = termination(1, mscc(1, used=octets(10)), session_id="s")
    assert worker.ask(end).outcome == Outcome.SUCCESS
    assert worker.ask(end).outcome == Outcome.SUCCESS
    assert lab.balance() == 1_000_000 - 2_000


async def test_session_that_has_ended_meanwhile_is_left_alone(lab):
    worker = lab.worker()
    worker.ask(initial(mscc(1), session_id="s"))
    worker.ask(termination(1, mscc(1, used=octets(10)), session_id="s"))
    balance, events = lab.balance(), len(lab.events())
    told_gone(lab, worker)
    assert (lab.balance(), len(lab.events()), lab.reserved()) == (balance, events, 0)


async def test_two_workers_that_are_told_close_it_once(lab):
    one, two = lab.worker(), lab.worker()
    one.ask(initial(mscc(1), session_id="s"))
    lab.auditor.evidence.gone.add("s")
    for worker in (one, two):
        worker.engine.expire("a", "s", is_gone=True)
    while any((one.engine.has_work, two.engine.has_work, one.connection.queued, two.connection.queued)):
        for worker in (one, two):
            worker.engine.run_group()
            worker.connection.step()
    assert lab.reserved() == 0
    assert lab.auditor.counts["expired sessions"] == 1
