"""Each AVP that docs/clauses.md lists has a test that fails without it: tried, one AVP after the other."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
_TESTS_FAILED = 1


def listed() -> dict[str, list[str]]:
    """Each AVP of the table with the tests that its row names; those that need a server of their own come last."""
    section = (ROOT / "docs/clauses.md").read_text(encoding="utf-8").partition("## AVPs")[2]
    found: dict[str, list[str]] = {}
    for line in section.splitlines():
        if line.startswith("|"):
            tests = re.findall(r"`(tests/[\w/.:]+)`", line)
            found |= {name: tests for name in re.findall(r"([\w-]+) \(\d+\)", line.split("|")[1])}
    return found


@pytest.mark.long
def test_each_supported_avp_has_a_test_that_fails_without_it():
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.without_avp"],
        input=json.dumps(listed()), cwd=ROOT, capture_output=True, text=True, timeout=1800, check=True,
    )  # fmt: skip
    results = json.loads(done.stdout)
    assert results.keys() == listed().keys()
    assert {avp: code for avp, code in results.items() if code != _TESTS_FAILED} == {}
