"""The cast of the demo."""

from ocs.units import parse_micro
from simulators.demo_cast import CAST, plots
from simulators.gateway.model import Pause
from simulators.gateway.sessions import Leaving


def test_characters_share_neither_account_nor_number() -> None:
    for field in ("name", "account", "subscriber"):
        assert len({getattr(character, field) for character in CAST}) == len(CAST)
    assert all(len(one.subscriber.imsi) == 15 and len(one.subscriber.msisdn) == 12 for one in CAST)


def test_somebody_runs_out_and_pays() -> None:
    assert any(character.top_up and parse_micro(character.balance) < 1_000_000 for character in CAST)


def test_each_plot_begins_and_ends() -> None:
    for plot in plots(seed=1):
        leaving = Leaving()
        leaving.now = True
        behaviour = plot(lambda: "g;1", leaving)
        steps = list(behaviour)
        assert all(isinstance(step, Pause) or step.request.session_id == "g;1" for step in steps)
