"""What the demo shows of alarms; the play itself is in tests/endtoend/test_traps.py."""

from io import StringIO
from typing import Any

from rich.console import Console

from simulators.demo_faults import print_alarms


def alarm(number: int, root: str | None = None) -> dict[str, Any]:
    return {
        "alarm_id": str(number),
        "severity": "major",
        "resource": f"router/if/{number}",
        "text": f"Interface {number} is down",
        "root_cause": root,
        "affected_services": ["mobile-west"] if root is None else [],
        "affected_subscribers": 1_200 if root is None else 0,
    }


def test_root_is_shown_with_whom_it_concerns_and_some_symptoms_under_it() -> None:
    out = StringIO()
    print_alarms(Console(file=out, width=100), [alarm(1), *(alarm(number, "1") for number in range(2, 9))])
    told = out.getvalue()
    assert "mobile-west: 1,200 subscribers" in told
    assert "Interface 4 is down" in told
    assert "Interface 5 is down" not in told
    assert "and 4 more symptoms" in told
