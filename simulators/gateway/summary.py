"""What a run of the gateway simulator came to: expectations, hints, figures, and all of it in words."""

from typing import Final

import msgspec

from ocs.messages import RequestedAction
from simulators.gateway.model import LIMITED_SUCCESS, REALM_NOT_SERVED, SUCCESS, USER_UNKNOWN
from simulators.gateway.run import RunReport
from simulators.gateway.tally import SessionTally, Tally
from simulators.reports import Expectation

_FAILURES_SHOWN: Final = 10


class Summary(msgspec.Struct):
    """What ``--json`` holds: the report, and the gateway's books session by session.

    Attributes:
        latency_mean_ms, latency_max_ms: of answers with success to first sendings; None when there was none.
        hints: what the user may have forgotten, one sentence each.
    """

    simulator: str
    seed: int
    subscribers: int
    requests: int
    sendings: int
    elapsed_s: float
    latency_mean_ms: float | None
    latency_max_ms: float | None
    results: dict[int, int]
    hints: list[str]
    expectations: list[Expectation]
    sessions: list[SessionTally]


def expectations(report: RunReport, tally: Tally) -> list[Expectation]:
    """What was expected in a run, and whether it held."""
    granted = any(map(_is_granted, tally.sessions.values()))
    results = ", ".join(f"{code or 'no answer'}: {count}" for code, count in sorted(report.results.items()))
    nothing = () if granted else (f"nothing was granted or charged; results: {results or 'none'}",)
    return [
        Expectation("at least one request was answered", 1, (), int(report.checked == 0)),
        Expectation("at least one request was granted units or charged", 1, nothing, len(nothing)),
        Expectation(
            "every request is answered in time, correctly, and repeats get the first answer",
            report.requests + report.repeats_checked,
            report.failures,
            report.failed,
        ),
    ]


def _is_granted(session: SessionTally) -> bool:
    """Whether a session got units, or its event was debited: an answer to a question is neither."""
    debited = session.requested_action == RequestedAction.DIRECT_DEBITING.name
    return session.grants > 0 or (debited and session.results[0] in (SUCCESS, LIMITED_SUCCESS))


def hints(report: RunReport, tally: Tally, *, realm: str) -> list[str]:
    """What a user may have forgotten when requests are refused for reasons of set-up."""
    found: list[str] = []
    unknown = [session.msisdn for session in tally.sessions.values() if USER_UNKNOWN in session.results]
    if unknown:
        count = report.results[USER_UNKNOWN]
        found.append(
            f"{count} request{'s' if count > 1 else ''}: {USER_UNKNOWN}, no account has these numbers; create them "
            f"with `ocs account create --msisdn {min(unknown)} ...`"
        )
    if report.results[REALM_NOT_SERVED]:
        count = report.results[REALM_NOT_SERVED]
        found.append(
            f"{count} request{'s' if count > 1 else ''}: {REALM_NOT_SERVED}, the server does not serve realm "
            f"{realm}; check --realm"
        )
    return found


def describe(summary: Summary) -> str:
    """The summary for people."""
    sessions = summary.sessions
    results = ", ".join(f"{code or 'none'}: {count}" for code, count in summary.results.items())
    grants = sum(session.grants for session in sessions)
    final_units = sum(session.final_unit for session in sessions)
    lines = [
        f"gateway: {summary.subscribers} subscribers, seed {summary.seed}, {summary.elapsed_s:.1f} s",
        f"  requests: {summary.requests}, sent {summary.sendings} times",
        f"  answers with success: mean {_ms(summary.latency_mean_ms)}, longest {_ms(summary.latency_max_ms)}",
        f"  results: {results or 'none'}",
        f"  sessions and events: {len(sessions)}, grants: {grants}, final units: {final_units}",
    ]
    lines += [f"  {hint}" for hint in summary.hints]
    for expectation in summary.expectations:
        lines.append(f"  {'ok    ' if expectation.met else 'FAILED'} {expectation.name}")
        lines += [f"         {failure}" for failure in expectation.failures[:_FAILURES_SHOWN]]
        if expectation.failed > _FAILURES_SHOWN:
            lines.append(f"         and {expectation.failed - _FAILURES_SHOWN} more")
    return "\n".join(lines) + "\n"


def _ms(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds:.1f} ms"
