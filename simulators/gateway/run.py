"""Play subscribers against a server: keeps simulated time, sends, repeats what was lost, checks every answer."""

import heapq
import itertools
import time
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

import msgspec

from ocs.messages import CCRequestType
from simulators.gateway.behaviour import Plot
from simulators.gateway.codec import MalformedAnswerError, decode_answer
from simulators.gateway.expectations import check_answer, check_frame, check_repeat
from simulators.gateway.model import (
    TOO_BUSY,
    UNABLE_TO_DELIVER,
    Ask,
    Behaviour,
    CreditAnswer,
    CreditRequest,
)
from simulators.gateway.node import Arrived, Demanded, NotConnectedError, Sent, Transport
from simulators.gateway.sessions import Leaving
from simulators.gateway.tally import Tally

_RESEND_LOST_AFTER_S: Final = 0.05
_RESEND_REFUSED_AFTER_S: Final = 0.2
_SENDINGS_MAX: Final = 4
_FAILURES_KEPT: Final = 1_000
_IDLE_S: Final = 0.05


class RunSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how hard a run is.

    Attributes:
        duration_s: real seconds until subscribers begin to leave; None is until ``count``.
        count: requests after which they begin to leave; None is until ``duration_s``.
        time_scale: simulated seconds in a real one.
        rate_per_s: ceiling on requests per real second; None is none.
        answer_timeout_s: real seconds after which a request is sent again.
        lost_share: share of answers that the gateway pretends not to have got.
        leave_timeout_s: real seconds that closing sessions may take.
    """

    duration_s: float | None = 10.0
    count: int | None = None
    time_scale: float = 60.0
    rate_per_s: float | None = None
    answer_timeout_s: float = 5.0
    lost_share: float = 0.02
    leave_timeout_s: float = 20.0
    seed: int = 1


class Exchange(msgspec.Struct, frozen=True):
    """One settled request, for whoever watches."""

    request: CreditRequest
    answer: CreditAnswer | None
    elapsed_s: float
    sendings: int


class RunReport(msgspec.Struct):
    """What a run came to.

    Attributes:
        failures: broken expectations, one sentence each (the first thousand; ``failed`` counts all).
        results: Result-Code to number of requests; 0 is no answer.
        timed: answers with success to a first sending: those that the latencies are of.
        demands: what the server asked of its own accord: Re-Auth- and Abort-Session-Requests.
    """

    requests: int = 0
    sendings: int = 0
    repeats_checked: int = 0
    checked: int = 0
    failed: int = 0
    failures: list[str] = msgspec.field(default_factory=list[str])
    results: Counter[int] = msgspec.field(default_factory=Counter[int])
    elapsed_s: float = 0.0
    timed: int = 0
    latency_max_s: float = 0.0
    latency_sum_s: float = 0.0
    demands: int = 0

    @property
    def latency_mean_s(self) -> float | None:
        """Mean time to an answer with success; None when there was none."""
        return self.latency_sum_s / self.timed if self.timed else None


class _Pending(msgspec.Struct):
    """A request on its way."""

    life: "_Life"
    request: CreditRequest
    sent: Sent | None = None
    sendings: int = 0
    first_sent_s: float = 0.0
    lost: CreditAnswer | None = None
    settled: bool = False


class _Life(msgspec.Struct):
    """One subscriber in the run; ``paused_s`` is when (real time) the pause it is in began."""

    behaviour: Behaviour
    paused_s: float = 0.0
    wake: int = 0
    ended: bool = False


class GatewayRun:
    """One run of the simulator.

    Args:
        plots: one behaviour for each subscriber.
        session_prefix: beginning of all Session-Ids: our Origin-Host and what makes this run unique.
        observe: called with each settled request, from the thread that calls :meth:`run`.
        clock: real seconds, monotonic; a fake in tests.
    """

    def __init__(
        self,
        transport: Transport,
        plots: Sequence[Plot],
        settings: RunSettings,
        *,
        session_prefix: str,
        observe: Callable[[Exchange], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.report = RunReport()
        self.tally = Tally()
        self._transport = transport
        self._settings = settings
        self._observe = observe
        self._clock = clock
        self._rng = Random(settings.seed)
        self._leaving = Leaving()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._waiting: dict[int, _Pending] = {}
        self._open: dict[str, _Life] = {}
        self._next_send_s = 0.0
        session_numbers = itertools.count(1)

        def next_session_id() -> str:
            return f"{session_prefix};{next(session_numbers)}"

        self._lives = [_Life(plot(next_session_id, self._leaving)) for plot in plots]

    def leave(self) -> None:
        """Let all subscribers end their sessions now; pauses are cut short."""
        if self._leaving.now:
            return
        self._leaving.now = True
        for life in self._lives:
            if life.wake:
                self._wake(life, life.wake)

    def run(self) -> RunReport:
        """Play until all subscribers have left.

        Returns:
            The report; :attr:`tally` holds the gateway's books.
        """
        begin_s = self._clock()
        duration_s = self._settings.duration_s
        leave_s = begin_s + duration_s if duration_s is not None else float("inf")
        give_up_s = float("inf")
        self._next_send_s = begin_s
        for life in self._lives:
            self._advance(life, None)
        while not all(life.ended for life in self._lives):
            now_s = self._clock()
            count = self._settings.count
            if not self._leaving.now and (
                now_s >= leave_s or (count is not None and self.report.requests >= count)
            ):
                self.leave()
            if self._leaving.now and give_up_s == float("inf"):
                give_up_s = now_s + self._settings.leave_timeout_s
            if now_s >= give_up_s:
                unfinished = sum(not life.ended for life in self._lives)
                self._fail(
                    f"{unfinished} subscribers could not end within {self._settings.leave_timeout_s:g} s"
                )
                break
            self._step(min(leave_s if not self._leaving.now else give_up_s, now_s + _IDLE_S))
        self.report.elapsed_s = self._clock() - begin_s
        return self.report

    def _step(self, until_s: float) -> None:
        """Do what is due, then wait for an answer or the next event."""
        while self._events and self._events[0][0] <= self._clock():
            heapq.heappop(self._events)[2]()
        due_s = self._events[0][0] if self._events else until_s
        arrived = self._transport.receive(max(0.0, min(due_s, until_s) - self._clock()))
        if isinstance(arrived, Demanded):
            self._heed(arrived)
        elif arrived is not None:
            self._take(arrived)

    def _at(self, when_s: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._events, (when_s, next(self._order), do))

    # --- subscribers ---------------------------------------------------------------------------------------------

    def _advance(self, life: _Life, outcome: float | CreditAnswer | None) -> None:
        """Tell a behaviour what became of its step and start its next one."""
        try:
            step = life.behaviour.send(outcome)
        except StopIteration:
            life.ended = True
            return
        if isinstance(step, Ask):
            self._ask(_Pending(life, step.request))
            return
        life.paused_s = self._clock()
        life.wake = wake = next(self._order) + 1
        seconds = 0.0 if self._leaving.now else step.seconds / self._settings.time_scale
        self._at(life.paused_s + seconds, lambda: self._wake(life, wake))

    def _wake(self, life: _Life, wake: int) -> None:
        """End a pause, unless it was cut short already."""
        if life.wake != wake:
            return
        life.wake = 0
        self._advance(life, (self._clock() - life.paused_s) * self._settings.time_scale)

    def _heed(self, demanded: Demanded) -> None:
        """Pass what the server demands to the session's subscriber, whose pause it cuts short."""
        self.report.demands += 1
        life = self._open.get(demanded.session_id)
        if life is None:
            return
        self._leaving.demands[demanded.session_id] = demanded.demand
        if life.wake:
            self._wake(life, life.wake)

    # --- requests ------------------------------------------------------------------------------------------------

    def _ask(self, pending: _Pending) -> None:
        """Send a request when the rate allows."""
        self.report.requests += 1
        if pending.request.request_type is CCRequestType.INITIAL:
            self._open[pending.request.session_id] = pending.life
        now_s = self._clock()
        rate = self._settings.rate_per_s
        if rate is None:
            self._send(pending)
            return
        self._next_send_s = max(self._next_send_s, now_s) + 1 / rate
        if self._next_send_s - 1 / rate <= now_s:
            self._send(pending)
        else:
            self._at(self._next_send_s - 1 / rate, lambda: self._send(pending))

    def _send(self, pending: _Pending) -> None:
        """Send, for the first time or again, and look after it when its time is up."""
        if pending.settled:
            return
        now_s = self._clock()
        if pending.sendings == 0 and pending.first_sent_s == 0.0:
            pending.first_sent_s = now_s
        pending.sendings += 1
        try:
            pending.sent = sent = self._transport.send(pending.request, again=pending.sent)
        except NotConnectedError as error:
            if pending.sendings > _SENDINGS_MAX:
                self._settle(pending, None, f"not sent: {error}")
            else:
                self._at(now_s + self._settings.answer_timeout_s / 2, lambda: self._send(pending))
            return
        self.report.sendings += 1
        self._waiting[sent.hop_by_hop] = pending
        self._at(now_s + self._settings.answer_timeout_s, lambda: self._late(pending, sent))

    def _late(self, pending: _Pending, sent: Sent) -> None:
        """A request's time is up: send it again, or give up."""
        if self._waiting.pop(sent.hop_by_hop, None) is None:
            return
        if pending.sendings >= _SENDINGS_MAX:
            self._settle(pending, None, f"no answer to {pending.sendings} sendings")
        else:
            self._send(pending)

    def _take(self, arrived: Arrived) -> None:
        """Check an answer and pass it to its subscriber; or lose it, or send again, as things are."""
        pending = self._waiting.pop(arrived.hop_by_hop, None)
        if pending is None or pending.sent is None:
            return
        self.report.checked += 1
        for problem in check_frame(arrived.frame, end_to_end=pending.sent.end_to_end):
            self._fail(f"{pending.request.session_id} number {pending.request.request_number}: {problem}")
        try:
            answer = decode_answer(arrived.frame)
        except MalformedAnswerError as error:
            self._settle(pending, None, str(error))
            return
        refused = self.tally.is_refused(pending.request.session_id)
        for problem in check_answer(pending.request, answer, session_refused=refused):
            self._fail(f"{pending.request.session_id} number {pending.request.request_number}: {problem}")
        if answer.result_code in (TOO_BUSY, UNABLE_TO_DELIVER):
            if pending.sendings < _SENDINGS_MAX:
                self._at(self._clock() + _RESEND_REFUSED_AFTER_S, lambda: self._send(pending))
            else:
                self._settle(pending, answer, f"still {answer.result_code} to sending {pending.sendings}")
        elif pending.lost is not None:
            self.report.repeats_checked += 1
            for problem in check_repeat(pending.lost, answer):
                self._fail(problem)
            self._settle(pending, answer)
        elif pending.sendings == 1 and self._rng.random() < self._settings.lost_share:
            pending.lost = answer
            self._at(self._clock() + _RESEND_LOST_AFTER_S, lambda: self._send(pending))
        else:
            self._settle(pending, answer)

    def _settle(self, pending: _Pending, answer: CreditAnswer | None, problem: str = "") -> None:
        """A request is done with: book it, and let its subscriber go on."""
        pending.settled = True
        if problem:
            self._fail(f"{pending.request.session_id} number {pending.request.request_number}: {problem}")
        if pending.sent is not None:
            self._transport.forget(pending.sent)
        elapsed_s = self._clock() - pending.first_sent_s
        self.report.results[answer.result_code if answer else 0] += 1
        if pending.sendings == 1 and answer is not None and answer.succeeded:
            self.report.timed += 1
            self.report.latency_sum_s += elapsed_s
            self.report.latency_max_s = max(self.report.latency_max_s, elapsed_s)
        self.tally.record(pending.request, answer)
        if pending.request.request_type is CCRequestType.TERMINATION:
            self._open.pop(pending.request.session_id, None)
            self._leaving.demands.pop(pending.request.session_id, None)
        if self._observe is not None:
            self._observe(Exchange(pending.request, answer, elapsed_s, pending.sendings))
        self._advance(pending.life, answer)

    def _fail(self, problem: str) -> None:
        self.report.failed += 1
        if len(self.report.failures) < _FAILURES_KEPT:
            self.report.failures.append(problem)
