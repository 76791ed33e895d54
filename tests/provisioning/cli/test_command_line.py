"""Descriptions of command lines are checked before they are used."""

from typing import Any

import pytest

from ocs.provisioning.cli.command_line import CommandLine
from ocs.provisioning.element_type import ElementTypeError, read_element_type
from ocs.provisioning.schema.yang import load_schema
from tests.support.command_lines import SHIPPED, shipped_command_line
from tests.support.elements import YANG


def document(**changes: Any) -> dict[str, Any]:
    """A description that can be used, but for what is changed."""
    cli: dict[str, Any] = {
        "modules": ["ietf-interfaces"],
        "prompts": {"privileged": "box#", "configure": "box\\(config\\)#"},
        "errors": {"error": ["^%"]},
        "enter": "configure",
        "show": "show",
        "shown_last": "end",
        "lines": [{"line": "hostname {name}", "leaves": {"/ietf-system:system/hostname": "{name}"}}],
    }
    return {"cli": {**cli, **changes}}


def test_a_whole_description_is_taken() -> None:
    kind = read_element_type("box", document())
    assert isinstance(kind.cli, CommandLine)
    assert kind.netconf is None
    assert kind.modules == ("ietf-interfaces",)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_path_of_a_shipped_type_is_one_of_its_modules(name: str) -> None:
    command_line = shipped_command_line(name)
    schema = load_schema([YANG], command_line.description.modules)
    for rule in command_line.rules.all:
        paths = [*rule.presence, *(path for path, _ in (*rule.leaves, *rule.implies, *rule.otherwise))]
        for path in (*paths, *(() if rule.entry is None else (rule.entry,))):
            assert schema.node(path).is_config


LINE = {"line": "a {x}", "leaves": {"/m:a": "{x}"}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"modules": []}, "cli.modules"),
        ({"lines": []}, "cli.lines"),
        ({"errors": {"error": []}}, "cli.errors.error"),
        ({"errors": {"error": ["("]}}, "cli.errors.error"),
        ({"show": " "}, "cli.show"),
        ({"do": "do it"}, "cli.do"),
        ({"enable": "enable"}, "cli.enable"),
        ({"prompts": {"privileged": "[", "configure": "x"}}, "cli.prompts.privileged"),
        ({"questions": [{"pattern": "[", "answer": ""}]}, "cli.questions[0].pattern"),
        ({"commit": {"commit": "commit", "abort": "abort", "confirmed": "commit confirmed"}}, "{timeout_s}"),
        ({"timeout_s": 0}, "cli.timeout_s"),
        ({"keepalive_s": -1}, "cli.keepalive_s"),
        ({"block": "banner"}, "cli.block"),
        ({"colour": 1}, "colour"),
        ({"kinds": {"word": {"pattern": "x"}}}, "cli.kinds.word"),
        ({"kinds": {"x": {}}}, "cli.kinds.x"),
        ({"kinds": {"x": {"pattern": "["}}}, "cli.kinds.x"),
        ({"kinds": {"x": {"values": {"1": "a", "2": "a"}}}}, "cli.kinds.x"),
        ({"lines": [LINE, {"line": "b {x:nothing}", "leaves": {"/m:b": "{x}"}}]}, "lines[1] 'b {x:nothing}'"),
        ({"lines": [{"line": "a {x} {x}", "leaves": {"/m:a": "{x}"}}]}, "twice"),
        ({"lines": [{"line": "a {x}"}]}, "expected an entry or leaves"),
        ({"lines": [{"line": "a {x} {y}", "leaves": {"/m:a": "{x}"}}]}, "{y} stands in no path"),
        ({"lines": [{"line": "a", "leaves": {"/m:a": "{y}"}}]}, "{y} stands in a path, and in no line"),
        ({"lines": [{"line": "a {x}", "leaves": {"b": "{x}"}}]}, "expected a whole path"),
        ({"lines": [{"line": "a {x}", "leaves": {"/b": "{x}"}}]}, "needs its module"),
        ({"lines": [{**LINE, "under": ["b"]}]}, "named 'b'"),
        ({"lines": [{**LINE, "unset": "no {z}"}]}, "unset"),
        ({"lines": [{**LINE, "line": " a {x}"}]}, "expected words"),
        ({"lines": [{**LINE, "otherwise": {"/m:b": "{x}"}}]}, "otherwise"),
        (
            {"lines": [{"line": "a {x}", "name": "a", "entry": "/m:a[n='{x}']"}, {**LINE, "under": ["a"]}]},
            "does not lie below",
        ),
    ],
)
def test_what_cannot_be_used_is_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ElementTypeError) as refused:
        read_element_type("box", document(**changes))
    assert str(refused.value).startswith("box: ")
    assert words in str(refused.value)


def test_a_type_speaks_one_language() -> None:
    with pytest.raises(ElementTypeError, match="not both"):
        read_element_type("box", {**document(), "netconf": {"modules": ["a"]}})


def test_an_error_is_a_line_of_the_answer_that_is_not_known_to_be_harmless() -> None:
    box = shipped_command_line("ios-like")
    assert box.error_in("fine\n% Invalid input\nmore") == "% Invalid input"
    assert box.error_in("100 % fine") == ""
    assert box.error_in("% Interface ge0 addresses removed due to enabling VRF red") == ""
