"""The demo's second part: a fibre is cut, its storm of traps becomes one alarm with symptoms, and it is spliced."""

from random import Random
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from simulators.system import lab_config
from simulators.traps.alarm_list import AlarmList
from simulators.traps.network import read_network
from simulators.traps.packets import Speech
from simulators.traps.play import play
from simulators.traps.scenarios import fibre_cut
from simulators.traps.sender import Sender
from simulators.traps.stories import Act

_SEED: Final = 7
_TRAPS: Final = 200
_PLAY_S: Final = 3.0
_SYMPTOMS_SHOWN: Final = 3


def play_faults(console: Console, *, target: tuple[str, int], http: str, duration_s: float = _PLAY_S) -> bool:
    """Cut a fibre and splice it; True when the alarm list was exactly right after both.

    Args:
        target: where traps are taken. http: where the alarm list is read.
        duration_s: of the sending.
    """
    story = fibre_cut(read_network(lab_config().parent / "topology"), Random(_SEED), _TRAPS)
    alarms = AlarmList(http)

    def show(act: Act) -> None:
        standing = alarms.shown(cleared="false", sort="-severity")
        if standing:
            print_alarms(console, standing)
        else:
            console.print(f"After {len(act.sendings)} more traps no alarm stands.", highlight=False)

    def say(line: str) -> None:
        console.print(line.strip().capitalize(), highlight=False)

    with Sender(target) as sender:
        played = play(story, alarms, sender, Speech(), duration_s=duration_s, say=say, watch=show)
    faults = [fault for expectation in played.expectations for fault in expectation.failures]
    for fault in faults:
        console.print(fault, style="red", highlight=False)
    return not faults


def print_alarms(console: Console, standing: list[dict[str, Any]]) -> None:
    """Show each alarm that stands for itself, and some of its symptoms under it."""
    table = Table(title="Alarms", title_justify="left")
    for name in ("severity", "resource", "what", "concerns"):
        table.add_column(name)
    for root in standing:
        if root["root_cause"]:
            continue
        services = ", ".join(root["affected_services"])
        concerns = f"{services}: {root['affected_subscribers']:,} subscribers" if services else ""
        table.add_row(root["severity"], root["resource"], root["text"], concerns)
        symptoms = [alarm for alarm in standing if alarm["root_cause"] == root["alarm_id"]]
        for symptom in symptoms[:_SYMPTOMS_SHOWN]:
            table.add_row("", f"  {symptom['resource']}", symptom["text"], "")
        if len(symptoms) > _SYMPTOMS_SHOWN:
            table.add_row("", f"  and {len(symptoms) - _SYMPTOMS_SHOWN} more symptoms", "", "")
    console.print(table)
