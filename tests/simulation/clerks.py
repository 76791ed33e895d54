"""Clerks: processes that do operations on accounts by blocking calls, each of which is a step of the world.

A clerk runs the product's own code in threads of which one at a time goes on, and only from one call to the store to
the next: whatever happens in the world, happens between two calls of a clerk. It dies in the middle like any process.
Whoever asks for an operation asks again with the same reference until he hears, or gives up, and then a sweep must
bring to its end what was begun.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import redis

from ocs.balance.client import BalanceClient, StoreBusyError
from ocs.balance.memory_store import MemoryStore
from ocs.balance.store import Commit, CommitResult, NotYourTurn, Stored, TokenSource, Unavailable
from ocs.subscribers.operations import OperationError
from ocs.subscribers.service import SubscriberService
from tests.simulation.operators import PARTITIONS
from tests.simulation.replicated_store import StoreConnection
from tests.simulation.scene import Scene
from tests.simulation.story_catalogue import story_catalogue
from tests.simulation.terms import RULES
from tests.support.books import check


class Died(BaseException):
    """The clerk's process is gone; nothing in it may notice."""


class Errand:
    """What somebody asks of clerks until he hears how it ended.

    Attributes:
        is_told: he has heard. is_given_up: he asks no more. may_give_up: whether that is allowed.
    """

    def __init__(
        self,
        name: str,
        ask: Callable[[SubscriberService], object],
        told: Callable[[bool], None] = lambda is_done: None,
    ) -> None:
        self.name = name
        self.ask = ask
        self.is_told = False
        self.is_given_up = False
        self.is_asked = False
        self.may_give_up = True
        self._told = told

    def end(self, *, is_done: bool) -> None:
        """He hears that it was done, or refused."""
        self.is_told = True
        self._told(is_done)


class _Turns:
    """A thread that goes on only when it is told to."""

    def __init__(self, work: Callable[["_Turns"], None]) -> None:
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._answer: Any = None
        self._error: BaseException | None = None
        self.is_over = False
        threading.Thread(target=self._run, args=(work,), daemon=True).start()

    def _run(self, work: Callable[["_Turns"], None]) -> None:
        self._go.acquire()
        try:
            if self._answer is not Died:
                work(self)
        except Died:
            pass
        except BaseException as error:  # it fails the story, in the world's own thread
            self._error = error
        self.is_over = True
        self._back.release()

    def go_on(self, answer: Any = None) -> None:
        """From the world: let it do one more step."""
        self._answer = answer
        self._go.release()
        self._back.acquire()
        if self._error is not None:
            raise self._error

    def call(self, ask: Callable[[Callable[[Any], None]], None]) -> Any:
        """From the thread: ask the store, and let the world go on until there is an answer."""
        told: list[Any] = []
        is_waiting = False

        def answered(answer: Any) -> None:
            if is_waiting:
                self.go_on(answer)
            else:
                told.append(answer)

        ask(answered)
        if told:
            return told[0]
        is_waiting = True
        self._back.release()
        self._go.acquire()
        if self._answer is Died:
            raise Died
        return self._answer


class _Desk(BalanceClient):
    """The product's client over a simulated connection, for one thread."""

    def __init__(
        self,
        connection: StoreConnection,
        turns: _Turns,
        tokens: TokenSource,
        members: Sequence[tuple[str, str]],
        *,
        has_barrier: bool,
    ) -> None:
        self.partitions = PARTITIONS
        self._simulated = connection
        self._turns = turns
        self._tokens = tokens
        self._members = members
        self.has_barrier = has_barrier
        self._sender: Any = self
        self._store: Any = self

    def load(self, names: tuple[str, ...]) -> tuple[Stored, ...]:
        return self._answer(lambda done: self._simulated.load(names, done))

    def read(self, names: list[Any]) -> list[Stored]:
        return list(self.load(tuple(names)))

    def send(self, commits: Sequence[Commit]) -> list[CommitResult]:
        (commit,) = commits
        result = self._turns.call(lambda done: self._simulated.commit(commit, done))
        if isinstance(result, NotYourTurn):
            raise StoreBusyError("somebody else has the account for himself")
        return [result]

    def _answer(self, ask: Callable[[Callable[[Any], None]], None]) -> Any:
        answer = self._turns.call(ask)
        if isinstance(answer, Unavailable):
            raise redis.ConnectionError(answer.reason)
        return answer

    # --- Indexes ----------------------------------------------------------------------------------------

    def zrangebyscore(self, key: str, low: int, high: int, *, start: int, num: int) -> list[bytes]:
        """Of the agenda."""
        partition = int(key[1 : key.index("}")])

        def due(data: MemoryStore, tell: Callable[[Any], None]) -> None:
            lines = data.agenda.get(partition, {})
            found = sorted((score, member) for member, score in lines.items() if low <= score <= high)
            tell([member.encode() for _, member in found[start:][:num]])

        return self._answer(lambda done: self._simulated._read(due, done))

    def zadd(self, key: str, lines: dict[bytes, int], **_: object) -> None:
        """A sweep puts off what it could not do: what it could not do is our fault."""
        check(False, "a sweep failed at", key, lines)

    def zrangebylex(self, key: str, low: str, high: str, **_: object) -> list[bytes]:
        """Of the members; an account has few here, and their list never changes."""
        del key, high
        account_id, after = low[1:].split("\n", 1)
        return [
            f"{owner}\n{name}".encode()
            for owner, name in self._members
            if owner == account_id and name > after
        ]


