"""The whole topology from files: ocs.faults.topology.port is what it serves, schema what a file may hold."""

from pathlib import Path

import pytest

from ocs.faults.topology.schema import TopologyError
from ocs.faults.topology.toml_topology import load_topology
from tests.support.signals import chain

SHIPPED = Path(__file__).resolve().parents[3] / "config" / "topology"


def test_an_element_is_found_by_any_of_its_addresses() -> None:
    topology = chain()
    assert topology.element_of("10.0.0.2") == "agg"
    assert topology.element_of("2001:db8::2") == "agg"
    assert topology.element_of("10.9.9.9") is None


def test_an_interface_has_one_name() -> None:
    topology = chain()
    assert topology.canonical("agg/if/1") == "agg/if/up"
    assert topology.canonical("agg/if/up") == "agg/if/up"
    assert topology.canonical("cell/if/9") == "cell/if/9"


def test_the_links_are_known_from_both_sides_also_of_interfaces_without_an_entry() -> None:
    topology = chain()
    assert topology.peers("core/if/0") == ("agg/if/up",)
    assert topology.peers("agg/if/up") == ("core/if/0",)
    assert topology.parents("core/if/0") == ("core", "fibre")
    assert topology.uplinks("agg") == ("agg/if/up",)


def test_a_service_suffers_from_everything_between_it_and_the_network() -> None:
    topology = chain()
    assert topology.services("agg/card/1") == ("leased line", "mobile")
    assert topology.services("cell/if/0") == ("mobile",)
    assert topology.services("hill") == ("leased line", "mobile")
    assert topology.services("stranger") == ()
    assert topology.subscribers(("mobile", "leased line", "unknown")) == 1_214


def test_the_shipped_network_is_what_its_drawing_says() -> None:
    topology = load_topology(SHIPPED)
    assert topology.element_of("2001:db8:255:1::1") == "agg-west"
    assert topology.services("core-1/card/2") == ("business-line-west", "mobile-west")
    assert topology.services("core-1") == ("business-line-west", "mobile-east", "mobile-west")


def test_files_are_read_together_and_the_policy_is_none_of_them(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('[[links]]\nname = "l"\nends = ["x/if/1", "y/if/1"]')
    (tmp_path / "b.toml").write_text('[[elements]]\nname = "x"\n[[elements]]\nname = "y"')
    (tmp_path / "policy.toml").write_text("[notices]")
    assert load_topology(tmp_path).peers("x/if/1") == ("y/if/1",)


def test_a_link_over_another_depends_on_it_and_on_its_ends(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(
        """
        elements = [{ name = "x" }, { name = "y" }, { name = "mux" }]
        links = [
            { name = "ip", ends = ["x/if/1", "y/if/1"], over = ["wave"] },
            { name = "wave", ends = ["mux/if/a", "mux/if/b"] },
        ]
        """
    )
    assert load_topology(tmp_path).parents("ip") == ("wave", "mux/if/a", "mux/if/b")


def test_a_folder_without_files_and_a_missing_one_are_a_network_that_nobody_described(tmp_path: Path) -> None:
    assert load_topology(tmp_path).element_of("10.0.0.1") is None
    assert load_topology(tmp_path / "nowhere").element_of("10.0.0.1") is None


def test_a_file_in_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TopologyError, match="expected a folder"):
        load_topology(tmp_path / "file")
