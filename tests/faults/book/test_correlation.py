"""Roots and symptoms on a small network: core ==fibre== agg ==radio== cell."""

from itertools import permutations

import msgspec
import pytest

from ocs.faults.alarm import AlarmSignal, Severity
from ocs.faults.alarm_change import ChangeKind
from ocs.faults.book.policy import BookPolicy
from ocs.faults.topology.schema import Element, Link, TopologyFile
from ocs.faults.topology.toml_topology import topology_of
from tests.support.signals import (
    COMMUNICATIONS,
    ENVIRONMENT,
    EQUIPMENT,
    PLAIN,
    Office,
    chain,
    cleared,
    id_of,
    raised,
)

SETTLING = msgspec.structs.replace(PLAIN, settling_ms=2_000)
CARD = raised("agg/card/1", "card-failed", 1_000, event_type=EQUIPMENT)
UP = raised("agg/if/up", "link-down", 1_010)
# The same interface by its number, as IF-MIB knows it.
UP_BY_NUMBER = raised("agg/if/1", "link-down", 1_010)
FAR_END = raised("core/if/0", "link-down", 1_020)
SESSION = raised("cell/bgp/10.0.0.1", "bgp-peer-down", 1_030)
OTHER_PORT = raised("agg/if/down", "link-down", 1_040)


def settled(*signals: AlarmSignal, policy: BookPolicy = SETTLING) -> Office:
    office = Office(chain(), policy)
    for signal in signals:
        office.take(signal, now_ms=signal.at_ms)
    office.tick(100_000)
    return office


def roots(office: Office) -> dict[str, str]:
    """Alarming resource -> that of its root; of those that stand."""
    names = {alarm.alarm_id: alarm.key.resource for alarm in office.alarms.values()}
    return {
        alarm.key.resource: names.get(alarm.root_cause, "")
        for alarm in office.alarms.values()
        if not alarm.is_cleared
    }


def test_a_failed_card_explains_its_ports_the_far_end_and_what_is_reached_through_them() -> None:
    office = settled(CARD, UP, FAR_END, SESSION, OTHER_PORT)
    assert roots(office) == {
        "agg/card/1": "",
        "agg/if/up": "agg/card/1",
        "core/if/0": "agg/card/1",
        "cell/bgp/10.0.0.1": "agg/card/1",
        "agg/if/down": "agg/card/1",
    }
    root = office.alarm("agg/card/1", "card-failed")
    assert (root.symptoms, root.suppression) == (4, "")
    assert office.told == {root.alarm_id}


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_symptoms_and_causes_end_alike_in_any_order(order: tuple[int, ...]) -> None:
    signals = [CARD, UP_BY_NUMBER, FAR_END, SESSION]
    office = Office(chain(), SETTLING)
    for position, index in enumerate(order):
        office.take(signals[index], now_ms=2_000 + position)
    office.tick(100_000)
    assert set(roots(office).values()) == {"", "agg/card/1"}
    assert office.told == {id_of("agg/card/1", "card-failed")}
    assert office.alarm("agg/card/1", "card-failed").symptoms == 3


def test_the_two_ends_of_a_link_are_one_cause_and_always_the_same_end_stands_for_both() -> None:
    for order in permutations([UP, FAR_END]):
        office = Office(chain(), SETTLING)
        for signal in order:
            office.take(signal, now_ms=2_000)
        office.tick(100_000)
        assert roots(office) == {"agg/if/up": "", "core/if/0": "agg/if/up"}


def test_a_cut_fibre_does_not_explain_another_port_of_the_router_beyond_it() -> None:
    office = settled(UP, FAR_END, OTHER_PORT)
    assert roots(office)["agg/if/down"] == ""


def test_a_cut_fibre_explains_sessions_of_everything_beyond_it() -> None:
    office = settled(FAR_END, SESSION, raised("agg", "unreachable", 1_050))
    assert roots(office) == {"core/if/0": "", "cell/bgp/10.0.0.1": "core/if/0", "agg": "core/if/0"}


def test_a_lost_link_breaks_no_card_and_a_warm_room_stands_for_itself() -> None:
    card = raised("cell/card/1", "card-failed", 1_010, event_type=EQUIPMENT)
    warm = raised("cell", "high-temperature", 1_020, event_type=ENVIRONMENT)
    assert set(roots(settled(UP, card, warm)).values()) == {""}


def test_what_no_rule_knew_is_never_hidden() -> None:
    unknown = raised("cell", "unknown-trap", 1_010, is_catch_all=True)
    assert roots(settled(UP, unknown))["cell"] == ""


