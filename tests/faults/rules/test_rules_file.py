"""A folder of rules as a book, and every mistake in one line: file, line, entry, what was expected."""

import pytest

from ocs.faults.rules import RulesError, load_rules, rules_file, rules_of
from ocs.faults.rules.schema import RuleFile
from tests.support.notifications import ALARM_RULES, standard_names, trap

GOOD = """\
[[rules]]
id = "one"
trap = "IF-MIB::linkDown"
when = [{ varbind = "ifAdminStatus", is = "up" }]

[[rules.signals]]
alarm = "link-down"
severity = "major"
text = "Interface {ifIndex} is down"
"""


def refused(text: str) -> RulesError:
    with pytest.raises(RulesError, match=r"^[^\n]*$") as error:
        rules_of({"a.toml": text}, standard_names())
    return error.value


def test_shipped_rules_are_usable() -> None:
    assert len(load_rules(ALARM_RULES, standard_names()).rules) > 50


def test_all_files_of_a_folder_are_one_book(tmp_path) -> None:
    (tmp_path / "a.toml").write_text(GOOD)
    (tmp_path / "b.toml").write_text(GOOD.replace('"one"', '"two"').replace("linkDown", "linkUp"))
    (tmp_path / "notes.txt").write_text("not read")
    assert {rule.rule_id for rule in load_rules(tmp_path, standard_names()).rules} == {"one", "two"}


def test_folder_without_rules_makes_every_trap_an_unknown_one(tmp_path) -> None:
    (signal,) = load_rules(tmp_path, standard_names()).signals(trap("IF-MIB::linkDown"), 0)
    assert signal.is_catch_all


def test_folder_that_does_not_exist_is_refused(tmp_path) -> None:
    with pytest.raises(RulesError, match="expected a folder with alarm rules"):
        load_rules(tmp_path / "none", standard_names())


@pytest.mark.parametrize(
    ("change", "line", "says"),
    [
        (("linkDown", "linkDwn"), 3, "rules[one].trap: module IF-MIB has no object 'linkDwn', perhaps linkDown"),
        (('"up"', '"upp"'), 4, "rules[one].when[1].is: expected one of up, down, testing, got 'upp'"),
        (("ifAdminStatus", "ifAdmin"), 4, "rules[one].when[1].varbind: no MIB module has an object 'ifAdmin'"),
        (('is = "up"', "is = []"), 4, "rules[one].when[1].is: expected at least one value"),
        ((', is = "up"', ""), 4, "rules[one].when[1]: expected one of is, is_not, at_least"),
        (('is = "up"', 'is = "up", is_present = false'), 4, "rules[one].when[1].is_present: expected no other test"),
        (('is = "up"', "at_least = 3, below = 3"), 4, "rules[one].when[1].below: expected more than at_least, got 3"),
        (("{ifIndex}", "{ifIndx}"), 9, "rules[one].signals[1].text: no MIB module has an object 'ifIndx', perhaps ifIndex"),
        (("{ifIndex}", "{ifIndex"), 9, "expected braces in pairs"),
        (("{ifIndex}", "{a b}"), 9, "expected NAME, NAME.index"),
        (('"major"', '"big"'), 8, "rules[one].signals[1].severity: invalid enum value 'big'"),
        (('severity = "major"', 'resource = "x"\nseverity = "major"'), 8, "rules[one].signals[1].resource: expected {element} at its beginning"),
        (('severity = "major"', 'severity = { varbind = "ifIndex", default = "major" }'), 8, "expected either a coding or a table of values"),
        (('severity = "major"', 'severity = { varbind = "ifOperStatus", values = { broken = "major" }, default = "minor" }'), 8, "severity.values: expected one of up, down"),
        (('severity = "major"', 'severity = { varbind = "ENTITY-STATE-MIB::entStateAlarm", values = { broken = "major" }, default = "minor" }'), 8, "severity.values: expected one of unknown, underRepair"),
        (('severity = "major"', 'severity = "major"\nprobable_cause = "bad luck"'), 9, "probable_cause: expected a name or number of IANAItuProbableCause, got 'bad luck'"),
        (('severity = "major"', 'severity = "major"\nprobable_cause = 9999'), 9, "got 9999"),
        (('severity = "major"', 'severity = "major"\ndetails = ["nothing"]'), 9, "rules[one].signals[1].details[1]: no MIB module has"),
        (('severity = "major"', f'severity = "major"\ndetails = {["ifIndex"] * 13}'), 9, "expected at most 12 varbinds"),
        (('alarm = "link-down"', 'alarm = "Link Down"'), 7, "rules[one].signals[1].alarm: expected str matching regex"),
        (('id = "one"', 'id = "one"\ncolour = "red"'), 3, "rules[one].colour: unknown key"),
        (('id = "one"', 'id = "a b"'), 2, "rules[a b].id: expected str matching regex"),
        (('[[rules.signals]]\nalarm = "link-down"\nseverity = "major"\ntext = "Interface {ifIndex} is down"', "signals = []"), 6, "rules[one].signals: expected array of length >= 1"),
        (('id = "one"', "id = "), 0, "expected TOML"),
    ],
)  # fmt: skip
def test_mistake_is_told_with_line_and_entry(change, line, says) -> None:
    old, new = change
    assert old in GOOD
    error = refused(GOOD.replace(old, new, 1))
    assert (error.file, error.line) == ("a.toml", line)
    assert says in str(error)


def test_two_rules_of_one_name_are_refused() -> None:
    error = refused(GOOD + GOOD.replace("linkDown", "linkUp"))
    assert (error.line, error.key) == (11, "rules[one].id")


def test_rules_that_could_both_be_first_are_refused() -> None:
    error = refused(GOOD + GOOD.replace('"one"', '"two"').replace('"up"', '["up", "down"]'))
    assert (error.line, error.key) == (10, "rules[two]")
    assert "a notification can meet this rule and one (a.toml)" in str(error)


def test_rules_that_exclude_each_other_are_usable() -> None:
    book = rules_of(
        {"a.toml": GOOD, "b.toml": GOOD.replace('"one"', '"two"').replace('"up"', '"down"')}, standard_names()
    )
    assert len(book.rules) == 2


@pytest.mark.parametrize(
    "text", ["rules = 3", "[[rules]]\nid = 3", "x = 1", "rules = [[1]]", "rules = [" * 3_000]
)
def test_file_of_another_shape_is_refused(text) -> None:
    assert refused(text).file == "a.toml"


def test_file_that_is_no_text_or_too_large_is_refused(tmp_path, monkeypatch) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(RulesError, match=r"a.toml: expected UTF-8"):
        load_rules(tmp_path, standard_names())
    (tmp_path / "a.toml").write_text(GOOD)
    monkeypatch.setattr(rules_file, "ALARM_RULES_MAX", 0)
    with pytest.raises(RulesError, match="at most 0 rules"):
        load_rules(tmp_path, standard_names())
    monkeypatch.setattr(rules_file, "ALARM_RULE_FILE_OCTETS_MAX", 10)
    with pytest.raises(RulesError, match="at most 10 octets"):
        load_rules(tmp_path, standard_names())


def test_file_without_rules_is_a_file() -> None:
    assert RuleFile().rules == ()
    assert rules_of({"a.toml": ""}, standard_names()).rules == ()
