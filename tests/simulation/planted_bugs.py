"""Bugs, one for each rule that keeps money right, planted by taking a rule's place; never a switch in the product.

Each is a function that plants it with pytest's monkeypatch, or anything that has its ``setattr``.
"""

from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any, Final

import msgspec
import pytest

from ocs import limits
from ocs.balance.client import BalanceClient, Change, StoreBusyError
from ocs.balance.memory_store import MemoryStore
from ocs.balance.model import Counter, Hold, LedgerInvariantError, SessionService
from ocs.balance.purse import Purse
from ocs.balance.store import (
    COMMITTED,
    NOTHING,
    Commit,
    CommitResult,
    Stored,
    TokenSource,
    Unavailable,
)
from ocs.charging import counted, member_limits, tariff_switch
from ocs.charging import decide as decide_module
from ocs.charging import group as group_module
from ocs.charging import sessions as sessions_module
from ocs.charging.cache import Entry
from ocs.charging.counting import CounterBook
from ocs.charging.decision import Decision, State
from ocs.charging.draft import Draft
from ocs.charging.engine import Engine
from ocs.charging.group import Group
from ocs.charging.memory import Recall
from ocs.charging.rates import RateFinder
from ocs.charging.sessions import SessionDecision
from ocs.charging.supervision_clock import SupervisionClock
from ocs.charging.work import Work
from ocs.events import EventKind
from ocs.messages import ChargingAnswer, ChargingRequest, Outcome
from ocs.subscribers import office as office_module
from ocs.subscribers import vouchers
from ocs.subscribers.office import Office, Order, Receipt, RefusedForGoodError
from ocs.subscribers.redemptions import Redemptions
from ocs.subscribers.transfers import Transfers
from ocs.subscribers.vouchers import Voucher, VoucherState
from tests.simulation.reader import Reader
from tests.simulation.replicated_store import Call, StoreConnection
from tests.simulation.sites import Sites
from tests.simulation.worker import Worker, WorkerClock
from tests.simulation.world import World, simulate
from tests.support.books import AuditError

Plant = Callable[[pytest.MonkeyPatch], None]


# --- The commit ---------------------------------------------------------------------------------------------


def commit_without_token_check(patch: pytest.MonkeyPatch) -> None:
    """The store writes whatever it is told."""
    apply = MemoryStore.apply

    def unchecked(store: MemoryStore, commit: Commit) -> CommitResult:
        now = tuple(store._get(key).token for key in commit.keys)
        return apply(store, msgspec.structs.replace(commit, expected=now))

    patch.setattr(MemoryStore, "apply", unchecked)


def session_left_out_of_the_check(patch: pytest.MonkeyPatch) -> None:
    """Only the account's token is compared: what was decided on another session passes."""
    apply = MemoryStore.apply

    def unchecked(store: MemoryStore, commit: Commit) -> CommitResult:
        expected = tuple(
            expected if key[key.index("}") + 1] != "s" else store._get(key).token
            for key, expected in zip(commit.keys, commit.expected, strict=True)
        )
        return apply(store, msgspec.structs.replace(commit, expected=expected))

    patch.setattr(MemoryStore, "apply", unchecked)


def token_from_a_counter(patch: pytest.MonkeyPatch) -> None:
    """A restarted worker counts from the beginning again."""
    patch.setattr(Worker, "new_tokens", lambda worker: TokenSource(bytes([worker.name]) + bytes(6)))


def expiry_without_the_store_s_clock(patch: pytest.MonkeyPatch) -> None:
    """What a worker's wall clock says decides alone whether a session is silent for too long."""
    patch.setattr(WorkerClock, "steady_ms", WorkerClock.now_ms)
    apply = MemoryStore.apply
    patch.setattr(
        MemoryStore,
        "apply",
        lambda store, commit: apply(store, msgspec.structs.replace(commit, not_before_ms=None)),
    )


def events_written_apart(patch: pytest.MonkeyPatch) -> None:
    """Events are sent after the commit, and are lost when the connection breaks in between."""
    write = StoreConnection.commit

    def commit(connection: StoreConnection, commit: Commit, done: Callable[[CommitResult], None]) -> None:
        bare = msgspec.structs.replace(commit, events=())
        write(connection, bare, done)

    patch.setattr(StoreConnection, "commit", commit)


