from pathlib import Path

import pytest

from ocs.faults.topology.schema import TopologyError
from ocs.faults.topology.toml_topology import load_topology

TWO = '[[elements]]\nname = "x"\n[[elements]]\nname = "y"\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[[elements]]\nname = "a/b"', "elements[a/b].name: expected a name without a slash"),
        ('[[elements]]\nname = "~a"', "elements[~a].name: expected a name without a slash"),
        ('[[elements]]\nname = ""', "elements[].name: expected a name without a slash"),
        (
            TWO + '[[sites]]\nname = "x"',
            "elements[x].name: expected a name that no other entry has, sites[x] of /",
        ),
        (
            '[[elements]]\nname = "x"\naddresses = ["ten"]',
            "elements[x].addresses: expected IP addresses, not ten",
        ),
        (
            '[[elements]]\nname = "x"\naddresses = ["::1"]\n[[elements]]\nname = "y"\naddresses = ["0::1"]',
            "elements[y].addresses: 0::1 is an address of x too",
        ),
        ('[[elements]]\nname = "x"\nheartbeat_s = 0.5', "elements[x].heartbeat_s: expected 1 or more, or 0"),
        ('[[elements]]\nname = "x"\nheartbeat_s = nan', "elements[x].heartbeat_s: expected 1 or more, or 0"),
        (
            '[[elements]]\nname = "x"\nagent = { community_file = "c", user = "u" }',
            "elements[x].agent: expected one of community_file and user",
        ),
        (
            '[[elements]]\nname = "x"\nagent = {}',
            "elements[x].agent: expected one of community_file and user",
        ),
        (
            '[[elements]]\nname = "x"\nagent = { user = "u" }',
            "elements[x].agent.address: expected an IP address, or one of the element itself",
        ),
        (
            '[[elements]]\nname = "x"\nagent = { user = "u", address = "ten" }',
            "elements[x].agent.address: expected an IP address",
        ),
        (
            '[[elements]]\nname = "x"\naddresses = ["::1"]\nagent = { user = "u", port = 0 }',
            "elements[x].agent.port: expected 1 to 65535",
        ),
        (
            '[[elements]]\nname = "x"\naddresses = ["::1"]\nagent = { user = "u", resync_s = 5 }',
            "elements[x].agent.resync_s: expected 60 or more",
        ),
        ('[[elements]]\nname = "x"\nsite = "moon"', "elements[x].site: expected a site, not moon"),
        (
            '[[elements]]\nname = "x"\ndepends_on = ["moon"]',
            "elements[x].depends_on: expected a site, an element",
        ),
        (
            '[[elements]]\nname = "x"\ncards = ["1", "1"]',
            "elements[x].cards: expected each name and number once",
        ),
        (
            '[[elements]]\nname = "x"\ninterfaces = [{ name = "3", index = 7 }, { name = "a", index = 3 }]',
            "elements[x].interfaces: expected each name and number once, 3 is there twice",
        ),
        (
            '[[elements]]\nname = "x"\ninterfaces = [{ name = "a", card = "9" }]',
            "elements[x].interfaces[a].card: expected one of its cards, not 9",
        ),
        (
            '[[elements]]\nname = "x"\ninterfaces = [{ name = "a", index = -1 }]',
            "elements[x].interfaces[a].index: expected 1 or more",
        ),
        ('[[elements]]\nname = "x"\ninterfaces = [{ name = "" }]', "interfaces[].name: expected a name"),
        (TWO + '[[links]]\nname = "l"\nends = ["x/if/1"]', "links[l].ends: expected two interfaces or more"),
        (
            TWO + '[[links]]\nname = "l"\nends = ["x/if/1", "z/if/1"]',
            "links[l].ends: expected ELEMENT/if/NAME",
        ),
        (TWO + '[[links]]\nname = "l"\nends = ["x/if/1", "y"]', "links[l].ends: expected ELEMENT/if/NAME"),
        (
            TWO + '[[links]]\nname = "l"\nends = ["x/if/1", "y/if/1"]\nover = ["l"]',
            "links[l].over: expected another link, not l",
        ),
        ('[[services]]\nname = "s"\nuses = []', "services[s].uses: expected at least one resource"),
        ('[[services]]\nname = "s"\nuses = ["x"]', "services[s].uses: expected a site, an element"),
        ('[[sites]]\nname = "s"\ndepends_on = ["x"]', "sites[s].depends_on: expected a site, an element"),
        (
            TWO + '[[services]]\nname = "s"\nuses = ["x"]\nsubscribers = -1',
            "services[s].subscribers: expected 0 or more",
        ),
        (
            TWO + '[[services]]\nname = "s"\nuses = ["x"]\n[[services]]\nname = "s"\nuses = ["y"]',
            "services[s].name: expected a name that no other service has",
        ),
    ],
)
def test_what_does_not_fit_is_one_line_that_names_file_and_entry(
    tmp_path: Path, text: str, expected: str
) -> None:
    (tmp_path / "t.toml").write_text(text)
    with pytest.raises(TopologyError) as caught:
        load_topology(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}/t.toml: ")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_interface_called_by_its_own_number_is_fine(tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text('[[elements]]\nname = "x"\ninterfaces = [{ name = "3", index = 3 }]')
    assert load_topology(tmp_path).canonical("x/if/3") == "x/if/3"
