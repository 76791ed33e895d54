"""Whether a list is exactly as expected: every way in which it may not be is told."""

import msgspec
import pytest

from simulators.traps.judging import Seen, differences
from simulators.traps.stories import NO_ROOT, TRAP_STORM, Expected

ELEMENTS = frozenset({"a", "b"})
ROOT = Seen("1", "a/if/1", "link-down", is_cleared=False, occurrences=2)
SYMPTOM = Seen("2", "b/bgp/9", "bgp-peer-down", is_cleared=False, root_id="1")
EXPECTED = [
    Expected("a/if/1", "link-down", root=NO_ROOT, occurrences=2),
    Expected("b/bgp/9", "bgp-peer-down", root=("a/if/1", "link-down")),
    Expected("b", TRAP_STORM, must_be=False),
]
STORM = Seen("3", "b", TRAP_STORM, is_cleared=False)
STRANGER = Seen("4", "c/if/1", "link-down", is_cleared=False)
OLD = Seen("5", "a/if/7", "link-down", is_cleared=True, occurrences=4)
changed = msgspec.structs.replace


def test_list_as_expected_has_no_differences() -> None:
    assert differences(EXPECTED, [ROOT, SYMPTOM], ELEMENTS) == []
    assert differences(EXPECTED, [ROOT, SYMPTOM, STORM, STRANGER], ELEMENTS) == []


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ([ROOT], "bgp-peer-down of b/bgp/9 is missing"),
        ([ROOT, SYMPTOM, OLD], "link-down of a/if/7 is in the list, and nobody expects it"),
        ([ROOT, changed(SYMPTOM, is_cleared=True)], "bgp-peer-down of b/bgp/9 is cleared"),
        ([changed(ROOT, occurrences=3), SYMPTOM], "link-down of a/if/1 occurred 3 times, not 2"),
        ([ROOT, changed(SYMPTOM, root_id="")], "bgp-peer-down of b/bgp/9 stands under nothing"),
        ([changed(ROOT, root_id="2"), SYMPTOM], "link-down of a/if/1 stands under bgp-peer-down of b/bgp/9"),
    ],
)
def test_difference_is_told(seen: list[Seen], said: str) -> None:
    assert differences(EXPECTED, seen, ELEMENTS) == [said]


def test_what_was_over_before_is_of_no_interest_until_it_occurs_again() -> None:
    assert differences(EXPECTED, [ROOT, SYMPTOM, OLD], ELEMENTS, before=[OLD]) == []
    again = changed(OLD, occurrences=5)
    assert len(differences(EXPECTED, [ROOT, SYMPTOM, again], ELEMENTS, before=[OLD])) == 1


def test_occurrences_count_from_before() -> None:
    assert (
        differences(
            EXPECTED, [changed(ROOT, occurrences=9), SYMPTOM], ELEMENTS, before=[changed(ROOT, occurrences=7)]
        )
        == []
    )
