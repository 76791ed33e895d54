"""JUnit and JSON that simulators leave behind."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

from simulators.reports import Expectation, write_json, write_junit


def test_junit_has_a_case_for_each_expectation_and_its_failures(tmp_path: Path) -> None:
    expectations = [Expectation("held", 5, (), 0), Expectation("broken", 9, ("one", "two \x00 <&>"), 2)]
    write_junit(tmp_path / "junit.xml", suite="ocs-sim gateway", elapsed_s=1.5, expectations=expectations)
    root = ET.parse(tmp_path / "junit.xml").getroot()
    assert root.attrib["tests"] == "2"
    assert root.attrib["failures"] == "1"
    held, broken = root.findall("testcase")
    assert held.find("failure") is None
    failure = broken.find("failure")
    assert failure is not None
    assert failure.attrib["message"] == "2 of 9 checks failed"
    assert failure.text == "one\ntwo \ufffd <&>"


def test_json_is_readable(tmp_path: Path) -> None:
    write_json(tmp_path / "summary.json", {"expectations": [Expectation("held", 1, (), 0)]})
    assert json.loads((tmp_path / "summary.json").read_text())["expectations"][0]["name"] == "held"
