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
    """Each AVP of the table with the tests that its row names."""
    section = (ROOT / "docs/clauses.md").read_text(encoding="utf-8").partition("## AVPs")[2]
    found: dict[str, list[str]] = {}
    for line in section.splitlines():
        if line.startswith("|"):
            tests = re.findall(r"`(tests/[\w/.:]+)`", line)
            found |= dict.fromkeys(re.findall(r"([\w-]+) \(\d+\)", line.split("|")[1]), tests)
    return found


@pytest.mark.long
def test_each_supported_avp_has_a_test_that_fails_without_it():
    asked = {"": sorted({test for tests in listed().values() for test in tests}), **listed()}
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.without_avp"],
        input=json.dumps(asked), cwd=ROOT, capture_output=True, text=True, timeout=1800, check=True,
    )  # fmt: skip
    results = json.loads(done.stdout)
    assert results.pop("") == 0  # with all AVPs where they are, all tests pass
    assert results.keys() == listed().keys()
    assert {avp: code for avp, code in results.items() if code != _TESTS_FAILED} == {}
