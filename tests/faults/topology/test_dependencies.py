from ocs.faults.topology import dependencies as module
from ocs.faults.topology.dependencies import Dependencies
from ocs.faults.topology.port import NoTopology
from tests.support.signals import chain

AGG = {"agg", "hill"}
FIBRE_FROM_AGG = {"agg/if/up", "agg/card/1", *AGG, "fibre", "core/if/0", "core"}


def upstream(resource: str, *, is_reached: bool = False) -> set[str]:
    found = Dependencies(chain())
    return set(found.upstream(found.node(found.place(resource), is_reached=is_reached)))


def test_a_part_depends_on_what_holds_it_its_link_and_the_other_end() -> None:
    assert upstream("agg/card/1") == {"agg/card/1", *AGG}
    assert upstream("agg/if/up") == FIBRE_FROM_AGG


def test_an_interface_is_found_by_its_number() -> None:
    assert upstream("agg/if/1") == FIBRE_FROM_AGG


def test_an_element_as_such_does_not_depend_on_its_uplinks_but_to_be_reached_it_does() -> None:
    assert upstream("agg") == AGG
    assert upstream("agg", is_reached=True) == FIBRE_FROM_AGG


def test_what_is_reached_depends_on_everything_on_the_way() -> None:
    radio = {"cell/if/0", "cell", "radio", "agg/if/down"}
    assert upstream("cell", is_reached=True) == FIBRE_FROM_AGG | radio
    assert upstream("cell/bgp/10.0.0.1", is_reached=True) == FIBRE_FROM_AGG | radio | {
        "cell/bgp/10.0.0.1",
        "cell/bgp",
    }


def test_parts_are_where_they_are_however_their_alarm_speaks() -> None:
    assert upstream("agg/if/down", is_reached=True) == upstream("agg/if/down")
    assert "fibre" not in upstream("agg/if/down")


def test_what_nobody_described_depends_on_what_it_is_part_of_by_its_name() -> None:
    assert upstream("stranger/card/3/port/1") == {
        "stranger/card/3/port/1",
        "stranger/card/3/port",
        "stranger/card/3",
        "stranger/card",
        "stranger",
    }
    assert upstream("agg/card/1/port/7") == {"agg/card/1/port/7", "agg/card/1/port", "agg/card/1", *AGG}
    nothing = Dependencies(NoTopology())
    assert nothing.upstream("~lone") == {"lone"}


def test_the_walk_is_what_following_each_step_gives() -> None:
    known = Dependencies(chain())
    for start in ("~cell/bgp/10.0.0.1", "cell/if/0", "~agg", "radio", "hill"):
        seen, waiting = {start}, [start]
        while waiting:
            for node in known.above(waiting.pop()):
                if node not in seen:
                    seen.add(node)
                    waiting.append(node)
        assert known.upstream(start) == {node.lstrip("~") for node in seen}


def test_a_walk_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr(module, "UPSTREAM_RESOURCES_MAX", 3)
    assert len(Dependencies(chain()).upstream("~cell")) <= 8


def test_what_is_remembered_is_bounded(monkeypatch) -> None:
    monkeypatch.setattr(module, "UPSTREAM_REMEMBERED", 2)
    known = Dependencies(chain())
    before = [known.upstream(node) for node in ("agg", "core", "cell", "hill")]
    assert [known.upstream(node) for node in ("agg", "core", "cell", "hill")] == before
