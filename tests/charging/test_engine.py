"""The engine on a store in memory, stepped by hand."""

from collections.abc import Callable

import msgspec
import pytest
import trio
import trio.testing

from ocs import limits
from ocs.balance import keys
from ocs.balance.model import LifecycleState, SessionState, Subscriber, decode_session
from ocs.balance.store import ABSENT, Commit, Stored, Unavailable
from ocs.charging import group as group_module
from ocs.messages import ChargingRequest, Outcome
from tests.support.engine_lab import BERT, SETTINGS, Lab, Worker
from tests.support.ledger import MORNING_S
from tests.support.requests import ANNA, copy_of, event, events, initial, mscc, octets, termination, update


async def test_answer_leaves_only_after_its_commit(lab: Lab):
    worker = lab.worker()
    worker.send(initial(mscc(1)))
    worker.engine.run_group()
    while worker.connection.queued:
        assert not worker.answers
        worker.connection.step()
        worker.engine.run_group()
    assert worker.outcomes == [Outcome.SUCCESS]
    assert lab.reserved() == 200_000


async def test_requests_of_one_account_that_arrive_together_share_a_commit(lab: Lab):
    worker = lab.worker()
    worker.ask(initial(mscc(1), session_id="first"))
    commits = lab.auditor.counts["commits"]
    worker.send(*(initial(mscc(1), session_id=f"s{index}") for index in range(3)))
    worker.run()
    assert worker.outcomes == [Outcome.SUCCESS] * 4
    assert lab.auditor.counts["commits"] == commits + 1
    assert lab.reserved() == 800_000


async def test_request_and_its_repeat_in_one_group_are_debited_once(lab: Lab):
    worker = lab.worker()
    sent = event(mscc(None, requested=events(1)))
    worker.send(sent, copy_of(sent))
    worker.run()
    assert worker.answers[0][1] == worker.answers[1][1]
    assert lab.balance() == 910_000


async def test_large_group_is_split_into_commits_of_bounded_size(lab: Lab, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "REQUESTS_PER_COMMIT_MAX", 2)
    worker = lab.worker()
    worker.send(*(event(mscc(None), session_id=f"e{index}") for index in range(5)))
    worker.run()
    assert worker.outcomes == [Outcome.SUCCESS] * 5
    assert lab.balance() == 1_000_000 - 5 * 90_000


async def test_accounts_do_not_wait_for_each_other(lab: Lab):
    worker = lab.worker()
    worker.send(initial(mscc(1), session_id="x"), initial(mscc(1), session_id="y", identities=(BERT,)))
    worker.run()
    assert worker.outcomes == [Outcome.SUCCESS] * 2
    assert lab.reserved("a") == lab.reserved("b") == 200_000


async def test_lost_race_is_decided_again_on_what_stands(lab: Lab):
    one, two = lab.worker(), lab.worker()
    one.ask(initial(mscc(1, requested=octets(4000)), session_id="one"))
    # Two knows the account from before and knows nothing of what one takes now.
    two.ask(initial(mscc(1, requested=octets(10)), session_id="two"))
    answer = one.ask(initial(mscc(1, requested=octets(4000)), session_id="three"))
    assert answer.services[0].granted == octets(990)  # 1,000,000 less 800,000 less 2,000
    assert lab.reserved() == 1_000_000


async def test_same_request_at_two_workers_at_once_is_debited_once_and_answered_alike(lab: Lab):
    one, two = lab.worker(), lab.worker()
    sent = event(mscc(None))
    one.send(sent)
    two.send(copy_of(sent))
    while any((one.engine.has_work, two.engine.has_work, one.connection.queued, two.connection.queued)):
        for worker in (one, two):
            worker.engine.run_group()
            worker.connection.step()
    assert one.answers[0][1] == two.answers[0][1]
    assert lab.balance() == 910_000 and len(lab.events()) == 1


