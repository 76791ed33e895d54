"""The fibre cut: thousands of symptoms in any order, with copies and with clears that overtake raises."""

import random
from typing import Final

import pytest

from ocs.faults.alarm import AlarmSignal, Severity
from ocs.faults.alarm_change import ChangeKind
from ocs.faults.book.policy import BookPolicy
from ocs.faults.topology.port import Topology
from ocs.faults.topology.schema import Element, Link, Service, TopologyFile
from ocs.faults.topology.toml_topology import topology_of
from tests.support.signals import Office, cleared, id_of, raised

CELLS: Final = 1_250
# Each cell: unreachable, two sessions, and the interface that the hub lost it by.
SYMPTOMS: Final = 4 * CELLS
ROOT: Final = "core/if/west"
# Longer than the traps take to come: nobody is told of a symptom. Shorter: of some, before the cause came.
PATIENT: Final = BookPolicy(settling_ms=12_000, cleared_kept_ms=0)
USUAL: Final = BookPolicy(cleared_kept_ms=0)


@pytest.fixture(scope="module")
def network() -> Topology:
    """core ==fibre== hub == 1,250 cells; everything behind the hub is reached through the fibre."""
    cells = [f"cell-{i}" for i in range(CELLS)]
    return topology_of(
        {
            "west.toml": TopologyFile(
                elements=(
                    Element(name="core"),
                    Element(name="hub", uplinks=("east",)),
                    *(Element(name=cell, uplinks=("0",)) for cell in cells),
                ),
                links=(
                    Link(name="fibre", ends=(ROOT, "hub/if/east")),
                    *(
                        Link(name=f"to-{cell}", ends=(f"hub/if/{cell}", f"{cell}/if/0"), over=("fibre",))
                        for cell in cells
                    ),
                ),
                services=(Service(name="mobile", uses=tuple(cells[:3]), subscribers=9_000),),
            )
        }
    )


def keys() -> list[tuple[str, str]]:
    symptoms = [("hub/if/east", "link-down")]
    for i in range(CELLS):
        cell = f"cell-{i}"
        symptoms += [
            (cell, "unreachable"),
            (f"{cell}/bgp/a", "bgp-peer-down"),
            (f"{cell}/bgp/b", "bgp-peer-down"),
        ]
        symptoms.append((f"hub/if/{cell}", "link-down"))
    return [(ROOT, "link-down"), *symptoms]


def shuffled(signals: list[AlarmSignal], seed: int) -> list[AlarmSignal]:
    """In random order, one in twenty twice."""
    order = random.Random(seed)
    copies = [signal for signal in signals if order.random() < 0.05]
    mixed = [*signals, *copies]
    order.shuffle(mixed)
    return mixed


def deliver(office: Office, signals: list[AlarmSignal], from_ms: int, babble: bool = False) -> int:
    """Batches of 64 over ten seconds; now and then what is due is done."""
    now_ms = from_ms
    for first in range(0, len(signals), 64):
        now_ms += 10_000 * 64 // len(signals)
        batch = signals[first : first + 64]
        if babble:
            batch += [
                raised("babbler/if/1", "link-down", now_ms + i, text=f"line {i % 7}") for i in range(32)
            ]
        office.keep(office.book.take(batch, now_ms))
        office.tick(now_ms)
    return now_ms


@pytest.mark.parametrize(
    ("seed", "babble", "policy"), [(1, False, PATIENT), (2, True, PATIENT), (3, True, USUAL)]
)
def test_a_fibre_cut_is_one_root_cause_with_symptoms_and_ends(
    network: Topology, seed: int, babble: bool, policy: BookPolicy
) -> None:
    office = Office(network, policy)
    raises = [raised(resource, kind, 10_000 + i) for i, (resource, kind) in enumerate(keys())]
    now_ms = deliver(office, shuffled(raises, seed), 20_000, babble)
    office.tick(now_ms + 60_000)

    root = office.alarm(ROOT)
    symptoms = [a for a in office.alarms.values() if a.root_cause == root.alarm_id]
    assert (root.symptoms, len(symptoms)) == (SYMPTOMS + 1, SYMPTOMS + 1)
    assert root.affected_services == ("mobile",)
    if policy is PATIENT:
        assert {alarm_id for _, alarm_id in office.notices} <= {root.alarm_id, id_of("babbler/if/1")}

    clears = [cleared(resource, kind, 200_000 + i) for i, (resource, kind) in enumerate(keys())]
    now_ms = deliver(office, shuffled(clears, seed + 10), 210_000, babble)
    office.tick(now_ms + 60_000)
    standing = {a.alarm_id for a in office.alarms.values() if not a.is_cleared}
    assert standing <= {id_of("babbler/if/1")}
    assert office.told == standing
    assert office.alarm(ROOT).symptoms == 0
    assert set(office.alarms) - {id_of("babbler/if/1")} == {id_of(*key) for key in keys()}


@pytest.mark.parametrize("seed", [4, 5])
def test_raises_and_clears_all_mixed_end_with_everything_cleared_and_nobody_misled(
    network: Topology, seed: int
) -> None:
    office = Office(network, PATIENT)
    signals = [raised(resource, kind, 10_000 + i) for i, (resource, kind) in enumerate(keys())]
    signals += [cleared(resource, kind, 18_000 + i) for i, (resource, kind) in enumerate(keys())]
    now_ms = deliver(office, shuffled(signals, seed), 30_000)
    office.tick(now_ms + 60_000)
    assert {a.alarm_id for a in office.alarms.values()} == {id_of(*key) for key in keys()}
    assert all(a.is_cleared for a in office.alarms.values())
    assert office.told == set()
    kinds = [kind for kind, _ in office.notices]
    assert kinds.count(ChangeKind.CLEARED) <= len(kinds) / 2 + 1, "an end is told of what was told to stand"


def test_the_work_for_a_repeat_does_not_grow_with_the_list(network: Topology) -> None:
    office = Office(network, PATIENT)
    office.take(*[raised(resource, kind, 10_000, severity=Severity.MAJOR) for resource, kind in keys()])
    outcome = office.take(raised(ROOT, at_ms=10_001))
    assert (len(outcome.alarms), len(outcome.changes)) == (1, 1)
