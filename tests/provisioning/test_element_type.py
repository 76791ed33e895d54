"""Descriptions of element types."""

from pathlib import Path
from typing import Any

import pytest

from ocs.provisioning.element_type import ElementTypeError, load_element_types, read_element_type
from ocs.provisioning.schema.yang import load_schema
from tests.support.elements import TYPES, YANG


def test_shipped_types_are_read_and_their_modules_are_there() -> None:
    types = load_element_types(TYPES)
    assert {"netconf", "yuma"} <= types.keys()
    for one in types.values():
        assert one.description
        if one.netconf is not None:
            assert load_schema([YANG], one.netconf.modules).children


def test_what_yuma_does_badly_is_in_its_description() -> None:
    netconf = load_element_types(TYPES)["yuma"].netconf
    assert netconf is not None
    assert "validate" in netconf.distrusted


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "[netconf]"),
        ({"netconf": {}}, "modules"),
        ({"netconf": {"modules": []}}, "modules"),
        ({"netconf": {"modules": ["a"], "colour": 1}}, "colour"),
        ({"netconf": {"modules": ["a"], "distrusted": ["everything"]}}, "distrusted"),
        ({"netconf": {"modules": ["a"], "timeout_s": 0}}, "timeout_s"),
        ({"netconf": {"modules": ["a"], "commit_timeout_s": 99_999}}, "commit_timeout_s"),
        ({"netconf": {"modules": ["a"], "keepalive_s": -1}}, "keepalive_s"),
        ({"netconf": {"modules": ["a"]}, "type": {"sessions_max": 0}}, "sessions_max"),
        ({"netconf": {"modules": ["a"]}, "tpye": {}}, "tpye"),
    ],
)
def test_a_bad_description_is_refused_naming_type_and_key(document: dict[str, Any], words: str) -> None:
    with pytest.raises(ElementTypeError) as refused:
        read_element_type("box", document)
    assert str(refused.value).startswith("box: ")
    assert words in str(refused.value)


def test_a_file_that_is_no_TOML_and_a_folder_that_is_none_are_named(tmp_path: Path) -> None:
    (tmp_path / "box.toml").write_text("[netconf")
    with pytest.raises(ElementTypeError, match=r"box\.toml"):
        load_element_types(tmp_path)
    with pytest.raises(ElementTypeError, match="gone"):
        load_element_types(tmp_path / "gone")
    (tmp_path / "box.toml").rename(tmp_path / "Bad Name.toml")
    (tmp_path / "Bad Name.toml").write_text('[netconf]\nmodules = ["a"]')
    with pytest.raises(ElementTypeError, match="Bad Name"):
        load_element_types(tmp_path)
