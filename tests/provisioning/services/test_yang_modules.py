"""Our own YANG modules: what no standard one fits."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.elements import YANG

PYANG = Path(sys.executable).parent / "pyang"
MODULES = sorted(YANG.glob("ocs-*.yang"))


@pytest.mark.skipif(not PYANG.exists(), reason="no pyang beside Python")
def test_modules_are_clean_by_the_guidelines_for_authors() -> None:
    """RFC 8407, as far as pyang checks it."""
    assert len(MODULES) == 6
    done = subprocess.run(
        [PYANG, "--strict", "--lint", "--max-line-length=120", "-p", YANG, *MODULES],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