def test_an_alarm_whose_type_is_no_cause_explains_nothing() -> None:
    hot = raised("agg", "high-temperature", 1_000, event_type=EQUIPMENT)
    assert roots(settled(hot, UP))["agg/if/up"] == ""


def test_a_site_without_power_explains_everything_in_it() -> None:
    power = raised("hill", "power-lost", 1_000, event_type=ENVIRONMENT)
    assert set(roots(settled(power, CARD, UP, SESSION)).values()) == {"", "hill"}


def test_on_one_resource_the_deeper_type_explains_the_other() -> None:
    light = raised("agg/if/up", "loss-of-signal", 1_030)
    office = settled(UP, light)
    assert office.alarm("agg/if/up").root_cause == id_of("agg/if/up", "loss-of-signal")
    assert office.alarm("agg/if/up", "loss-of-signal").root_cause == ""


def test_while_a_cause_may_still_come_nobody_is_told() -> None:
    office = Office(chain(), SETTLING)
    office.take(UP, now_ms=1_010)
    assert office.alarm("agg/if/up").suppression == "settling"
    assert not office.told
    office.tick(3_009)
    assert not office.told
    office.tick(3_010)
    assert office.notices == [(ChangeKind.REGROUPED, id_of("agg/if/up"))]
    assert office.alarm("agg/if/up").suppression == ""


def test_what_has_no_cause_in_the_topology_is_told_at_once() -> None:
    office = Office(chain(), SETTLING)
    office.take(raised("stranger/if/3", at_ms=1_000))
    assert office.notices == [(ChangeKind.RAISED, id_of("stranger/if/3"))]


def test_a_blip_within_the_settling_time_is_kept_and_never_told() -> None:
    office = Office(chain(), SETTLING)
    office.take(UP, cleared("agg/if/up", at_ms=1_500), now_ms=1_500)
    office.tick(100_000)
    assert office.notices == []
    assert office.alarm("agg/if/up").is_cleared


def test_when_a_cause_is_over_its_symptoms_are_given_time_and_then_stand_for_themselves() -> None:
    office = settled(CARD, UP, SESSION)
    office.notices.clear()
    office.take(cleared("agg/card/1", "card-failed", 200_000, event_type=EQUIPMENT), now_ms=200_000)
    office.take(cleared("agg/if/up", at_ms=200_500), now_ms=200_500)
    office.tick(201_999)
    assert office.notices == [(ChangeKind.CLEARED, id_of("agg/card/1", "card-failed"))]
    office.tick(202_000)
    assert office.notices[1:] == [(ChangeKind.REGROUPED, id_of("cell/bgp/10.0.0.1", "bgp-peer-down"))]
    assert roots(office) == {"cell/bgp/10.0.0.1": ""}
    assert office.alarm("agg/card/1", "card-failed").symptoms == 0


def test_a_symptom_that_is_over_still_tells_what_it_was_a_symptom_of() -> None:
    office = settled(CARD, UP)
    office.take(cleared("agg/if/up", at_ms=200_000))
    assert office.alarm("agg/if/up").root_cause == id_of("agg/card/1", "card-failed")
    assert office.alarm("agg/card/1", "card-failed").symptoms == 0


def test_when_a_root_is_over_the_next_cause_below_it_takes_its_symptoms() -> None:
    office = settled(CARD, UP, FAR_END, SESSION)
    office.take(cleared("agg/card/1", "card-failed", 200_000, event_type=EQUIPMENT))
    office.tick(300_000)
    assert roots(office) == {"agg/if/up": "", "core/if/0": "agg/if/up", "cell/bgp/10.0.0.1": "agg/if/up"}
    assert office.alarm("agg/if/up").symptoms == 2


def test_a_cause_that_comes_long_after_its_symptoms_groups_them_and_their_end_is_told_to_who_knew() -> None:
    office = settled(SESSION)
    assert office.told == {id_of("cell/bgp/10.0.0.1", "bgp-peer-down")}
    office.take(CARD, now_ms=200_000)
    office.tick(300_000)
    assert roots(office)["cell/bgp/10.0.0.1"] == "agg/card/1"
    office.take(cleared("cell/bgp/10.0.0.1", "bgp-peer-down", 301_000))
    assert office.notices[-1] == (ChangeKind.CLEARED, id_of("cell/bgp/10.0.0.1", "bgp-peer-down"))


def test_a_purged_cause_leaves_its_symptoms_to_themselves() -> None:
    office = settled(CARD, UP)
    office.keep(office.book.note_purged([id_of("agg/card/1", "card-failed")], 200_000))
    office.tick(200_000)
    assert roots(office)["agg/if/up"] == ""
    assert id_of("agg/if/up") in office.told


