"""MIB sources to modules: a vendor's files, net-snmp's own against what pysnmp-mibs says of them, and errors of broken ones."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocs.faults.mibs import MibError, MibNames, compiler
from ocs.faults.mibs.compiler import MibSource, compile_mibs, read_source
from ocs.faults.mibs.model import BaseType, MibModule, NodeKind
from ocs.faults.notification import Syntax
from tests.support.notifications import standard_names
from tests.support.processes import ROOT

MIBS = ROOT / "tests" / "data" / "mibs"
NET_SNMP = Path("/usr/share/snmp/mibs")
KNOWN = {module.name: module for module in standard_names().modules}


def compiled(*sources: MibSource) -> tuple[MibModule, ...]:
    return compile_mibs(sources, KNOWN)


def example() -> MibNames:
    files = [read_source(MIBS / f"EXAMPLE-{name}-MIB.txt") for name in ("SHELF", "ROOT", "OLD")]
    return MibNames([*standard_names().modules, *compile_mibs(files, KNOWN)])


def source(body: str, imports: str = "enterprises FROM SNMPv2-SMI") -> MibSource:
    return MibSource("bad.txt", f"BAD-MIB DEFINITIONS ::= BEGIN\nIMPORTS {imports};\n{body}\nEND\n")


def test_files_are_compiled_in_the_order_of_their_imports() -> None:
    files = [read_source(MIBS / f"EXAMPLE-{name}-MIB.txt") for name in ("SHELF", "ROOT", "OLD")]
    modules = compiled(*files)
    names = [module.name for module in modules]
    assert names.index("EXAMPLE-ROOT-MIB") < names.index("EXAMPLE-SHELF-MIB")


def test_vendor_module_names_its_objects_and_shows_their_values() -> None:
    names = example()
    column = "1.3.6.1.4.1.32473.7.1.1.1"
    assert names.name_of(f"{column}.3.2.97.98") == "EXAMPLE-SHELF-MIB::cardState.2.97.98"
    assert names.value_text(f"{column}.3.2.97", Syntax.INTEGER, 3) == "failed"
    assert names.value_text(f"{column}.4.2.97", Syntax.INTEGER, 415) == "41.5"
    assert (
        names.value_text(f"{column}.5.2.97", Syntax.OCTET_STRING, bytes.fromhex("07ea0b160c000000"))
        == "2026-11-22,12:0:0.0"
    )
    assert names.value_text(f"{column}.6.2.97", Syntax.OCTET_STRING, bytes(6)) == "00:00:00:00:00:00"
    assert names.value_text(f"{column}.7.2.97", Syntax.OCTET_STRING, b"\x40\x40") == "power clock"


def test_index_of_a_row_and_of_one_that_augments_it_is_read_with_implied() -> None:
    names = example()
    for name in ("cardState", "cardUsage"):
        oid = names.oid_of(f"EXAMPLE-SHELF-MIB::{name}")
        assert names.index_texts(f"{oid}.2.97.98") == ("2", "ab")


def test_notification_knows_its_objects() -> None:
    found = example().notification("1.3.6.1.4.1.32473.7.0.1")
    assert found is not None
    assert found.related == ("EXAMPLE-SHELF-MIB::cardState", "IF-MIB::ifIndex")


def test_trap_of_SMIv1_becomes_enterprise_0_number() -> None:
    names = example()
    assert names.oid_of("EXAMPLE-OLD-MIB::oldFailure") == "1.3.6.1.4.1.32473.9.0.12"
    assert names.value_text("1.3.6.1.4.1.32473.9.1.0", Syntax.OCTET_STRING, b"why") == "why"


def test_generic_trap_of_SMIv1_is_one_of_snmpTraps() -> None:
    imports = "snmp FROM RFC1213-MIB TRAP-TYPE FROM RFC-1215"
    (module,) = compiled(source("myLinkDown TRAP-TYPE ENTERPRISE snmp ::= 2", imports))
    assert module.objects[0].oid == "1.3.6.1.6.3.1.1.5.3"


@pytest.mark.parametrize("name", ["UCD-SNMP-MIB", "NET-SNMP-AGENT-MIB", "NET-SNMP-EXTEND-MIB"])
def test_net_snmp_s_own_files_give_what_pysnmp_mibs_says(name) -> None:
    """An independent compiler made the other one, from an older edition of the same files."""
    if not (NET_SNMP / f"{name}.txt").exists():
        pytest.skip("net-snmp's MIB files are not installed")
    (mine,) = compiled(read_source(NET_SNMP / f"{name}.txt"))
    theirs = KNOWN[name]
    objects = {one.name: one for one in mine.objects}
    compared = 0
    for other in theirs.objects:
        if (one := objects.get(other.name)) is None:
            continue
        compared += 1
        assert (one.oid, one.kind, one.related) == (other.oid, other.kind, other.related)
        kind, expected = mine.type_of(one), theirs.type_of(other)
        if kind is not None and expected is not None:
            assert (kind.base, kind.hint, kind.labels) == (expected.base, expected.hint, expected.labels)
    assert compared >= 20


@pytest.mark.parametrize(
    ("broken", "line", "says"),
    [
        (source("a OBJECT IDENTIFIER ::= { nowhere 1 }"), 3, "nowhere is neither defined nor imported"),
        (source("a OBJECT IDENTIFIER ::= { foo 1 }", "foo FROM NOPE-MIB"), 2, "imports foo from NOPE-MIB, which nobody knows"),
        (source("a OBJECT IDENTIFIER ::= { foo 1 }", "foo FROM IF-MIB"), 3, "imported from IF-MIB, which has no such object"),
        (source("\na OBJECT IDENTIFIER ::= { b 1 }\nb OBJECT IDENTIFIER ::= { a 1 }"), 4, "leads back to itself"),
        (source('A ::= B\nB ::= A\na OBJECT-TYPE SYNTAX A MAX-ACCESS read-only STATUS current DESCRIPTION "" ::= { enterprises 1 }'), 3, "the type A leads back to itself"),
        (source('a OBJECT-TYPE SYNTAX Zorn MAX-ACCESS read-only STATUS current DESCRIPTION "" ::= { enterprises 1 }'), 3, "the type Zorn of a is neither defined nor imported"),
        (source("\n\na OBJECT BLAH"), 5, "expected SMI as RFC 2578 defines it near 'a OBJECT BLAH'"),
        (source("a OBJECT IDENTIFIER ::= { enterprises" + " 1" * 140 + " }"), 3, "at most 128 sub-identifiers"),
        (MibSource("bad.txt", ""), 0, "expected a MIB module, found none"),
        (MibSource("bad.txt", "\0\xff" * 100), 1, "expected SMI"),
        (MibSource("bad.txt", "hello"), 1, "expected SMI"),
        (source("a OBJECT IDENTIFIER ::= " + "{" * 20_000), 3, "expected SMI"),
    ],
)  # fmt: skip
def test_broken_file_is_refused_with_its_line(broken, line, says) -> None:
    with pytest.raises(MibError, match=r"^[^\n]*$") as refused:
        compiled(broken)
    assert (refused.value.file, refused.value.line) == ("bad.txt", line)
    assert says in str(refused.value)


def test_modules_that_import_each_other_are_refused() -> None:
    one = MibSource(
        "a.txt", "A-MIB DEFINITIONS ::= BEGIN IMPORTS b FROM B-MIB; a OBJECT IDENTIFIER ::= { b 1 } END"
    )
    other = MibSource(
        "b.txt", "B-MIB DEFINITIONS ::= BEGIN IMPORTS a FROM A-MIB; b OBJECT IDENTIFIER ::= { a 1 } END"
    )
    with pytest.raises(MibError, match="the modules A-MIB, B-MIB import each other in a circle"):
        compiled(one, other)


def test_module_whose_name_is_too_long_for_a_file_is_refused() -> None:
    long = "A" * 70
    with pytest.raises(MibError, match="expected a module's name"):
        compiled(MibSource("x.txt", f"{long} DEFINITIONS ::= BEGIN a OBJECT IDENTIFIER ::= {{ iso 1 }} END"))


def test_chain_of_a_thousand_names_is_refused_and_not_followed_for_ever() -> None:
    lines = "\n".join(f"a{number} OBJECT IDENTIFIER ::= {{ a{number + 1} 1 }}" for number in range(3_000))
    with pytest.raises(MibError, match="at most 128 sub-identifiers"):
        compiled(source(f"{lines}\na3000 OBJECT IDENTIFIER ::= {{ enterprises 1 }}"))


def test_types_of_types_and_enumerations_are_followed() -> None:
    (module,) = compiled(
        source(
            'Inner ::= TEXTUAL-CONVENTION DISPLAY-HINT "d-1" STATUS current DESCRIPTION "" SYNTAX Integer32\n'
            "Outer ::= Inner\n"
            'a OBJECT-TYPE SYNTAX Outer MAX-ACCESS read-only STATUS current DESCRIPTION "" ::= { enterprises 1 }\n'
            'b OBJECT-TYPE SYNTAX OCTET STRING (SIZE (8)) MAX-ACCESS read-only STATUS current DESCRIPTION "" ::= { enterprises 2 }',
            "enterprises, Integer32 FROM SNMPv2-SMI TEXTUAL-CONVENTION FROM SNMPv2-TC",
        )
    )
    first, second = (module.types[one.type_index] for one in module.objects)
    assert (first.base, first.hint) == (BaseType.INTEGER, "d-1")
    assert (second.base, second.size) == (BaseType.OCTETS, 8)
    assert module.objects[0].kind is NodeKind.SCALAR
    assert {convention.name for convention in module.conventions} == {"Inner", "Outer"}


def test_file_that_is_too_large_or_missing_is_refused(tmp_path, monkeypatch) -> None:
    with pytest.raises(MibError, match="cannot read it"):
        read_source(tmp_path / "none.txt")
    shutil.copy(MIBS / "EXAMPLE-ROOT-MIB.txt", tmp_path / "big.txt")
    monkeypatch.setattr(compiler, "MIB_SOURCE_OCTETS_MAX", 100)
    with pytest.raises(MibError, match="at most 100 octets"):
        read_source(tmp_path / "big.txt")


SHELF = (MIBS / "EXAMPLE-SHELF-MIB.txt").read_text()


@settings(max_examples=60)
@given(data=st.data())
def test_damaged_file_is_refused_or_compiled_and_nothing_else(data) -> None:
    known = {
        **KNOWN,
        **{module.name: module for module in compiled(read_source(MIBS / "EXAMPLE-ROOT-MIB.txt"))},
    }
    words = SHELF.split(" ")
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(words) - 1))
        words[at] = data.draw(
            st.sampled_from(
                ["", "{", "}", "1", "cardEntry", "INDEX", "SYNTAX", "::=", '"', "BITS", words[at // 2]]
            )
        )
    try:
        compile_mibs([MibSource("x.txt", " ".join(words))], known)
    except MibError as error:
        told = str(error)
    else:
        told = ""
    assert "\n" not in told
