"""Each thing that can be found says what to do about it."""

from ocs.balance.findings import REMEDIES, WARNINGS, Finding, FindingKind


def test_each_kind_has_a_remedy() -> None:
    assert REMEDIES.keys() == set(FindingKind)
    assert Finding(FindingKind.TOTALS, "a", "1").remedy == REMEDIES[FindingKind.TOTALS]


def test_what_touches_money_is_no_warning() -> None:
    assert not Finding(FindingKind.RESERVATION, "a", "1").is_warning
    assert Finding(FindingKind.DIRECTORY_ASTRAY, "a", "1").is_warning
    assert len(WARNINGS) == 8