def turn_without_an_end(patch: pytest.MonkeyPatch) -> None:
    """A worker that lost a race, and has died, keeps its turn on an account for ever."""
    patch.setattr(limits, "TURN_MS", 1 << 50)
    patch.setattr(limits, "LOST_RACES_BEFORE_TURN", 0)


# --- The barrier --------------------------------------------------------------------------------------------


def answer_before_the_barrier(patch: pytest.MonkeyPatch) -> None:
    """What is written is answered before replicas have it."""
    patch.setattr(StoreConnection, "needs_barrier", lambda connection, commit: False)


def answer_before_the_fsync(patch: pytest.MonkeyPatch) -> None:
    """The store replies before its file has what it tells."""

    def carry_out_next(connection: StoreConnection) -> bool:
        done = original(connection)
        for call in connection._replies:
            call.position = 0
        return done

    original = StoreConnection._carry_out_next
    patch.setattr(StoreConnection, "_carry_out_next", carry_out_next)


def repeat_without_its_own_barrier(patch: pytest.MonkeyPatch) -> None:
    """A stored answer is given again as it stands: nothing is written, so nothing is waited for."""
    patch.setattr(
        StoreConnection,
        "needs_barrier",
        lambda connection, commit: connection._sites.durability == "replicated" and bool(commit.writes),
    )


def failed_barrier_taken_for_success(patch: pytest.MonkeyPatch) -> None:
    """WAIT's count is not looked at."""

    def pass_barrier(connection: StoreConnection, call: Call) -> bool:
        if connection._barrier is None:
            return False
        position, until_ms = connection._barrier
        return connection._sites.is_covered(connection.site, position) or (
            connection._sites.true.now_ms() >= until_ms
        )

    patch.setattr(StoreConnection, "_pass_barrier", pass_barrier)


def fewer_replicas_than_may_be_promoted(patch: pytest.MonkeyPatch) -> None:
    """WAIT is satisfied by one replica, and another one is promoted."""
    patch.setattr(
        Sites,
        "is_covered",
        lambda sites, site, position: not sites.needed or max(site.acked.values(), default=-1) >= position,
    )


# --- Repeats and caches -------------------------------------------------------------------------------------


class _Proxy:
    """A store whose commits go another way."""

    def __init__(self, store: Any, commit: Any) -> None:
        self._store = store
        self.commit = commit

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def refusal_from_a_stale_cache(patch: pytest.MonkeyPatch) -> None:
    """A refusal, an enquiry or a repeat writes nothing, so it is answered at once, from what the worker remembers."""
    original = Group.commit

    def commit(group: Group) -> None:
        def at_once(commit: Commit, done: Callable[[CommitResult], None]) -> None:
            if commit.writes:
                store.commit(commit, done)
            else:
                done(COMMITTED)

        store = group._engine.store
        group._engine.store = _Proxy(store, at_once)  # type: ignore[assignment]
        try:
            original(group)
        finally:
            group._engine.store = store

    patch.setattr(Group, "commit", commit)


def repeat_fingerprint_ignored(patch: pytest.MonkeyPatch) -> None:
    """A repeat is known by its number alone."""
    recall = decide_module.recall

    def by_number(session: Any, request: ChargingRequest) -> Any:
        for remembered in session.answers:
            if (
                remembered.request_number == request.request_number
                and remembered.request_type == request.request_type
            ):
                return msgspec.msgpack.decode(remembered.answer, type=ChargingAnswer)
        return recall(session, request)

    patch.setattr(decide_module, "recall", by_number)


def repeat_not_looked_for(patch: pytest.MonkeyPatch) -> None:
    """A request is decided as if it came for the first time."""
    patch.setattr(decide_module, "recall", lambda session, request: Recall.NEW)


def decided_again_without_looking_for_the_repeat(patch: pytest.MonkeyPatch) -> None:
    """After an unknown outcome a worker decides its request again, and forgets that it may have been done."""
    stall, decide = Engine._stall, group_module.decide
    doubtful: set[int] = set()

    def stalled(engine: Engine, work: Work) -> None:
        if work.request is not None:
            doubtful.add(work.request.end_to_end_id)
        stall(engine, work)

    def decide_anew(
        state: State, request: ChargingRequest, tariffs: Any, moment: Any, policy: Any
    ) -> Decision:
        if request.end_to_end_id in doubtful and state.session is not None:
            state = msgspec.structs.replace(state, session=msgspec.structs.replace(state.session, answers=()))
        return decide(state, request, tariffs, moment, policy)

    patch.setattr(Engine, "_stall", stalled)
    patch.setattr(group_module, "decide", decide_anew)
    _at_each_story(patch, doubtful.clear)


