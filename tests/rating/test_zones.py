from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.limits import CALLED_NUMBERS_REMEMBERED
from ocs.rating.errors import ExpectationError
from ocs.rating.schema import CatalogueTable, ZoneTable
from ocs.rating.zones import Destinations

GERMANY = CatalogueTable(
    name="test",
    currency="EUR",
    time_zone="Europe/Berlin",
    effective=date(2026, 11, 1),
    country_code="49",
    national_prefix="0",
    international_prefix="00",
)
ZONES = (
    ZoneTable(id="national", prefixes=("49",)),
    ZoneTable(id="mobile", prefixes=("4915", "4916", "4917")),
    ZoneTable(id="premium", prefixes=("49900",)),
    ZoneTable(id="emergency", numbers=("112",)),
    ZoneTable(id="north-america", prefixes=("1",)),
)


@pytest.mark.parametrize(
    ("called_party", "zone"),
    [
        ("4930123456", "national"),
        ("491711234567", "mobile"),
        ("4918", "national"),
        ("4990012345", "premium"),
        ("499", "national"),
        ("49", "national"),
        ("4", None),
        ("12025550100", "north-america"),
        ("112", "emergency"),
        ("1123", "north-america"),
        ("+491711234567", "mobile"),
        ("01711234567", "mobile"),
        ("00491711234567", "mobile"),
        ("0012025550100", "north-america"),
        ("447700900123", None),
        ("alice", None),
        ("", None),
    ],
)
def test_longest_prefix_decides_and_whole_numbers_before_it(called_party: str, zone: str | None) -> None:
    destinations = Destinations(ZONES, GERMANY)
    assert destinations.zone_of(called_party) == zone
    assert destinations.zone_of(called_party) == zone, "remembered"


@given(
    st.dictionaries(st.text("123", min_size=1, max_size=5), st.sampled_from("abc"), min_size=1, max_size=30),
    st.text("123", min_size=1, max_size=8),
)
def test_zone_is_that_of_the_longest_of_all_prefixes_that_fit(prefixes: dict[str, str], number: str) -> None:
    zones = [
        ZoneTable(id=zone, prefixes=tuple(prefix for prefix, owner in prefixes.items() if owner == zone))
        for zone in sorted(set(prefixes.values()))
    ]
    fitting = [prefix for prefix in prefixes if number.startswith(prefix)]
    expected = prefixes[max(fitting, key=len)] if fitting else None
    assert Destinations(zones, GERMANY).zone_of(number) == expected


def test_numbers_from_the_network_do_not_fill_the_memory() -> None:
    destinations = Destinations(ZONES, GERMANY)
    for number in range(CALLED_NUMBERS_REMEMBERED + 10):
        destinations.zone_of(f"49{number}")
    assert len(destinations._remembered) <= CALLED_NUMBERS_REMEMBERED
    assert destinations.zone_of("491711234567") == "mobile"


@pytest.mark.parametrize(
    ("zones", "key", "words"),
    [
        ((ZoneTable(id="a", prefixes=("49", "+49")),), "zones[a].prefixes", "expected digits without '+'"),
        ((ZoneTable(id="a", prefixes=("",)),), "zones[a].prefixes", "expected digits"),
        ((ZoneTable(id="a", numbers=("٣",)),), "zones[a].numbers", "expected digits"),
        ((ZoneTable(id="a"),), "zones[a]", "at least one of prefixes and numbers"),
        (
            (ZoneTable(id="a", prefixes=("49",)), ZoneTable(id="b", prefixes=("49",))),
            "zones[b].prefixes",
            "'49' is in a too",
        ),
        (
            (ZoneTable(id="a", numbers=("112",)), ZoneTable(id="b", numbers=("112",))),
            "zones[b].numbers",
            "'112' is in a too",
        ),
    ],
)
def test_zones_that_cannot_decide_are_refused(zones: tuple[ZoneTable, ...], key: str, words: str) -> None:
    with pytest.raises(ExpectationError) as caught:
        Destinations(zones, GERMANY)
    assert caught.value.key == key
    assert words in caught.value.expectation
