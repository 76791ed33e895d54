"""How a gateway runs credit-control sessions: data flows, calls, messages (RFC 8506 section 5, TS 32.299).

Pure: each session is a generator that yields what it does next and receives what became of it. Time is
simulated; chance comes from the generator handed in.
"""

from collections.abc import Generator
from random import Random
from typing import Final

import msgspec

from ocs.messages import CCRequestType, FinalUnitAction, RequestedAction, Service
from simulators.gateway.model import (
    CREDIT_CONTROL_NOT_APPLICABLE,
    UNKNOWN_SESSION,
    Ask,
    Behaviour,
    CreditAnswer,
    CreditRequest,
    Demand,
    Pause,
    ReportingReason,
    ServiceReport,
    ServiceResult,
    Step,
    Subscriber,
    Units,
)

# A redirected subscriber pays (or not) and comes back after this long.
_REDIRECTED_S: Final = 120.0
# A grant with neither size in sight nor Validity-Time is reported at least this often.
_REPORT_AT_LATEST_S: Final = 300.0
# Simulated time moves at least this far, whatever rounding leaves of a pause.
_TICK_S: Final = 0.001
_OVERRUN_SHARE: Final = 0.1
_IDLE_SHARE: Final = 0.1


class Leaving:
    """Tells a session that its subscriber is about to leave: it ends as soon as it can; or what the server demands.

    Attributes:
        demands: by Session-Id, what the server wants and the session has not seen yet.
    """

    def __init__(self) -> None:
        self.now = False
        self.demands: dict[str, Demand] = {}


class Session(msgspec.Struct):
    """What all requests of one session share."""

    subscriber: Subscriber
    session_id: str
    service: Service
    rng: Random
    leaving: Leaving
    called_party: str = ""
    multiple_services: bool = True
    destination_host: str = ""
    next_number: int = 0

    def demanded(self) -> Demand | None:
        """What the server has demanded since the last time that this was asked."""
        return self.leaving.demands.pop(self.session_id, None)

    def ask(
        self,
        request_type: CCRequestType,
        reports: tuple[ServiceReport, ...],
        requested_action: RequestedAction | None = None,
    ) -> Generator[Step, float | CreditAnswer | None, CreditAnswer | None]:
        """Send the session's next request; the value is its answer, None when there was none.

        Later requests go to the host that answered the first one (RFC 8506 section 5.1).
        """
        request = CreditRequest(
            subscriber=self.subscriber,
            session_id=self.session_id,
            request_type=request_type,
            request_number=self.next_number,
            service=self.service,
            reports=reports,
            multiple_services=self.multiple_services,
            requested_action=requested_action,
            called_party=self.called_party,
            destination_host=self.destination_host,
        )
        self.next_number += 1
        answer = yield Ask(request)
        if not isinstance(answer, CreditAnswer):
            return None
        if request_type is CCRequestType.INITIAL and answer.succeeded:
            self.destination_host = answer.origin_host
        return answer


