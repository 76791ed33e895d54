"""What every simulator leaves behind: a summary for people, JSON for programs, JUnit XML for CI."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import msgspec


class Expectation(msgspec.Struct, frozen=True):
    """Something that was expected of the system, how often it was checked, and where it did not hold."""

    name: str
    checked: int
    failures: Sequence[str]
    failed: int

    @property
    def met(self) -> bool:
        """Whether it held every time."""
        return self.failed == 0


def write_json(path: Path, summary: object) -> None:
    """Save a summary as JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n")


def write_junit(path: Path, *, suite: str, elapsed_s: float, expectations: Sequence[Expectation]) -> None:
    """Save expectations as JUnit XML, one test case each."""
    failed = sum(not expectation.met for expectation in expectations)
    root = ET.Element(
        "testsuite",
        name=suite,
        tests=str(len(expectations)),
        failures=str(failed),
        errors="0",
        skipped="0",
        time=f"{elapsed_s:.3f}",
    )
    for expectation in expectations:
        case = ET.SubElement(root, "testcase", classname=suite, name=expectation.name)
        if not expectation.met:
            message = f"{expectation.failed} of {expectation.checked} checks failed"
            failure = ET.SubElement(case, "failure", message=message)
            failure.text = "\n".join(_xml_text(line) for line in expectation.failures)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _xml_text(text: str) -> str:
    """Without the control characters that XML cannot hold."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
