"""The example of docs/alarm-rules.md is a rule that can be used."""

import re
import textwrap

from ocs.faults.rules import rules_of
from tests.support.notifications import standard_names
from tests.support.processes import ROOT


def test_rule_in_the_document_is_usable() -> None:
    text = (ROOT / "docs" / "alarm-rules.md").read_text(encoding="utf-8")
    found = re.search(r"^    \[\[rules\]\]\n(?:    .*\n|\n(?=    ))+", text, re.MULTILINE)
    assert found is not None
    (rule,) = rules_of({"document": textwrap.dedent(found[0])}, standard_names()).rules
    assert rule.rule_id == "power-supply"
