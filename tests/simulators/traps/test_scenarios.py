"""Every scenario, played into the fault room without sockets, leaves exactly the alarms that it announces."""

from pathlib import Path
from random import Random

import pytest

from simulators.traps.judging import differences
from simulators.traps.packets import V1, V2C, V3, Speech, User
from simulators.traps.scenarios import SCENARIOS, fibre_cut, mixed
from simulators.traps.stories import LINK_DOWN, PEER_DOWN, Story
from tests.support.trap_lab import BEGIN_TICKS, TrapLab, lab, metro

SPEECHES = [
    Speech(V1),
    Speech(V2C),
    Speech(V2C, is_inform=True),
    Speech(V3),
    Speech(V3, user=User("simulator", "authpass12", "privpass12")),
]


def played(story: Story, laboratory: TrapLab) -> TrapLab:
    """Play a story; after each act the list must be what the act expects."""
    for act in story.acts:
        laboratory.play(act.sendings, begin_ticks=story.begin_ticks or BEGIN_TICKS)
        laboratory.settle()
        assert differences(act.expected, laboratory.seen(), story.elements) == [], act.name
    return laboratory


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("speech", SPEECHES, ids=["v1", "v2c", "inform", "v3", "v3 authPriv"])
def test_scenario_on_the_lab_network_leaves_exactly_the_alarms_it_announces(
    name: str, speech: Speech
) -> None:
    network, topology = lab()
    played(SCENARIOS[name](network, Random(7), 60), TrapLab(topology, speech))


@pytest.mark.parametrize("seed", range(5))
def test_fibre_cut_of_5000_traps_is_one_root_with_its_symptoms_and_all_is_cleared_at_the_end(
    seed: int, tmp_path: Path
) -> None:
    network, topology = metro(tmp_path, 60)
    story = fibre_cut(network, Random(seed), 5_000)
    cut = story.acts[0]
    assert 4_900 < len(cut.sendings) < 5_100
    laboratory = played(story, TrapLab(topology))
    assert all(alarm.is_cleared for alarm in laboratory.book.alarms())


def test_fibre_cut_beside_a_babbling_neighbour_is_the_same_fibre_cut(tmp_path: Path) -> None:
    network, topology = metro(tmp_path, 60)
    played(mixed(network, Random(3), 5_000), TrapLab(topology))


@pytest.mark.parametrize("seed", range(3))
def test_cut_and_repair_in_one_random_order_end_with_everything_cleared(seed: int, tmp_path: Path) -> None:
    network, topology = metro(tmp_path, 60)
    random = Random(seed)
    cut, repair = fibre_cut(network, random, 2_500).acts
    told = [*cut.sendings, *repair.sendings]
    random.shuffle(told)
    laboratory = TrapLab(topology)
    laboratory.play(told)
    laboratory.settle()
    elements = frozenset(one.resource.partition("/")[0] for one in repair.expected)
    assert differences(repair.expected, laboratory.seen(), elements) == []


def test_root_is_the_cable_and_not_its_first_symptom() -> None:
    network, _ = lab()
    cut = fibre_cut(network, Random(1), 60).acts[0]
    roots = {one.root for one in cut.expected if one.alarm_type == PEER_DOWN}
    assert roots == {("agg-west/if/1", LINK_DOWN)}