def _at_each_story(patch: pytest.MonkeyPatch, begin: Callable[[], None]) -> None:
    """What a bug remembers must not pass from one story into the next: a seed replays alone."""
    create = World._create_accounts

    def created(world: World) -> None:
        begin()
        create(world)

    patch.setattr(World, "_create_accounts", created)


def cache_kept_after_an_unknown_outcome(patch: pytest.MonkeyPatch) -> None:
    """After a broken connection a worker goes on with what it remembers."""
    patch.setattr(Entry, "forget", lambda entry: None)


def outcome_taken_for_success(patch: pytest.MonkeyPatch) -> None:
    """A commit of which nothing was heard counts as done."""
    committed = Group._committed

    def told(group: Group, result: CommitResult) -> None:
        committed(group, COMMITTED if isinstance(result, Unavailable) else result)

    patch.setattr(Group, "_committed", told)


def two_commits_of_one_account_under_way(patch: pytest.MonkeyPatch) -> None:
    """A worker does not wait for an account's commit before it sends the next."""
    commit = Group.commit

    def without_waiting(group: Group) -> None:
        commit(group)
        group._entry.is_busy = False

    patch.setattr(Group, "commit", without_waiting)


def tombstone_dropped_too_early(patch: pytest.MonkeyPatch) -> None:
    """What a closed session answered is forgotten within a second."""
    ttl_ms = Group._ttl_ms
    patch.setattr(Group, "_ttl_ms", lambda group, value: 100 if ttl_ms(group, value) else 0)


def life_time_on_an_open_session(patch: pytest.MonkeyPatch) -> None:
    """Open sessions vanish by themselves, and leave what they hold behind."""
    patch.setattr(Group, "_ttl_ms", lambda group, value: 0 if hasattr(value, "buckets") else 7_200_000)


# --- Money --------------------------------------------------------------------------------------------------


def release_twice(patch: pytest.MonkeyPatch) -> None:
    """What a session holds is given back, and given back again where other sessions hold as much."""
    release = Purse.release

    def twice(purse: Purse, holds: tuple[Hold, ...]) -> None:
        release(purse, holds)
        with suppress(LedgerInvariantError):
            release(purse, holds)

    patch.setattr(Purse, "release", twice)


def nothing_reserved(patch: pytest.MonkeyPatch) -> None:
    """A grant is promised, and its price not set aside."""
    patch.setattr(Purse, "reserve", lambda purse, holds: None)


def late_use_discarded(patch: pytest.MonkeyPatch) -> None:
    """A report that comes after supervision closed its session is only refused."""

    def discard(decision: SessionDecision, session: Any) -> Decision:
        return Decision(decision._state.account, session, ChargingAnswer(Outcome.UNKNOWN_SESSION))

    patch.setattr(SessionDecision, "report_late", discard)


def hint_trusted(patch: pytest.MonkeyPatch) -> None:
    """Whom the directory names, pays."""
    patch.setattr(decide_module, "_is_identified", lambda state, request: state.subscriber is not None)


def outage_taken_for_silence(patch: pytest.MonkeyPatch) -> None:
    """Deadlines pass while nobody of us was there to listen."""
    patch.setattr(SupervisionClock, "at", lambda clock, now_ms: now_ms + clock._store_ahead_ms)
    patch.setattr(SupervisionClock, "store_time_of", lambda clock, supervision_ms: supervision_ms)


# --- Tariff switches, counters, limits, pools ----------------------------------------------------------------


def after_the_switch_charged_as_before_it(patch: pytest.MonkeyPatch) -> None:
    """What was used after a tariff switch is charged at the rate of the grant."""
    patch.setattr(RateFinder, "after_switch", RateFinder.held)


def cheaper_side_of_a_switch_reserved(patch: pytest.MonkeyPatch) -> None:
    """A grant over a switch sets aside what it costs on the cheaper side."""
    patch.setattr(tariff_switch, "max", min, raising=False)


def counters_not_written(patch: pytest.MonkeyPatch) -> None:
    """What a subscriber used is charged, and not counted."""
    patch.setattr(Draft, "subscriber", lambda draft: draft._subscriber)


