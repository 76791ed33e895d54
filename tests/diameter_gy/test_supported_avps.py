"""docs/clauses.md lists the AVPs that are read and written: by their right names, all of them, and no other."""

import re
from pathlib import Path

from ocs.diameter_gy import codes
from ocs.diameter_gy.dictionary import BY_NAME

CLAUSES = Path(__file__).resolve().parent.parent.parent / "docs/clauses.md"


def listed() -> dict[str, int]:
    section = CLAUSES.read_text(encoding="utf-8").partition("## AVPs")[2]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("|")]
    return {name: int(code) for cell in cells for name, code in re.findall(r"([\w-]+) \((\d+)\)", cell)}


def test_every_avp_is_listed_under_the_name_that_the_dictionary_has_for_it():
    assert {name: BY_NAME[name].code for name in listed()} == listed()


def test_every_code_that_is_used_is_listed_and_no_other():
    used = {code for name, code in vars(codes).items() if name.isupper()}
    assert set(listed().values()) == used
