"""The shipped table is what the installed packages say."""

import pytest

pytest.importorskip("pysnmp_mibs")

from ocs.faults.mibs.bundle import bundle, write_table
from ocs.faults.mibs.standard import standard_modules

# pysnmp-mibs calls pysnmp by its older names.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SAMPLE = [
    "IF-MIB",
    "SNMPv2-MIB",
    "UPS-MIB",
    "BGP4-MIB",
    "OSPF-MIB",
    "ENTITY-STATE-MIB",
    "IANA-ITU-ALARM-TC-MIB",
]


def test_shipped_table_is_what_the_packages_say() -> None:
    shipped = {module.name: module for module in standard_modules()}
    made = bundle(SAMPLE)
    assert sorted(module.name for module in made) == sorted(SAMPLE)
    for module in made:
        assert module == shipped[module.name], "run `python -m ocs.faults.mibs.bundle`"


def test_table_is_read_as_it_was_written(tmp_path, monkeypatch) -> None:
    made = bundle(["UPS-MIB"])
    write_table(made, tmp_path / "table")
    monkeypatch.setattr("ocs.faults.mibs.standard.STANDARD_TABLE", tmp_path / "table")
    assert standard_modules.__wrapped__() == made