class Flow:
    """One rating group of a session: its grant, its use since the last report, what is left to want.

    Attributes:
        used: units since the last report, above ``granted`` after an overrun.
        wanted: units the subscriber still wants to use.
        open: may still be used; ``free`` is used without reports (4011).
        reason: why a report is due; None while none is.
    """

    def __init__(self, rating_group: int, service: Service, *, per_s: float, wanted: int) -> None:
        self.rating_group = rating_group
        self.service = service
        self.per_s = per_s
        self.wanted = wanted
        self.used = 0
        self.granted = 0
        self.report_at = 0
        self.until_s = _REPORT_AT_LATEST_S
        self.open = True
        self.free = False
        self.final: FinalUnitAction | None = None
        self.reason: ReportingReason | None = None

    def seconds_to_report(self) -> float:
        """Simulated seconds until a report is due or nothing more is wanted."""
        if not self.wants:
            return max(_TICK_S, self.until_s)
        units = min(self.report_at - self.used, self.wanted)
        return max(_TICK_S, min(self.until_s, units / self.per_s))

    @property
    def wants(self) -> bool:
        """Whether there is use to come: an idle flow reports, and keeps no session open."""
        return self.wanted > 0 and self.per_s > 0

    def use(self, seconds: float) -> None:
        """Let simulated time go by."""
        amount = min(round(self.per_s * seconds), self.wanted, max(0, self.granted - self.used))
        self.used += amount
        self.wanted -= amount
        self.until_s -= seconds
        if self.used >= self.granted:
            self.reason = ReportingReason.QUOTA_EXHAUSTED
        elif self.used >= self.report_at:
            self.reason = ReportingReason.THRESHOLD
        elif self.until_s <= 0:
            self.reason = ReportingReason.VALIDITY_TIME

    def overrun(self, amount: int) -> None:
        """Use more than was granted, as packets under way do (RFC 8506 section 8.19)."""
        self.used += amount

    def take(self, result: ServiceResult | None) -> None:
        """Start a new grant, or close for want of one."""
        self.used = 0
        self.reason = self.final = None
        if result is not None and result.result_code == CREDIT_CONTROL_NOT_APPLICABLE:
            self.free, self.open = True, False
            return
        self.granted = result.granted.amount(self.service) if result and result.granted else 0
        if result is None or not result.succeeded or not self.granted:
            self.open = False
            self.granted = 0
            return
        threshold = (
            result.volume_threshold_octets if self.service is Service.DATA else result.time_threshold_s
        )
        # A threshold as large as the quota would have it reported at once, and again, for ever.
        early = threshold if threshold is not None and threshold < self.granted else 0
        self.report_at = self.granted - early
        self.until_s = float(result.validity_time_s or _REPORT_AT_LATEST_S)
        self.final = result.final_unit_action
        if self.final is not None:
            # There is nothing to ask for before the end (RFC 8506 section 5.6).
            self.report_at = self.granted

    def report(self, *, ask_more: bool, reason: ReportingReason | None) -> ServiceReport:
        """What the next request says about this flow."""
        return ServiceReport(
            rating_group=self.rating_group,
            requested=_requested(self.service) if ask_more else None,
            used=_used(self.service, self.used),
            reporting_reason=reason,
        )


def _requested(service: Service) -> Units:
    """Volume is left to the server to size; a call asks for a minute."""
    return Units(time_s=60) if service is Service.VOICE else Units()


def _used(service: Service, amount: int) -> Units:
    if service is Service.VOICE:
        return Units(time_s=amount)
    received = amount * 4 // 5
    return Units(total_octets=amount, input_octets=amount - received, output_octets=received)


def data_session(
    session: Session, rating_groups: tuple[int, ...], *, octets: int, octets_per_s: float
) -> Behaviour:
    """Browse: one or several rating groups share a session, each with its own quota.

    Args:
        octets: how much the subscriber wants, over all groups; octets_per_s: how fast, per group.
    """
    rng = session.rng
    flows: list[Flow] = []
    for position, group in enumerate(rating_groups):
        idle = position > 0 and rng.random() < _IDLE_SHARE
        flows.append(
            Flow(
                group,
                Service.DATA,
                per_s=0.0 if idle else octets_per_s * rng.uniform(0.5, 1.5),
                wanted=max(1, round(octets / len(rating_groups) * rng.uniform(0.5, 1.5))),
            )
        )
    yield from _metered(session, flows)


def voice_session(session: Session, rating_group: int, *, talk_s: int) -> Behaviour:
    """Call ``session.called_party`` and talk."""
    yield from _metered(session, [Flow(rating_group, Service.VOICE, per_s=1.0, wanted=talk_s)])


