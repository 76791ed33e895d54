"""Bugs of what is asked of gateways when accounts have changed."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
import pytest

from ocs import reauthoriser
from ocs.balance.model import Session
from ocs.diameter_gy import demand_sender
from ocs.diameter_gy.demand_sender import DemandSender
from ocs.diameter_gy.session_demand import DemandKind, SessionDemand
from ocs.subscribers.office import AccountChange
from tests.simulation.bugs.plant import Plant


def one_session_is_asked(patch: pytest.MonkeyPatch) -> None:
    """Of an account's sessions the first alone is asked to come again."""
    demands_on = reauthoriser.demands_on

    def first(sessions: Iterable[Session], kind: DemandKind, *rest: Any) -> list[SessionDemand]:
        return demands_on(sessions, kind, *rest)[:1]

    patch.setattr(reauthoriser, "demands_on", first)


def barred_session_is_asked_to_come_again(patch: pytest.MonkeyPatch) -> None:
    """A session of who is barred is asked to come again, and not to end."""
    patch.setitem(reauthoriser._KINDS, AccountChange.BARRED, DemandKind.REAUTHORISE)


def family_ends_with_one_who_is_barred(patch: pytest.MonkeyPatch) -> None:
    """All sessions of an account end when one of its subscribers is barred."""
    patch.setattr(reauthoriser, "_is_barred", lambda subscriber: True)


def unknown_session_stays(patch: pytest.MonkeyPatch) -> None:
    """A session of which its gateway knows nothing holds what it holds until supervision comes."""
    patch.setattr(demand_sender, "_UNKNOWN_SESSION", 0)


def demand_sent_to_the_nearest(patch: pytest.MonkeyPatch) -> None:
    """A gateway's session is asked for by whatever way there is."""
    submit = DemandSender.submit

    def anywhere(sender: DemandSender, demands: Iterable[SessionDemand]) -> int:
        hosts = [link.peer_name for link in sender.routes._connections()]
        return submit(
            sender,
            [msgspec.structs.replace(each, origin_host=(hosts or [each.origin_host])[0]) for each in demands],
        )

    patch.setattr(DemandSender, "submit", anywhere)


THEME: Final = "accounts"
BUGS: Final[tuple[Plant, ...]] = (
    one_session_is_asked,
    barred_session_is_asked_to_come_again,
    family_ends_with_one_who_is_barred,
    unknown_session_stays,
    demand_sent_to_the_nearest,
)
