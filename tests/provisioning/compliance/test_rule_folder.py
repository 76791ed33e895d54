"""Files of rules, as people write them."""

from pathlib import Path

import pytest

from ocs.limits import COMPLIANCE_FILE_OCTETS_MAX
from ocs.provisioning.compliance.drift_policy import DriftAction
from ocs.provisioning.compliance.rule_folder import (
    ComplianceRules,
    ComplianceRulesError,
    load_compliance_rules,
)
from ocs.provisioning.configuration import parse_path
from tests.support.elements import ROOT, standard_schema

RULE = '[[rules]]\nid = "r"\npath = "/a:b"\nat_least = 1\n'


def test_the_rules_that_are_shipped_are_about_paths_that_there_are() -> None:
    shipped = load_compliance_rules(ROOT / "config" / "network" / "golden")
    assert shipped.drift
    assert shipped.rules
    top = standard_schema().children
    for pattern in (
        *(rule.path for rule in shipped.drift if rule.path),
        *(rule.whole_path for rule in shipped.rules),
    ):
        children = top
        for step in parse_path(pattern):
            children = children[step.name].children


def test_a_folder_that_is_not_there_has_no_rules(tmp_path: Path) -> None:
    assert load_compliance_rules(tmp_path / "nowhere") == ComplianceRules()


def test_drift_is_decided_in_the_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "20.toml").write_text('[[drift]]\naction = "alarm"\n')
    (tmp_path / "10.toml").write_text('[[drift]]\naction = "revert"\n' + RULE)
    (tmp_path / "readme.md").write_text("no rules")
    read = load_compliance_rules(tmp_path)
    assert [rule.action for rule in read.drift] == [DriftAction.REVERT, DriftAction.ALARM]
    assert [rule.id for rule in read.rules] == ["r"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[drift]", "TOML"),
        ('[[drift]]\naction = "explode"', "explode"),
        ('[[drift]]\naction = "alarm"\npath = "interfaces"', "drift 1: path"),
        ('[[drift]]\naction = "alarm"\ncolour = "red"', "colour"),
        ('[[rules]]\nid = "r"\npath = "/a:b"', "rule r: expected one of"),
        ('[[rules]]\nid = "r"\npath = "b"\nat_least = 1', "rule r: path"),
        ('[[rules]]\nid = "r"\npath = "/a:b"\nmatches = "("', "rule r: matches"),
        ('[[rules]]\nid = ""\npath = "/a:b"\nat_least = 1', "rule 1: id"),
        ('[[rules]]\nid = "r"\npath = "/a:b"\nat_least = 1\nis_absent = true', "is_absent"),
        ('[[rules]]\nid = "r"\npath = "/a:b"\nat_least = 2\nat_most = 1', "at_most"),
        (RULE + RULE, "another one"),
        ('[[exceptions]]\nrule = "r"\nelement = "*"\nuntil = 2027-01-01\nreason = " "', "reason"),
        ('[[exceptions]]\nrule = "r"\nelement = "*"\nuntil = "soon"\nreason = "x"', "until"),
        ("#" * (COMPLIANCE_FILE_OCTETS_MAX + 1), "octets"),
    ],
)
def test_what_a_file_must_not_say_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "rules.toml").write_text(text)
    with pytest.raises(ComplianceRulesError, match=complaint) as refused:
        load_compliance_rules(tmp_path)
    assert "rules.toml" in str(refused.value)


def test_an_id_is_used_once_in_all_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.toml").write_text(RULE)
    with pytest.raises(ComplianceRulesError, match=r"b\.toml.*another one"):
        load_compliance_rules(tmp_path)