async def test_race_lost_too_often_is_unable_to_deliver(lab: Lab, monkeypatch: pytest.MonkeyPatch):
    worker = lab.worker()
    apply = lab.store.apply

    def always_changed(commit: Commit):
        if commit.events:
            return apply(msgspec.structs.replace(commit, expected=(b"?" * 12,) * len(commit.keys)))
        return apply(commit)

    monkeypatch.setattr(lab.store, "apply", always_changed)
    assert worker.ask(event(mscc(None))).outcome == Outcome.UNABLE_TO_DELIVER
    assert lab.balance() == 1_000_000 and worker.engine.in_flight == 0


@pytest.mark.parametrize("is_carried_out", [True, False])
async def test_unknown_outcome_is_looked_at_again_repeat_first(lab: Lab, is_carried_out: bool):
    worker = lab.worker()
    worker.ask(event(mscc(None), session_id="warm"))
    worker.send(event(mscc(None)))
    worker.engine.run_group()
    assert worker.connection.queued == 1
    worker.connection.lose(1 if is_carried_out else 0)
    assert len(worker.answers) == 1
    worker.engine.retry_stalled()
    worker.run()
    assert worker.outcomes == [Outcome.SUCCESS] * 2
    assert lab.balance() == 1_000_000 - 2 * 90_000 and len(lab.events()) == 2


@pytest.mark.parametrize("at", ["directory", "load", "locator", "commit"])
async def test_store_that_is_away_longer_than_patience_is_unable_to_deliver(
    lab: Lab, autojump_clock: trio.testing.MockClock, at: str
):
    worker = lab.worker()
    sent: ChargingRequest = event(mscc(None))
    if at in {"load", "commit"}:
        worker.ask(event(mscc(None), session_id="warm"))
    if at == "load":
        sent = update(1, session_id="nobody")
    if at == "locator":
        sent = update(1, identities=())
    worker.connection.is_down = True
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.engine.run)
        worker.answers.clear()
        worker.send(sent)
        with trio.fail_after(10):
            while not worker.answers:
                await trio.sleep(0.1)
        nursery.cancel_scope.cancel()
    assert worker.outcomes == [Outcome.UNABLE_TO_DELIVER]
    assert trio.current_time() > 1 and worker.engine.in_flight == 0


async def test_commit_that_was_not_even_sent_is_unable_to_deliver_at_once_and_the_account_goes_on(lab: Lab):
    worker = lab.worker()
    worker.ask(event(mscc(None), session_id="warm"))
    real = worker.connection.commit
    worker.connection.commit = lambda commit, done: done(Unavailable("replicas are missing", is_unsent=True))
    assert worker.ask(event(mscc(None))).outcome == Outcome.UNABLE_TO_DELIVER
    assert worker.engine.in_flight == 0
    assert lab.balance() == 910_000
    worker.connection.commit = real
    assert (
        worker.ask(event(mscc(None))).outcome == Outcome.SUCCESS
    )  # the gateway's repeat: debited now, and once
    assert lab.balance() == 820_000


async def test_store_that_comes_back_in_time_is_not_noticed(lab: Lab, autojump_clock: trio.testing.MockClock):
    worker = lab.worker()
    worker.connection.is_down = True
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.engine.run)
        worker.send(event(mscc(None)))
        await trio.sleep(1)
        worker.connection.is_down = False
        for _ in range(20):
            await trio.sleep(0.05)
            worker.connection.run()
        nursery.cancel_scope.cancel()
    assert worker.outcomes == [Outcome.SUCCESS] and lab.balance() == 910_000


async def test_full_queue_refuses_initial_first_then_update_and_never_termination(lab: Lab):
    worker = lab.worker()
    worker.send(*(update(1, session_id=f"u{index}") for index in range(6)))
    assert not worker.answers
    worker.send(initial(mscc(1)))
    worker.send(event(mscc(None)))
    assert worker.outcomes == [Outcome.TOO_BUSY] * 2
    worker.send(update(1, session_id="u6"), update(1, session_id="u7"))
    assert len(worker.answers) == 2
    worker.send(update(1, session_id="u8"))
    assert worker.outcomes == [Outcome.TOO_BUSY] * 3
    worker.send(*(termination(1, session_id=f"t{index}") for index in range(5)))
    assert len(worker.answers) == 3
    worker.run()
    assert worker.engine.in_flight == 0 and len(worker.answers) == 3 + 8 + 5