def counter_kept_by_expired_sessions(patch: pytest.MonkeyPatch) -> None:
    """What an open grant had set aside in counters stays there when it ends."""
    patch.setattr(CounterBook, "release", lambda book, holds: None)


def counters_of_open_grants_ignored(patch: pytest.MonkeyPatch) -> None:
    """A member's limit looks at what was used, not at what is granted already."""
    patch.setattr(
        member_limits,
        "_left",
        lambda draft, limit: max(0, limit.amount - draft.counter(limit.counter_id, limit.period).value),
    )


def cap_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Use beyond a daily cap costs what it did before it."""
    price_in_parts = counted.price_in_parts
    patch.setattr(
        counted,
        "price_in_parts",
        lambda rate, meter, units: price_in_parts(msgspec.structs.replace(rate, caps=()), meter, units),
    )


def pool_left_to_its_last_report(patch: pytest.MonkeyPatch) -> None:
    """What a pooled service did not use of its quota is given back, though others may still use it."""
    patch.setattr(sessions_module, "settle_in_pool", lambda draft, before, charged, others: others)


# --- Operations ---------------------------------------------------------------------------------------------


def transfer_finished_without_its_credit(patch: pytest.MonkeyPatch) -> None:
    """What was sent is taken for arrived as soon as it has left."""
    patch.setattr(
        Transfers,
        "_complete",
        lambda of, account_id, to, amount, reference: of._finish(account_id, reference),
    )


def transfer_given_back_after_a_doubt(patch: pytest.MonkeyPatch) -> None:
    """When it is not known whether the receiver has it, the sender has it back."""
    once = Office.once

    def carried_out(office: Office, order: Order, *rest: Any) -> Receipt:
        try:
            return once(office, order, *rest)
        except StoreBusyError as error:
            if order.operation == "transfer-in":
                raise RefusedForGoodError(str(error)) from error
            raise

    patch.setattr(Office, "once", carried_out)


def order_carried_out_again(patch: pytest.MonkeyPatch) -> None:
    """Who asks again with the same reference is served again."""
    decided = Office._decided

    def forgetful(office: Office, order: Order, act: Any, names: Any, values: tuple[Stored, ...]) -> Any:
        return decided(office, order, act, names, (values[0], NOTHING, *values[2:]))

    patch.setattr(Office, "_decided", forgetful)


def voucher_claimed_twice(patch: pytest.MonkeyPatch) -> None:
    """A voucher that somebody has claimed, and not yet redeemed, is anybody's."""
    claim = vouchers.claim

    def claimed(voucher: Voucher, account_id: str, now_ms: int) -> Voucher:
        if voucher.state is VoucherState.CLAIMED and voucher.account_id != account_id:
            voucher = msgspec.structs.replace(voucher, state=VoucherState.ACTIVE)
        return claim(voucher, account_id, now_ms)

    patch.setattr(vouchers, "claim", claimed)


def voucher_redeemed_before_it_is_credited(patch: pytest.MonkeyPatch) -> None:
    """A voucher is used up first; its value follows, unless somebody dies in between."""
    settle = Redemptions._settle

    def settled(of: Redemptions, claimed: Voucher) -> Receipt:
        of._finish(claimed.serial, claimed.claims, is_credited=True)
        return settle(of, claimed)

    patch.setattr(Redemptions, "_settle", settled)


def renewal_charged_again_after_a_crash(patch: pytest.MonkeyPatch) -> None:
    """A period is charged first, and noted as paid afterwards."""
    change = BalanceClient.change

    def apart(client: BalanceClient, account_id: str, names: tuple[str, ...], decide: Any) -> None:
        late: dict[str, Any] = {}

        def without_subscriber(values: tuple[Stored, ...]) -> Any:
            made = decide(values)
            if made is None or not any(event.kind is EventKind.FEE for event in made.events):
                return made
            numbers = iter(range(1 << 30))
            events = tuple(
                msgspec.structs.replace(event, event_id=f"{event.event_id};{event.sequence};{next(numbers)}")
                for event in made.events
            )
            late.update({key: value for key, value in made.writes.items() if "}u:" in key})
            kept = {key: value for key, value in made.writes.items() if key not in late}
            return msgspec.structs.replace(made, writes=kept, events=events)

        change(client, account_id, names, without_subscriber)
        if late:
            change(client, account_id, names, lambda _: Change(late))

    patch.setattr(BalanceClient, "change", apart)


