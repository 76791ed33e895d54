"""Bugs of sessions' money: reservations, late use, supervision, tariff switches, pools."""

from contextlib import suppress
from typing import Any, Final

import pytest

from ocs.balance.model import Hold, LedgerInvariantError
from ocs.balance.purse import Purse
from ocs.charging import decide as decide_module
from ocs.charging import sessions as sessions_module
from ocs.charging import tariff_switch
from ocs.charging.decision import Decision
from ocs.charging.rates import RateFinder
from ocs.charging.sessions import SessionDecision
from ocs.charging.supervision_clock import SupervisionClock
from ocs.messages import ChargingAnswer, Outcome
from tests.simulation.bugs.plant import Plant


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


def after_the_switch_charged_as_before_it(patch: pytest.MonkeyPatch) -> None:
    """What was used after a tariff switch is charged at the rate of the grant."""
    patch.setattr(RateFinder, "after_switch", RateFinder.held)


def cheaper_side_of_a_switch_reserved(patch: pytest.MonkeyPatch) -> None:
    """A grant over a switch sets aside what it costs on the cheaper side."""
    patch.setattr(tariff_switch, "max", min, raising=False)


def pool_left_to_its_last_report(patch: pytest.MonkeyPatch) -> None:
    """What a pooled service did not use of its quota is given back, though others may still use it."""
    patch.setattr(sessions_module, "settle_in_pool", lambda draft, before, charged, others: others)


THEME: Final = "calls"
BUGS: Final[tuple[Plant, ...]] = (
    release_twice,
    nothing_reserved,
    late_use_discarded,
    hint_trusted,
    outage_taken_for_silence,
    after_the_switch_charged_as_before_it,
    cheaper_side_of_a_switch_reserved,
    pool_left_to_its_last_report,
)
