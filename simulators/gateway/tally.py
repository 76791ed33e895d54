"""The gateway's own books: what it reported as used in which session, so that charges can be audited."""

import msgspec

from ocs.messages import CCRequestType
from simulators.gateway.model import LIMITED_SUCCESS, SUCCESS, CreditAnswer, CreditRequest


class SessionTally(msgspec.Struct):
    """One credit-control session, or one event, as the gateway saw it.

    Attributes:
        used: units reported in requests that were answered with success, by rating group (0 is none).
        refused: units reported in requests that were answered with another result.
        unanswered: units reported in requests that never were answered.
        granted: units granted, by rating group.
        grants: number of grants; requests and repeats likewise.
        results: the Result-Code of each request, 0 where there was no answer.
        cost_micro: last Cost-Information, in micro-units.
    """

    msisdn: str
    session_id: str
    service: str
    requested_action: str = ""
    used: dict[int, int] = msgspec.field(default_factory=dict[int, int])
    refused: dict[int, int] = msgspec.field(default_factory=dict[int, int])
    unanswered: dict[int, int] = msgspec.field(default_factory=dict[int, int])
    granted: dict[int, int] = msgspec.field(default_factory=dict[int, int])
    grants: int = 0
    requests: int = 0
    results: list[int] = msgspec.field(default_factory=list[int])
    final_unit: bool = False
    closed: bool = False
    cost_micro: int | None = None


class Tally:
    """All sessions of a run."""

    def __init__(self) -> None:
        self.sessions: dict[str, SessionTally] = {}

    def record(self, request: CreditRequest, answer: CreditAnswer | None) -> None:
        """Take in one request, whatever was sent how often, and its answer (None: there was none)."""
        session = self.sessions.get(request.session_id)
        if session is None:
            action = request.requested_action.name if request.requested_action is not None else ""
            session = SessionTally(
                request.subscriber.msisdn, request.session_id, str(request.service), action
            )
            self.sessions[request.session_id] = session
        session.requests += 1
        session.results.append(answer.result_code if answer else 0)
        book = session.unanswered if answer is None else session.used if answer.succeeded else session.refused
        for report in request.reports:
            if report.used is not None:
                group = report.rating_group or 0
                book[group] = book.get(group, 0) + report.used.amount(request.service)
        if answer is None:
            return
        for result in answer.services:
            amount = result.granted.amount(request.service) if result.granted else 0
            if amount:
                group = result.rating_group or 0
                session.grants += 1
                session.granted[group] = session.granted.get(group, 0) + amount
            session.final_unit |= result.final_unit_action is not None
        if answer.cost_micro is not None:
            session.cost_micro = answer.cost_micro
        session.closed |= request.request_type in (CCRequestType.TERMINATION, CCRequestType.EVENT)

    def is_refused(self, session_id: str) -> bool:
        """Whether the first request of a session was answered, and not with success: the server may not know it."""
        session = self.sessions.get(session_id)
        return session is not None and session.results[0] not in (0, SUCCESS, LIMITED_SUCCESS)

    def used_by(self, msisdn: str, service: str, rating_group: int) -> int:
        """Units that a subscriber reported for a rating group and that were acknowledged."""
        return sum(
            session.used.get(rating_group, 0)
            for session in self.sessions.values()
            if session.msisdn == msisdn and session.service == service
        )
