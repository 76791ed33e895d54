"""Bugs of access servers, whose counters run from a session's beginning, and which repeat what is not acknowledged."""

from typing import Any, Final

import pytest

from ocs.balance.model import Session
from ocs.charging import cumulative
from ocs.charging import decide as decide_module
from ocs.messages import ChargingAnswer, ChargingRequest
from ocs.radius.service import RadiusService
from tests.simulation.bugs.plant import Plant


def counters_taken_for_use(patch: pytest.MonkeyPatch) -> None:
    """Each report is charged as if it began at zero."""
    since_last_report = decide_module.since_last_report

    def from_zero(session: Session | None, request: ChargingRequest) -> Any:
        found = since_last_report(session, request)
        return found[0], request, found[2]

    patch.setattr(decide_module, "since_last_report", from_zero)


def counters_forgotten_when_supervision_closes(patch: pytest.MonkeyPatch) -> None:
    """A session that goes on after supervision has closed it counts from zero again."""
    since_last_report = decide_module.since_last_report

    def without_closed(session: Session | None, request: ChargingRequest) -> Any:
        is_opening = request.request_number == 0
        moved, changed, reported = since_last_report(None if is_opening else session, request)
        return session if is_opening else moved, changed, reported

    patch.setattr(decide_module, "since_last_report", without_closed)


def late_start_taken_for_another_session(patch: pytest.MonkeyPatch) -> None:
    """A Start that comes behind reports of its session begins another one, which counts from zero."""
    patch.setattr(cumulative, "_began_before", lambda session, request: False)


def overtaken_report_begins_anew(patch: pytest.MonkeyPatch) -> None:
    """A report that others have overtaken is taken for a counter that began anew."""
    patch.setattr(decide_module, "is_outrun", lambda session, request: False)
    patch.setattr(
        cumulative,
        "_advanced",
        lambda before, now, **_: (now or 0, (now or 0) - (before or 0) if (now or 0) >= (before or 0) else now or 0),
    )  # fmt: skip


def wrapped_counter_taken_for_a_new_one(patch: pytest.MonkeyPatch) -> None:
    """What a counter of 32 bits had counted before it wrapped is not carried on."""
    advanced = cumulative._advanced

    def begun_anew(before: int | None, now: int | None, *, is_later: bool) -> tuple[int, int]:
        if is_later and (now or 0) < (before or 0):
            return now or 0, now or 0
        return advanced(before, now, is_later=is_later)

    patch.setattr(cumulative, "_advanced", begun_anew)


def report_acknowledged_before_it_is_charged(patch: pytest.MonkeyPatch) -> None:
    """An access server has its reply as soon as its report is read."""
    submit = RadiusService._submit

    def submitted(service: RadiusService, exchange: Any, request: ChargingRequest, then: Any) -> None:
        if exchange.kind != "interim_update":
            submit(service, exchange, request, then)
            return
        service._acknowledge(exchange, "success")

        def nothing_more(answer: ChargingAnswer) -> None:
            del answer

        submit(service, exchange, request, nothing_more)

    patch.setattr(RadiusService, "_submit", submitted)


def acknowledged_while_the_store_is_away(patch: pytest.MonkeyPatch) -> None:
    """A report whose outcome is not known is acknowledged, and so never repeated."""
    patch.setattr(
        RadiusService, "_be_silent", lambda service, exchange: service._acknowledge(exchange, "success")
    )


THEME: Final = "access"
BUGS: Final[tuple[Plant, ...]] = (
    counters_taken_for_use,
    counters_forgotten_when_supervision_closes,
    late_start_taken_for_another_session,
    overtaken_report_begins_anew,
    wrapped_counter_taken_for_a_new_one,
    report_acknowledged_before_it_is_charged,
    acknowledged_while_the_store_is_away,
)
