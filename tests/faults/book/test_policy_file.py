from pathlib import Path

import pytest

from ocs.faults.alarm import Severity
from ocs.faults.book.policy import BookPolicy, EscalationStep, NotifyChanges
from ocs.faults.book.policy_file import load_policy
from ocs.faults.topology.schema import TopologyError

SHIPPED = Path(__file__).resolve().parents[3] / "config" / "topology"


def write(folder: Path, text: str) -> Path:
    (folder / "policy.toml").write_text(text)
    return folder


def test_the_shipped_policy_says_the_usual_values() -> None:
    assert load_policy(SHIPPED) == BookPolicy()


def test_without_a_file_the_usual_values_hold(tmp_path: Path) -> None:
    assert load_policy(tmp_path) == BookPolicy()


def test_what_is_said_holds_and_the_rest_is_usual(tmp_path: Path) -> None:
    policy = load_policy(
        write(
            tmp_path,
            """
            escalations = [{ severity = "minor", after_s = 5 }]
            [notices]
            changes = "severity-level"
            level = "critical"
            [grouping]
            settling_s = 0.5
            [keeping]
            leaves_when_cleared_and_acknowledged = true
            """,
        )
    )
    assert (policy.notify_changes, policy.notify_level) == (NotifyChanges.SEVERITY_LEVEL, Severity.CRITICAL)
    assert policy.escalations == (EscalationStep(Severity.MINOR, 5_000),)
    assert policy.settling_ms == 500
    assert policy.leaves_when_cleared_and_acknowledged
    assert policy.flapping_raises == BookPolicy().flapping_raises


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[grouping]\nsettling_s = -1", "policy.toml: grouping.settling_s: expected 0 to 60"),
        ("[flapping]\nraises = 1", "policy.toml: flapping.raises: expected 2 to 100"),
        ("[flapping]\nhalf_life_s = 0", "policy.toml: flapping.half_life_s: expected 1 to 3600"),
        (
            "[flapping]\nends_below = 9.0",
            "policy.toml: flapping.ends_below: expected more than 0 and less than raises",
        ),
        ("[keeping]\ncleared_days = -1", "policy.toml: keeping.cleared_days: expected 0 for ever, or more"),
        (
            'escalations = [{ severity = "major", after_s = 0 }]',
            "policy.toml: escalations: expected after_s above 0",
        ),
        ('[notices]\nlevel = "bad"', "policy.toml: notices.level: invalid enum value 'bad'"),
        ("[notice]\n", "policy.toml: expected no key notice"),
    ],
)
def test_a_bad_value_is_one_line_that_names_it(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(TopologyError) as caught:
        load_policy(write(tmp_path, text))
    assert str(caught.value) == f"{tmp_path}/{expected}"