class Clerk:
    """One process of an operator: it carries out what it is asked, several things at a time."""

    def __init__(self, scene: Scene, name: int, members: Sequence[tuple[str, str]]) -> None:
        random, sites = scene.random, scene.sites
        self._name = name
        self._clock = scene.clock
        self._sites = sites
        self._changed = scene.account_changed
        self._members = members
        self._lives = 0
        self.connection = StoreConnection(random, sites, is_watched=False)
        self._under_way: list[tuple[_Turns, Errand]] = []
        self._begin_life()

    def _begin_life(self) -> None:
        self._lives += 1
        self._tokens = TokenSource(b"clerk" + bytes((self._name, self._lives % 256)))

    def ask(self, errand: Errand) -> None:
        """Somebody comes with an errand; how it ends is told him, unless the clerk dies."""

        def work(turns: _Turns) -> None:
            durability = self._sites.durability
            desk = _Desk(
                self.connection, turns, self._tokens, self._members, has_barrier=durability == "replicated"
            )
            try:
                errand.ask(self._service(desk))
            except (StoreBusyError, redis.RedisError):
                errand.is_asked = False
                return
            except OperationError:
                errand.end(is_done=False)
                return
            errand.end(is_done=True)

        errand.is_asked = True
        turns = _Turns(work)
        self._under_way = [(one, of) for one, of in self._under_way if not one.is_over]
        self._under_way.append((turns, errand))
        turns.go_on()

    def _service(self, desk: "_Desk") -> SubscriberService:
        return SubscriberService(
            desk,
            story_catalogue(),
            self._clock,
            rules=RULES,
            on_change=self._changed,
        )

    def die(self) -> None:
        """The process is killed; what it has sent may still be carried out."""
        self.connection.die()
        self._begin_life()
        under_way, self._under_way = self._under_way, []
        for turns, errand in under_way:
            if not turns.is_over:
                errand.is_asked = False
                turns.go_on(Died)


class Errands:
    """Everybody who wants something of the clerks.

    Attributes:
        clerks: whom they ask.
    """

    def __init__(
        self,
        scene: Scene,
        members: Sequence[tuple[str, str]],
        invent: Callable[[], Iterator[Errand]],
        sweep: Callable[[int], Errand],
    ) -> None:
        self._random = scene.random
        self._sites = scene.sites
        self._note = scene.note
        self._invent = invent
        self._sweep = sweep
        self.clerks = [Clerk(scene, name, members) for name in (1, 2)]
        self._errands: list[Errand] = []

    @property
    def is_done(self) -> bool:
        """Whether everybody has heard, or given up, and no clerk is at work."""
        return all(each.is_told or (each.is_given_up and not each.is_asked) for each in self._errands)

    def begin(self) -> None:
        """Somebody wants something; of a voucher's code two may know."""
        for errand in self._invent():
            self._note("wants:", errand.name)
            self._errands.append(errand)
            self._random.choice(self.clerks).ask(errand)

    def take_on(self, errand: Errand) -> None:
        """Somebody wants something for as long as it takes."""
        errand.may_give_up = False
        self._note("wants:", errand.name)
        self._errands.append(errand)
        clerk = self._random.choice(self.clerks)
        clerk.ask(errand)
        if self._random.random() < 0.4:
            self._trip(clerk)

    def sweep(self, partition: int | None = None) -> None:
        """A clerk looks at what is due, in some partition."""
        errand = self._sweep(self._random.randrange(PARTITIONS) if partition is None else partition)
        errand.is_given_up = True  # the next sweep does it
        self._errands.append(errand)
        self._random.choice(self.clerks).ask(errand)

    def try_again(self) -> None:
        """Who has not heard asks once more, perhaps another clerk, or gives up."""
        self._errands = [each for each in self._errands if not each.is_told]
        for errand in self._errands:
            if errand.is_asked or errand.is_given_up:
                continue
            if errand.may_give_up and self._random.random() < 0.15:
                errand.is_given_up = True
            elif self._random.random() < 0.5:
                self._random.choice(self.clerks).ask(errand)

    def trip(self) -> None:
        """A clerk gets some steps further, and there loses his connection, or his life."""
        self._trip(self._random.choice(self.clerks))

    def _trip(self, clerk: Clerk) -> None:
        for _ in range(self._random.randint(0, 30)):
            if not clerk.connection.step():
                self._sites.keep_up()
        is_killed = self._random.random() < 0.4
        self._note("clerk", "killed" if is_killed else "cut off")
        if is_killed:
            clerk.die()
        else:
            clerk.connection.lose()

    def close(self) -> None:
        """End all threads."""
        for clerk in self.clerks:
            clerk.die()