def _metered(session: Session, flows: list[Flow]) -> Behaviour:
    """Open, use and report until nothing is wanted or granted any more, close with the rest of the use."""
    requested = tuple(
        ServiceReport(rating_group=flow.rating_group, requested=_requested(session.service)) for flow in flows
    )
    answer = yield from session.ask(CCRequestType.INITIAL, requested)
    if answer is None:
        return
    refused = not answer.succeeded
    if refused and session.rng.random() < 0.5:
        return  # some gateways close what was refused, some do not
    for flow in flows:
        flow.take(None if refused else answer.service(flow.rating_group))
    while not refused and not session.leaving.now and any(flow.open and flow.wants for flow in flows):
        active = [flow for flow in flows if flow.open]
        passed = yield Pause(min(flow.seconds_to_report() for flow in active))
        demand = session.demanded()
        for flow in active:
            flow.use(passed if isinstance(passed, float) else 0.0)
            if demand is Demand.REAUTHORISE and flow.reason is None:
                flow.reason = ReportingReason.FORCED_REAUTHORISATION
        if demand is Demand.ABORT:
            break
        due = [flow for flow in active if flow.reason is not None]
        if not due or session.leaving.now:
            continue
        outcome = yield from _report(session, due)
        if outcome is None:
            return
        refused = not outcome
    closing = tuple(
        flow.report(ask_more=False, reason=ReportingReason.FINAL)
        for flow in flows
        if flow.open or flow.used or not flow.free
    )
    yield from session.ask(CCRequestType.TERMINATION, closing)


def _report(session: Session, due: list[Flow]) -> Generator[Step, float | CreditAnswer | None, bool | None]:
    """Report the use of flows and ask for more where there may be more.

    Returns:
        Whether the session goes on; None when it is lost.
    """
    for flow in due:
        exhausted = flow.reason is ReportingReason.QUOTA_EXHAUSTED
        if exhausted and flow.wanted and session.rng.random() < _OVERRUN_SHARE:
            flow.overrun(1 + flow.granted // 100)
    ended = [flow for flow in due if flow.final is not None and flow.used >= flow.granted]
    if any(flow.final is FinalUnitAction.TERMINATE for flow in ended):
        return False  # the rest of the use goes with the termination
    reports = tuple(
        flow.report(
            ask_more=flow not in ended, reason=ReportingReason.FINAL if flow in ended else flow.reason
        )
        for flow in due
    )
    answer = yield from session.ask(CCRequestType.UPDATE, reports)
    if answer is None or answer.result_code == UNKNOWN_SESSION:
        return None
    for flow in due:
        flow.take(answer.service(flow.rating_group) if answer.succeeded else None)
    if answer.succeeded and ended and not session.leaving.now:
        return (yield from _come_back(session, ended))
    return answer.succeeded


def _come_back(
    session: Session, ended: list[Flow]
) -> Generator[Step, float | CreditAnswer | None, bool | None]:
    """Redirected or restricted: wait for the subscriber to pay, ask now and then (RFC 8506 section 5.6.2)."""
    while not any(flow.open for flow in ended):
        yield Pause(_REDIRECTED_S)
        if session.leaving.now:
            break
        demand = session.demanded()
        if demand is Demand.ABORT:
            return False
        reason = ReportingReason.FORCED_REAUTHORISATION if demand is Demand.REAUTHORISE else None
        reports = tuple(
            ServiceReport(
                rating_group=flow.rating_group, requested=_requested(session.service), reporting_reason=reason
            )
            for flow in ended
        )
        answer = yield from session.ask(CCRequestType.UPDATE, reports)
        if answer is None or answer.result_code == UNKNOWN_SESSION:
            return None
        if not answer.succeeded:
            return False
        for flow in ended:
            flow.open = True
            flow.take(answer.service(flow.rating_group))
    return True


def one_time_event(
    session: Session, action: RequestedAction, units: Units, rating_group: int | None
) -> Generator[Step, float | CreditAnswer | None, CreditAnswer | None]:
    """One EVENT request (RFC 8506 section 6): a message sent or refunded, a balance or a price asked for.

    Its value is the answer, None when there was none. A refund goes into the session of the debit that it undoes.
    """
    report = ServiceReport(rating_group=rating_group, requested=units)
    return (yield from session.ask(CCRequestType.EVENT, (report,), action))
