"""Modules from files."""

from pathlib import Path

import pytest

from ocs.provisioning.schema.schema import SchemaError
from ocs.provisioning.schema.yang import load_schema
from tests.support.elements import YANG

MODULE = """
module lab {
  yang-version 1.1; namespace "urn:lab"; prefix l;
  import ietf-inet-types { prefix inet; }
  identity base; identity one { base base; } identity two { base one; } identity other;
  typedef percent { type uint8 { range "0..100"; } default 50; }
  container top {
    leaf p { type percent; }
    leaf i { type identityref { base base; } default l:two; }
    leaf v6 { type inet:ipv6-address; }
    leaf net { type inet:ip-prefix; }
    leaf name { type inet:domain-name; }
    leaf e { type empty; }
    leaf b { type bits { bit x; bit y; } }
    leaf d { type decimal64 { fraction-digits 2; range "0 .. 9.99"; } }
    leaf u { type union { type uint8; type enumeration { enum auto; } } }
    leaf s { type string { length "2..4"; pattern '[a-z\\p{N}]+'; } }
    leaf bin { type binary { length "1..3"; } }
    leaf ref { type leafref { path "../p"; } }
    leaf where { type instance-identifier; }
    list state { config false; leaf x { type string; } }
  }
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "lab.yang").write_text(MODULE)
    return tmp_path


@pytest.mark.parametrize(
    ("leaf", "text", "canonical"),
    [
        ("p", "100", "100"), ("i", "one", "lab:one"), ("v6", "2001:DB8::0:1", "2001:db8::1"),
        ("net", "192.0.2.9/24", "192.0.2.0/24"), ("name", "NTP.Example.NET", "ntp.example.net"), ("e", "", ""),
        ("b", "y x", "x y"), ("d", "1.50", "1.5"), ("u", "07", "7"), ("u", "auto", "auto"), ("s", "a1", "a1"),
        ("bin", "AQI=", "AQI="), ("ref", "+3", "3"), ("where", "/lab:top/lab:p", "/lab:top/p"),
    ],
)  # fmt: skip
def test_values_of_each_type_have_their_canonical_form(
    folder: Path, leaf: str, text: str, canonical: str
) -> None:
    node = load_schema([folder, YANG], ["lab"]).node(f"/lab:top/{leaf}")
    assert node.canonical(text) == canonical
    assert node.canonical(canonical) == canonical


@pytest.mark.parametrize(
    ("leaf", "text"),
    [
        ("p", "101"), ("i", "base"), ("i", "other"), ("v6", "192.0.2.1"), ("net", "192.0.2.9"), ("e", "x"), ("b", "z"),
        ("d", "10"), ("d", "1.001"), ("u", "256"), ("s", "A1"), ("s", "abcde"), ("s", "a"), ("bin", "AQIDBA=="), ("ref", "101"),
        ("where", "top"),
    ],
)  # fmt: skip
def test_values_that_a_type_does_not_take_are_refused_with_a_reason(
    folder: Path, leaf: str, text: str
) -> None:
    assert load_schema([folder, YANG], ["lab"]).node(f"/lab:top/{leaf}").check(text)


def test_defaults_are_those_of_leaf_and_type(folder: Path) -> None:
    schema = load_schema([folder, YANG], ["lab"])
    assert schema.node("/lab:top/p").default == "50"
    assert schema.node("/lab:top/i").default == "lab:two"
    assert schema.node("/lab:top/s").default is None
    assert schema.node("/lab:top/state").keys == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('module lab { namespace "urn:x"; prefix l; leaf a { type nothing; } }', "lab.yang:1"),
        ('module lab { namespace "urn:x"; prefix l; import gone { prefix g; } }', "gone"),
        ("mod", "lab"),
    ],
)
def test_a_broken_module_is_named_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "lab.yang").write_text(text)
    with pytest.raises(SchemaError) as refused:
        load_schema([tmp_path, YANG], ["lab"])
    assert words in str(refused.value)


def test_a_missing_module_is_named(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="lab"):
        load_schema([tmp_path], ["lab"])


def test_shipped_modules_are_without_fault_and_loaded_once() -> None:
    names = sorted(
        {path.stem.partition("@")[0] for path in YANG.glob("ietf-*.yang") if "snmp-" not in path.stem}
    )
    assert load_schema([YANG], names) is load_schema([YANG], tuple(reversed(names)))
