"""What makes two signals speak of one alarm."""

from hypothesis import given
from hypothesis import strategies as st

from ocs.faults.alarm import AlarmKey, Severity


def test_id_is_that_of_the_key_on_every_site_and_after_every_restart() -> None:
    assert (
        AlarmKey("router7/if/3", "link-down").alarm_id == AlarmKey("router7/if/3", "link-down", "").alarm_id
    )
    assert AlarmKey("router7/if/3", "link-down").alarm_id == "xsgoi2vraohvehx3"


@given(st.tuples(st.text(), st.text(), st.text()), st.tuples(st.text(), st.text(), st.text()))
def test_keys_that_differ_have_ids_that_differ(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    assert (AlarmKey(*one).alarm_id == AlarmKey(*other).alarm_id) == (one == other)


def test_id_is_sixteen_letters_and_digits() -> None:
    alarm_id = AlarmKey("Zürich/if/3", "link-down").alarm_id
    assert len(alarm_id) == 16 and alarm_id.isalnum() and alarm_id == alarm_id.lower()


def test_severities_are_ordered_from_cleared_to_critical() -> None:
    """RFC 8632 severity-with-clear."""
    assert [severity.name.lower() for severity in sorted(Severity)] == [
        "cleared", "indeterminate", "warning", "minor", "major", "critical",
    ]  # fmt: skip