# --- Who pays? --------------------------------------------------------------------------------------------


async def test_identity_nobody_has_is_user_unknown(lab: Lab):
    worker = lab.worker()
    assert worker.ask(initial(mscc(1), identities=("e164:1",))).outcome == Outcome.USER_UNKNOWN
    assert worker.ask(event(mscc(None), identities=("e164:1",))).outcome == Outcome.USER_UNKNOWN


async def test_second_identity_is_tried_when_the_first_is_not_known(lab: Lab):
    assert lab.worker().ask(initial(mscc(1), identities=("imsi:1", ANNA))).outcome == Outcome.SUCCESS


async def test_nobody_named_is_a_missing_subscription(lab: Lab):
    assert lab.worker().ask(initial(mscc(1), identities=())).outcome == Outcome.MISSING_SUBSCRIPTION


async def test_session_is_found_by_its_session_id_alone(lab: Lab):
    lab.worker().ask(initial(mscc(1)))
    answer = lab.worker().ask(update(1, mscc(1, used=octets(10), requested=octets(10)), identities=()))
    assert answer.outcome == Outcome.SUCCESS and lab.balance() == 998_000


@pytest.mark.parametrize("identities", [(), (ANNA,), ("e164:1",)])
async def test_session_nobody_opened_is_unknown(lab: Lab, identities: tuple[str, ...]):
    worker = lab.worker()
    for sent in (
        update(1, mscc(1), identities=identities),
        termination(1, identities=identities, session_id="t"),
    ):
        assert worker.ask(sent).outcome == Outcome.UNKNOWN_SESSION


async def test_number_that_moved_to_another_account_still_ends_its_session_where_it_began(lab: Lab):
    worker = lab.worker()
    worker.ask(initial(mscc(1)))
    lab.put_subscriber("a", "anna")
    lab.put_subscriber("b", "bert", BERT, ANNA)
    lab.store.hints[keys.identity_key(ANNA)] = keys.encode_location("b", "bert")
    for each in (worker, lab.worker()):
        # A cached hint, and a directory read afresh.
        assert each.ask(initial(mscc(1), session_id=f"new{id(each)}")).outcome == Outcome.SUCCESS
    assert lab.reserved("b") == 400_000 and lab.reserved("a") == 200_000
    assert lab.worker().ask(termination(1, mscc(1, used=octets(100)))).outcome == Outcome.SUCCESS
    assert lab.balance("a") == 980_000 and lab.reserved("a") == 0


async def test_directory_that_leads_to_no_account_is_user_unknown(lab: Lab):
    lab.store.hints[keys.identity_key("e164:7")] = keys.encode_location("gone", "x")
    worker = lab.worker()
    for index in range(2):
        sent = initial(mscc(1), identities=("e164:7",), session_id=f"s{index}")
        assert worker.ask(sent).outcome == Outcome.USER_UNKNOWN
    assert worker.engine.in_flight == 0


async def test_one_session_id_used_by_two_accounts_is_two_sessions(lab: Lab):
    worker = lab.worker()
    worker.ask(initial(mscc(1)))
    worker.ask(initial(mscc(1), identities=(BERT,)))
    assert lab.reserved("a") == lab.reserved("b") == 200_000
    worker.ask(termination(1, mscc(1, used=octets(10)), identities=(BERT,)))
    assert (lab.balance("a"), lab.balance("b")) == (1_000_000, 998_000)


# --- Caches -----------------------------------------------------------------------------------------------


async def test_top_up_is_seen_by_a_worker_that_has_the_account_cached(lab: Lab):
    worker = lab.worker()
    worker.ask(initial(mscc(1, requested=octets(5000)), session_id="all"))
    assert worker.ask(initial(mscc(1), session_id="none")).outcome == Outcome.CREDIT_LIMIT_REACHED
    account = lab.account()
    main = msgspec.structs.replace(account.buckets[0], value=2_000_000)
    total = msgspec.structs.replace(account.totals[0], credited=2_000_000)
    lab.auditor.books["a"].values["main"] = 2_000_000
    lab.put(
        keys.account_key(lab.partition("a"), "a"),
        msgspec.structs.replace(account, buckets=(main,), totals=(total,)),
    )
    assert worker.ask(initial(mscc(1), session_id="more")).outcome == Outcome.SUCCESS


