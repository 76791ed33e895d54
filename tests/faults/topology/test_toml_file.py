from pathlib import Path

import pytest

from ocs.faults.topology import toml_file
from ocs.faults.topology.schema import TopologyError, TopologyFile
from ocs.faults.topology.toml_file import read_toml


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"[[elements", "t.toml: expected TOML: "),
        (b"\xff", "t.toml: expected TOML: "),
        (b"a = " + b"[" * 100_000, "t.toml: expected TOML: nested too deeply"),
        (b"[[element]]", "t.toml: expected no key element"),
        (b'[[elements]]\nname = "x"\nsites = "a"', "t.toml: elements[x]: expected no key sites"),
        (
            b'[[elements]]\nname = "x"\naddresses = "a"',
            "t.toml: elements[x].addresses: expected array, got str",
        ),
        (b'[[elements]]\nsite = "x"', "t.toml: elements[0]: object missing required field name"),
        (
            b'[[elements]]\nname = "x"\ninterfaces = [{ name = "a", index = "1" }]',
            "t.toml: elements[x].interfaces[a].index: expected int, got str",
        ),
    ],
)
def test_what_is_no_topology_is_one_line_that_names_file_and_entry(
    tmp_path: Path, octets: bytes, expected: str
) -> None:
    path = tmp_path / "t.toml"
    path.write_bytes(octets)
    with pytest.raises(TopologyError) as caught:
        read_toml(path, TopologyFile)
    assert str(caught.value).startswith(f"{tmp_path}/{expected}")
    assert "\n" not in str(caught.value)


def test_a_file_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.toml"
    path.write_text("# a comment that is longer")
    monkeypatch.setattr(toml_file, "TOPOLOGY_FILE_OCTETS_MAX", 10)
    with pytest.raises(TopologyError, match="at most 10 octets"):
        read_toml(path, TopologyFile)


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(TopologyError, match=r"t\.toml: expected a readable file"):
        read_toml(tmp_path / "t.toml", TopologyFile)