def agenda_line_forgotten(patch: pytest.MonkeyPatch) -> None:
    """What an offer costs next is not put on the agenda."""
    patch.setattr(office_module, "subscriber_due_ms", lambda subscriber: None)


def use_counted_in_the_day_of_its_report(patch: pytest.MonkeyPatch) -> None:
    """What a grant was held for yesterday counts today."""
    patch.setattr(CounterBook, "under", lambda book, hold: book.at(hold.counter_id, hold.period_start_ms))


def counter_of_yesterday_dropped(patch: pytest.MonkeyPatch) -> None:
    """With the first use of a day the counters of the day before are gone, whatever is held in them."""
    place = CounterBook._place

    def dropped(book: CounterBook, counter: Counter) -> None:
        place(book, counter)
        book._earlier.clear()

    patch.setattr(CounterBook, "_place", dropped)


def counter_kept_when_supervision_closes(patch: pytest.MonkeyPatch) -> None:
    """Supervision gives back the money of a grant, and not what it held in counters."""
    release = Draft.release_grant

    def without_counters(draft: Draft, service: SessionService) -> None:
        if draft._operation == "tcc":
            service = msgspec.structs.replace(service, counter_holds=())
        release(draft, service)

    patch.setattr(Draft, "release_grant", without_counters)


# --- Events -------------------------------------------------------------------------------------------------


def event_id_from_a_counter(patch: pytest.MonkeyPatch) -> None:
    """An event is called by what was counted, not by the request that it comes from."""
    ids = iter(range(1 << 30))
    patch.setattr(Draft, "_event_id", lambda draft, ordinal: f"event-{next(ids)}")


def stream_id_as_event_id(patch: pytest.MonkeyPatch) -> None:
    """A reader knows an event again by its place in the stream; a promoted site has another there."""
    patch.setattr(Reader, "name_of", lambda reader, stream_id, event: f"{event.account_id}/{stream_id}")


def reader_without_its_barrier(patch: pytest.MonkeyPatch) -> None:
    """A reader takes what may yet be lost."""
    read_events = StoreConnection.read_events
    patch.setattr(
        StoreConnection,
        "read_events",
        lambda connection, partition, done, barrier: read_events(connection, partition, done, barrier=False),
    )


BUGS: Final[tuple[Plant, ...]] = (
    commit_without_token_check,
    session_left_out_of_the_check,
    token_from_a_counter,
    expiry_without_the_store_s_clock,
    events_written_apart,
    turn_without_an_end,
    answer_before_the_barrier,
    answer_before_the_fsync,
    repeat_without_its_own_barrier,
    failed_barrier_taken_for_success,
    fewer_replicas_than_may_be_promoted,
    refusal_from_a_stale_cache,
    repeat_fingerprint_ignored,
    repeat_not_looked_for,
    decided_again_without_looking_for_the_repeat,
    cache_kept_after_an_unknown_outcome,
    outcome_taken_for_success,
    two_commits_of_one_account_under_way,
    tombstone_dropped_too_early,
    life_time_on_an_open_session,
    release_twice,
    nothing_reserved,
    late_use_discarded,
    hint_trusted,
    outage_taken_for_silence,
    after_the_switch_charged_as_before_it,
    cheaper_side_of_a_switch_reserved,
    counters_not_written,
    counter_kept_by_expired_sessions,
    counters_of_open_grants_ignored,
    cap_forgotten,
    pool_left_to_its_last_report,
    transfer_finished_without_its_credit,
    transfer_given_back_after_a_doubt,
    order_carried_out_again,
    voucher_claimed_twice,
    voucher_redeemed_before_it_is_credited,
    renewal_charged_again_after_a_crash,
    agenda_line_forgotten,
    use_counted_in_the_day_of_its_report,
    counter_of_yesterday_dropped,
    counter_kept_when_supervision_closes,
    event_id_from_a_counter,
    stream_id_as_event_id,
    reader_without_its_barrier,
)


def seeds_until_found(most: int = 200) -> tuple[int, BaseException | None]:
    """Play stories until one ends badly: how many it took and what was found, 0 when nothing was."""
    for seed in range(most):
        try:
            simulate(Random(seed), tell=lambda _: None)
        except (AuditError, Exception) as error:
            return seed + 1, error
    return 0, None