async def test_subscriber_barred_elsewhere_is_refused_by_a_worker_that_has_it_cached(lab: Lab):
    worker = lab.worker()
    worker.ask(initial(mscc(1)))
    barred = Subscriber("anna", "a", LifecycleState.SUSPENDED, (ANNA,), ("basic",))
    lab.put(keys.subscriber_key(lab.partition("a"), "anna"), barred)
    assert worker.ask(initial(mscc(1), session_id="new")).outcome == Outcome.END_USER_SERVICE_DENIED


async def test_session_ended_by_another_worker_is_not_continued_from_the_cache(lab: Lab):
    one, two = lab.worker(), lab.worker()
    one.ask(initial(mscc(1)))
    two.ask(termination(1, mscc(1, used=octets(10))))
    assert (
        one.ask(update(2, mscc(1, requested=octets(10), used=octets(20)))).outcome == Outcome.UNKNOWN_SESSION
    )
    assert lab.balance() == 1_000_000 - 3 * 2_000 and lab.reserved() == 0


async def test_account_read_again_beside_a_stale_session_is_no_fault(lab: Lab):
    one, two = lab.worker(), lab.worker()
    one.ask(initial(mscc(1, requested=octets(4000))))
    two.ask(update(1, mscc(1, requested=octets(10), used=octets(10))))
    one.ask(
        event(mscc(None), session_id="e")
    )  # one's commit conflicts: it reads the account again, not the session
    assert one.ask(termination(2, mscc(1, used=octets(10)))).outcome == Outcome.SUCCESS
    assert lab.reserved() == 0 and lab.balance() == 1_000_000 - 90_000 - 2 * 2_000


# --- Supervision ------------------------------------------------------------------------------------------


