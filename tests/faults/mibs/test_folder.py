"""The operator's own MIBs in their folder: kept whole, found again, and named nowhere else."""

import pytest

from ocs.faults.mibs import MibError, folder, open_mib_names
from ocs.faults.mibs.folder import own_modules, save_module
from ocs.faults.mibs.model import BaseType, MibModule, MibObject, MibType, NodeKind

MODULE = MibModule(
    "EXAMPLE-MIB",
    (MibType("Integer32", BaseType.INTEGER, "", {1: "up"}),),
    (MibObject("state", "1.3.6.1.4.1.32473.1", NodeKind.SCALAR, 0),),
)


def test_saved_module_is_found_again_and_named(tmp_path) -> None:
    path = save_module(tmp_path / "mibs", MODULE)
    assert path.name == "EXAMPLE-MIB.json"
    assert own_modules(tmp_path / "mibs") == (MODULE,)
    assert open_mib_names(tmp_path / "mibs").name_of("1.3.6.1.4.1.32473.1.0") == "EXAMPLE-MIB::state.0"


def test_own_module_replaces_the_standard_one_of_its_name(tmp_path) -> None:
    mine = MibModule("IF-MIB", (), (MibObject("myOwn", "1.3.6.1.2.1.2.2.1.2", NodeKind.NODE),))
    save_module(tmp_path, mine)
    known = open_mib_names(tmp_path)
    assert known.name_of("1.3.6.1.2.1.2.2.1.2.3") == "IF-MIB::myOwn.3"
    assert known.module("IF-MIB") == mine


def test_folder_that_does_not_exist_holds_nothing(tmp_path) -> None:
    assert own_modules(tmp_path / "none") == ()


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "", ".hidden", "x" * 65, "A MIB", "A\0B"])
def test_name_that_leads_elsewhere_is_refused(tmp_path, name) -> None:
    with pytest.raises(MibError, match="expected a module's name"):
        save_module(tmp_path / "mibs", MibModule(name, (), ()))
    assert not (tmp_path / "mibs").exists()


@pytest.mark.parametrize("content", [b"", b"{}", b'["A",[],[["x"]]]', b"\xff\xfe"])
def test_file_that_we_did_not_write_is_refused_by_its_name(tmp_path, content) -> None:
    (tmp_path / "BAD-MIB.json").write_bytes(content)
    with pytest.raises(MibError, match=r"BAD-MIB.json: expected what `ocs faults mib add` writes"):
        own_modules(tmp_path)


def test_sizes_are_bounded(tmp_path, monkeypatch) -> None:
    save_module(tmp_path, MODULE)
    monkeypatch.setattr(folder, "MIB_TABLE_OCTETS_MAX", 10)
    with pytest.raises(MibError, match="at most 10 octets"):
        own_modules(tmp_path)
    monkeypatch.setattr(folder, "MIB_MODULES_MAX", 0)
    with pytest.raises(MibError, match="at most 0 modules, found 1"):
        own_modules(tmp_path)