def test_the_root_names_the_services_that_suffer_and_their_subscribers() -> None:
    root = settled(CARD, UP).alarm("agg/card/1", "card-failed")
    assert root.affected_services == ("leased line", "mobile")
    assert root.affected_subscribers == 1_214
    minor = settled(raised("agg/card/1", "card-failed", severity=Severity.MINOR, event_type=EQUIPMENT))
    assert minor.alarm("agg/card/1", "card-failed").affected_services == ()


def test_groups_outlive_a_restart() -> None:
    office = settled(CARD, UP, SESSION)
    before = dict(office.alarms)
    office.restart()
    office.kinds.clear()
    office.tick(200_000)
    assert office.alarms == before
    assert office.kinds == [], "what stays as it was is not said again"
    office.take(cleared("agg/card/1", "card-failed", 300_000, event_type=EQUIPMENT))
    office.tick(400_000)
    assert roots(office)["agg/if/up"] == ""


def test_a_restart_between_a_cause_and_its_symptoms_groups_them_all_the_same() -> None:
    office = Office(chain(), SETTLING)
    office.take(SESSION, now_ms=1_030)
    office.tick(50_000)
    office.take(CARD, now_ms=60_000)
    office.restart()
    office.tick(100_000)
    assert roots(office)["cell/bgp/10.0.0.1"] == "agg/card/1"


def test_a_topology_that_runs_in_circles_still_has_a_root() -> None:
    names = ["a", "b", "c", "d"]
    elements = tuple(
        Element(name=n, uplinks=("l", "r"), depends_on=(names[i - 1],)) for i, n in enumerate(names)
    )
    links = tuple(
        Link(name=f"{n}-ring", ends=(f"{n}/if/r", f"{names[(i + 1) % 4]}/if/l")) for i, n in enumerate(names)
    )
    topology = topology_of({"ring.toml": TopologyFile(elements=elements, links=links)})
    signals = [raised(f"{n}/if/{end}", at_ms=1_000) for n in names for end in "lr"]
    signals += [
        raised(n, "element-down", 1_000, event_type=kind)
        for n, kind in zip(names, [EQUIPMENT, COMMUNICATIONS] * 2, strict=True)
    ]
    for order in (signals, signals[::-1], signals[3:] + signals[:3]):
        office = Office(topology, SETTLING)
        for signal in order:
            office.take(signal, now_ms=1_000)
        office.tick(100_000)
        assert office.told, "somebody stands for the others"
        standing = [alarm for alarm in office.alarms.values() if not alarm.root_cause]
        assert {alarm.alarm_id for alarm in standing} == office.told


def test_the_root_is_what_nothing_explains_and_not_what_depends_on_the_least() -> None:
    topology = topology_of(
        {
            "deep.toml": TopologyFile(
                elements=(
                    Element(name="plant"),
                    Element(name="grid", depends_on=("plant",)),
                    Element(name="core", depends_on=("grid",)),
                    Element(name="agg", uplinks=("up",)),
                    Element(name="cell", uplinks=("0",)),
                ),
                links=(
                    Link(name="fibre", ends=("core/if/0", "agg/if/up")),
                    Link(name="radio", ends=("agg/if/down", "cell/if/0")),
                ),
            )
        }
    )
    office = Office(topology, SETTLING)
    office.take(
        SESSION,
        raised("cell/if/0", at_ms=1_000),
        raised("agg", "element-down", 1_000, event_type=COMMUNICATIONS),
    )
    office.tick(100_000)
    assert roots(office) == {"agg": "", "cell/if/0": "agg", "cell/bgp/10.0.0.1": "agg"}


def test_three_that_explain_each_other_in_a_circle_are_not_all_hidden() -> None:
    # Each is reached through a guest of the next: no two explain each other, and yet the three do.
    hosts, guests = ["x", "y", "z"], ["on-x", "on-y", "on-z"]
    topology = topology_of(
        {
            "tangle.toml": TopologyFile(
                elements=(
                    *(Element(name=host, uplinks=("up",)) for host in hosts),
                    *(
                        Element(name=guest, depends_on=(host,))
                        for guest, host in zip(guests, hosts, strict=True)
                    ),
                ),
                links=tuple(
                    Link(name=f"l-{host}", ends=(f"{host}/if/up", f"{guests[i - 1]}/if/0"))
                    for i, host in enumerate(hosts)
                ),
            )
        }
    )
    for order in permutations(hosts):
        office = Office(topology, SETTLING)
        for host in order:
            office.take(raised(host, "element-down", 1_000, event_type=COMMUNICATIONS))
        office.tick(100_000)
        assert office.told
        assert len(set(roots(office).values()) - {""}) >= 1
