"""Operators: who tops accounts up and moves numbers between them, each trying until it is confirmed."""

from collections.abc import Callable
from itertools import count

import msgspec

from ocs.balance import keys
from ocs.balance.model import Subscriber, decode_account, decode_subscriber, encode_value
from ocs.balance.store import (
    ABSENT,
    Commit,
    CommitResult,
    Committed,
    Conflict,
    DeadlineChange,
    Stored,
    TokenSource,
    Unavailable,
    Write,
)
from ocs.clock import Clock
from ocs.events import encode_event
from ocs.messages import ChargingRequest
from ocs.subscribers.agenda import account_due_ms, account_member
from ocs.subscribers.office import AccountChange
from ocs.subscribers.operations import top_up
from ocs.units import Money
from tests.simulation.replicated_store import StoreConnection
from tests.simulation.scene import Scene
from tests.simulation.terms import RULES

PARTITIONS = 2
# A number that moved is known everywhere by then: what was asked of a store before it has come to its end.
MOVE_SETTLES_MS = 10_000


class TopUp:
    """Somebody puts money on an account."""

    def __init__(
        self,
        connection: StoreConnection,
        clock: Clock,
        new_token: Callable[[], bytes],
        account_id: str,
        amount_micro: int,
        reference: str,
        tell: Callable[[str, AccountChange], None],
    ) -> None:
        self._account_id = account_id
        self._tell = tell
        self._connection = connection
        self._clock = clock
        self._new_token = new_token
        self._amount = Money(amount_micro, "EUR")
        self.reference = reference
        self._partition = partition = keys.partition_of(account_id, PARTITIONS)
        self._keys = keys.account_key(partition, account_id), keys.operation_key(partition, reference)
        self.event_id = f"topup:{account_id}:{reference}"
        self.is_done = False

    def try_now(self) -> None:
        self._connection.load(self._keys, self._loaded)

    def _loaded(self, values: tuple[Stored, ...] | Unavailable) -> None:
        if isinstance(values, Unavailable) or self.is_done:
            return
        account, receipt = values
        writes: tuple[Write, ...] = ()
        events: tuple[bytes, ...] = ()
        agenda: tuple[DeadlineChange, ...] = ()
        if receipt.token == ABSENT:
            done = top_up(
                decode_account(account.content),
                self._amount,
                reference=self.reference,
                now_ms=self._clock.now_ms(),
                rules=RULES,
            )
            writes = Write(0, encode_value(done.account)), Write(1, b"receipt")
            events = tuple(encode_event(event) for event in done.events)
            due_ms = account_due_ms(done.account, RULES.lifecycle, self._clock.now_ms())
            agenda = (DeadlineChange(account_member(done.account.account_id), due_ms),)
        commit = Commit(
            self._partition, self._keys, (account.token, receipt.token), self._new_token(), writes, events,
            agenda=agenda,
        )  # fmt: skip
        # Also what is found done is confirmed by a commit: it must be as durable as what is done now.
        self._connection.commit(commit, self._committed)

    def _committed(self, result: CommitResult) -> None:
        match result:
            case Committed():
                if not self.is_done:
                    self._tell(self._account_id, AccountChange.BALANCE)
                self.is_done = True
            case Conflict(current):
                self._loaded(current)
            case _:
                pass


class NumberMove:
    """A number moves to another account: taken from one subscriber, given to another, then entered in the directory.

    Attributes:
        is_done: found so after everything that could have undone it.
    """

    def __init__(
        self,
        connection: StoreConnection,
        new_token: Callable[[], bytes],
        identity: str,
        before: tuple[str, str],
        after: tuple[str, str],
    ) -> None:
        self._connection = connection
        self._new_token = new_token
        self.identity = identity
        self.before = before
        self.after = after
        self.is_done = False

    def try_now(self) -> None:
        """Take the next step that is not yet taken."""
        if self._connection.is_down:
            return
        self._change(self.before, lambda names: tuple(n for n in names if n != self.identity), self._give)

    def _give(self) -> None:
        self._change(
            self.after,
            lambda names: names if self.identity in names else (*names, self.identity),
            self._enter,
        )

    def _enter(self) -> None:
        location = keys.encode_location(*self.after)
        key = keys.identity_key(self.identity)

        def looked(value: bytes | Unavailable | None) -> None:
            if value == location:
                self.is_done = True
            elif not isinstance(value, Unavailable):
                self._connection.write_hint(key, location, 0)
                if not self._connection.is_down:
                    self._connection.read_hint(key, looked)

        self._connection.read_hint(key, looked)

    def _change(
        self,
        owner: tuple[str, str],
        change: Callable[[tuple[str, ...]], tuple[str, ...]],
        then: Callable[[], None],
    ) -> None:
        account_id, subscriber_id = owner
        partition = keys.partition_of(account_id, PARTITIONS)
        names = (keys.subscriber_key(partition, subscriber_id),)

        def committed(result: CommitResult) -> None:
            if isinstance(result, Committed):
                then()

        def loaded(values: tuple[Stored, ...] | Unavailable) -> None:
            if isinstance(values, Unavailable):
                return
            was: Subscriber = decode_subscriber(values[0].content)
            identities = change(was.identities)
            writes: tuple[Write, ...] = ()
            if identities != was.identities:
                now = msgspec.structs.replace(was, identities=identities)
                writes = (Write(0, encode_value(now)),)
            commit = Commit(partition, names, (values[0].token,), self._new_token(), writes)
            self._connection.commit(commit, committed)

        self._connection.load(names, loaded)