def pass_time(lab: Lab, seconds: int, *workers: Worker) -> None:
    for _ in range(seconds // 4):
        lab.clock.advance_ms(4000)
        for worker in workers:
            worker.supervisor.sweep()
            worker.run()


async def test_session_whose_gateway_vanished_is_closed_once_by_two_workers(lab: Lab):
    one, two = lab.worker(), lab.worker()
    pass_time(lab, 4, one, two)
    one.ask(initial(mscc(1)))
    pass_time(lab, 4100, one, two)
    assert lab.reserved() == 200_000
    lab.clock.advance_ms(4000 - 4100 % 4000)
    for _ in range(30):
        lab.clock.advance_ms(4000)
        for worker in (one, two):
            worker.supervisor.sweep()
        for worker in (one, two, one, two):  # both see it due before either has closed it
            worker.engine.run_group()
            worker.connection.step()
        one.run()
        two.run()
    assert lab.reserved() == 0 and lab.auditor.counts["expired sessions"] == 1
    assert not any(lab.store.deadlines.values())
    assert one.engine.in_flight == two.engine.in_flight == 0


async def test_update_puts_supervision_off(lab: Lab):
    worker = lab.worker()
    pass_time(lab, 4, worker)
    worker.ask(initial(mscc(1)))
    pass_time(lab, 4000, worker)
    worker.ask(update(1, mscc(1, requested=octets(100), used=octets(10))))
    pass_time(lab, 4000, worker)
    assert lab.reserved() == 20_000
    pass_time(lab, 400, worker)
    assert lab.reserved() == 0


@pytest.mark.parametrize("leap_ms", [-7_200_000, 7_200_000])
async def test_wall_clock_that_is_set_neither_closes_a_session_nor_keeps_it(lab: Lab, leap_ms: int):
    """Between two heartbeats, and with the sweep right after it."""
    worker = lab.worker()
    worker.supervisor.sweep()
    worker.run()
    lab.clock.leap_ms(leap_ms)
    worker.ask(initial(mscc(1)))
    (deadline_ms,) = [score for members in lab.store.deadlines.values() for score in members.values()]
    earliest_ms = (MORNING_S + SETTINGS.supervision_time_s) * 1000
    assert earliest_ms <= deadline_ms <= earliest_ms + 600_000


async def test_our_own_outage_does_not_count_against_a_gateway(lab: Lab):
    worker = lab.worker()
    pass_time(lab, 4, worker)
    worker.ask(initial(mscc(1)))
    lab.clock.advance_ms(10 * 3_600_000)
    pass_time(lab, 3600, worker)
    assert lab.reserved() == 200_000
    pass_time(lab, 1200, worker)
    assert lab.reserved() == 0


async def test_expiry_of_a_session_that_is_gone_leaves_no_deadline(lab: Lab):
    worker = lab.worker()
    partition = lab.partition("a")
    lab.store.deadlines[partition] = {keys.deadline_member("a", "gone"): 1}
    pass_time(lab, 4, worker)
    assert lab.store.deadlines[partition] == {} and worker.engine.in_flight == 0


async def test_closed_session_is_remembered_for_its_time_and_an_open_one_for_ever(lab: Lab):
    worker = lab.worker()
    worker.ask(initial(mscc(1)))
    key = keys.session_key(lab.partition("a"), "a", "smf.example;1;1")
    assert key not in lab.store.expires_ms
    worker.ask(termination(1))
    assert lab.store.expires_ms[key] == lab.clock.now_ms() + SETTINGS.repeat_memory_s * 1000
    assert decode_session(lab.store.values[key].content).state == SessionState.CLOSED


# --- Faults of ours ---------------------------------------------------------------------------------------


async def test_decision_that_raises_harms_only_its_request(lab: Lab, monkeypatch: pytest.MonkeyPatch):
    decide: Callable = group_module.decide

    def faulty(state, request, *rest):
        if request.session_id == "bad":
            raise RuntimeError("a fault of ours")
        return decide(state, request, *rest)

    monkeypatch.setattr(group_module, "decide", faulty)
    worker = lab.worker()
    worker.send(event(mscc(None), session_id="good"), event(mscc(None), session_id="bad"), event(mscc(None)))
    worker.run()
    assert worker.outcomes == [Outcome.SUCCESS, Outcome.UNABLE_TO_COMPLY, Outcome.SUCCESS]
    assert lab.balance() == 820_000


async def test_value_that_cannot_be_read_fails_its_account_alone(lab: Lab):
    worker = lab.worker()
    key = keys.account_key(lab.partition("a"), "a")
    lab.store.values[key] = Stored(b"t" * 12, b"\xc1 no account")
    lab.store.hints[keys.identity_key("e164:1")] = b"\xff\xfe"
    assert worker.ask(initial(mscc(1))).outcome == Outcome.UNABLE_TO_COMPLY
    assert worker.ask(initial(mscc(1), identities=("e164:1",))).outcome == Outcome.UNABLE_TO_COMPLY
    assert worker.ask(initial(mscc(1), identities=(BERT,))).outcome == Outcome.SUCCESS
    key = keys.account_key(lab.partition("b"), "b")
    lab.store.values[key] = Stored(b"t" * 12, b"\xc1 no account any more")
    used = update(1, mscc(1, used=octets(1)), identities=(BERT,))
    assert worker.ask(used).outcome == Outcome.UNABLE_TO_COMPLY


async def test_expiry_that_raises_harms_no_request(lab: Lab, monkeypatch: pytest.MonkeyPatch):
    def faulty(*_):
        raise RuntimeError("a fault of ours")

    worker = lab.worker()
    pass_time(lab, 4, worker)
    worker.ask(initial(mscc(1)))
    monkeypatch.setattr(group_module, "expire_session", faulty)
    pass_time(lab, 4300, worker)
    assert worker.ask(event(mscc(None), session_id="e")).outcome == Outcome.SUCCESS
    assert worker.engine.in_flight == 0


async def test_worker_that_is_stopped_leaves_its_requests_to_be_repeated(lab: Lab):
    worker = lab.worker()
    worker.send(initial(mscc(1)))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.engine.run)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert not worker.answers and worker.engine.in_flight == 1
    assert ABSENT not in {stored.token for stored in lab.store.values.values()}