class Operators:
    """Everybody who changes accounts, over one connection.

    Attributes:
        owners: identity -> account and subscriber, as meant.

    Args:
        is_split: whether a worker talks to a site that is the primary no more.
        is_in_use: whether a number is just opening something: a copy that comes after the number has moved opens
            it once more, at the other account, as nothing leads it to the first.
    """

    def __init__(
        self,
        scene: Scene,
        owners: dict[str, tuple[str, str]],
        *,
        is_split: Callable[[], bool],
        is_in_use: Callable[[str], bool],
    ) -> None:
        self.random = scene.random
        self.clock = scene.clock
        self._is_split = is_split
        self._is_in_use = is_in_use
        self.auditor = scene.auditor
        self._sites = scene.sites
        self.owners = owners
        self._note = scene.note
        self._changed = scene.account_changed
        self.connection = StoreConnection(scene.random, scene.sites, is_watched=False)
        self._tokens = TokenSource(b"operate")
        self._references = count(1)
        self._subscribers = sorted(set(owners.values()))
        self._accounts = sorted({account_id for account_id, _ in self._subscribers})
        self._top_ups: list[TopUp] = []
        self._moves: dict[str, NumberMove] = {}
        self._settled_ms: dict[str, int] = {}

    @property
    def is_done(self) -> bool:
        """Whether everything that was begun is confirmed."""
        return all(one.is_done for one in (*self._top_ups, *self._moves.values()))

    def top_up(self) -> None:
        account_id = self.random.choice(self._accounts)
        amount = self.random.randint(1, 400_000)
        self._note("tops up", account_id, amount)
        top_up = TopUp(
            self.connection,
            self.clock,
            self._tokens.next,
            account_id,
            amount,
            f"card-{next(self._references)}",
            self._changed,
        )
        self._top_ups.append(top_up)
        top_up.try_now()

    def move_number(self) -> None:
        """A number moves to a subscriber of another account."""
        identity = self.random.choice(list(self.owners))
        if self.is_under_way(identity) or self._is_in_use(identity):
            return
        before = self.owners[identity]
        others = [owner for owner in self._subscribers if owner[0] != before[0]]
        after = self.random.choice(others)
        self._note("moves", identity, "from", before, "to", after)
        self.owners[identity] = after
        self._settled_ms.pop(identity, None)
        self._moves[identity] = NumberMove(self.connection, self._tokens.next, identity, before, after)
        self._moves[identity].try_now()

    def unsettle_moves(self) -> None:
        """What a store has lost may have been a move, or its directory entry: whoever moves numbers looks again."""
        for move in self._moves.values():
            move.is_done = False
        self._settled_ms.clear()

    @property
    def moved(self) -> list[str]:
        """Numbers that have moved at least once."""
        return list(self._moves)

    def is_under_way(self, identity: str) -> bool:
        """Whether a number's move is not known to be done."""
        return identity in self._moves and not self._moves[identity].is_done

    def is_moving(self, request: ChargingRequest) -> bool:
        """Whether somebody may still see where one of a request's numbers was before."""
        for identity in request.subscription_ids:
            move = self._moves.get(identity)
            if move is not None and (
                not move.is_done
                or self.clock.now_ms() - self._settled_ms.get(identity, self.clock.now_ms()) < MOVE_SETTLES_MS
                or self._is_split()
            ):
                return True
        return False

    def is_lost_by_a_move(self, request: ChargingRequest) -> bool:
        """Whether nothing leads to a session whose number has moved, or may still be seen where it is not.

        It was refused at its beginning, so that only the number led to it; or the request names no number, and what
        leads to its session was written for an account where the number is no more, or not yet.
        """
        session = self.auditor.history.values.session(request.session_id)
        if session is None:
            return False
        if not session.located_until_ms:
            return any(
                identity in self._moves
                and (self.owners[identity][0] != session.account_id or self.is_moving(request))
                for identity in request.subscription_ids
            )
        here = keys.encode_location(session.account_id, session.subscriber_id)
        return not request.subscription_ids and any(
            site.data.hints.get(keys.locator_key(session.session_id), here) != here
            for site in self._sites.all
            if site.is_serving
        )

    def try_again(self) -> None:
        for one in self._top_ups:
            if not one.is_done and self.random.random() < 0.5:
                one.try_now()
        for identity, move in self._moves.items():
            if move.is_done:
                self._settled_ms.setdefault(identity, self.clock.now_ms())
            else:
                move.try_now()
