"""SIMs, and their keys that nobody sees."""

from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from ocs.inventory.errors import InUseError, InventoryError, NotInInventoryError
from ocs.inventory.iccid import luhn_digit
from ocs.inventory.sim_keys import SimKeys, load_sim_keys
from ocs.inventory.sims import (
    NewSim,
    SimState,
    add_sims,
    assign_sim,
    block_sim,
    find_sim,
    get_sim,
    list_sims,
    open_ki,
    retire_sim,
)
from ocs.secret_file import SecretFileError
from ocs.settings import InventorySettings, Settings
from ocs.sql import Database

_KI = "00112233445566778899aabbccddeeff"


def sim(number: int, ki: str = _KI) -> NewSim:
    digits = f"8949017{number:011d}"
    return NewSim(iccid=digits + luhn_digit(digits), imsi=f"26201{number:010d}", ki=ki)


@pytest.fixture
def keys(tmp_path: Path) -> SimKeys:
    return load_sim_keys(Settings(), tmp_path)


@pytest.fixture
def sims(database: Database, keys: SimKeys) -> Database:
    database.write_blocking(lambda connection: add_sims(connection, map(sim, range(5)), keys))
    return database


def test_key_comes_back_and_lies_nowhere_in_clear(sims: Database, keys: SimKeys, tmp_path: Path) -> None:
    opened = sims.read_blocking(lambda connection: open_ki(connection, sim(3).iccid, keys))
    assert opened.hex() == _KI
    rows = sims.read_blocking(lambda connection: connection.execute(text("SELECT sealed_ki FROM sim")).all())
    assert len({bytes(row[0]) for row in rows}) == 5
    assert not any(bytes.fromhex(_KI) in bytes(row[0]) for row in rows)
    if sims.is_sqlite:
        content = b"".join(path.read_bytes() for path in tmp_path.glob("ocs.db*"))
        assert bytes.fromhex(_KI) not in content
        assert _KI.encode() not in content.lower()


def test_nothing_that_is_shown_holds_a_key(sims: Database, keys: SimKeys) -> None:
    shown = repr(sim(1)) + repr(keys) + repr(sims.read_blocking(list_sims))
    assert _KI not in shown
    assert "ki" not in shown.replace("imsi", "")
    with pytest.raises(InventoryError) as refused:
        sims.write_blocking(lambda connection: add_sims(connection, [sim(9, _KI + "zz")], keys))
    assert _KI not in str(refused.value)
    with pytest.raises(InUseError) as twice:
        sims.write_blocking(lambda connection: add_sims(connection, [sim(9), sim(9)], keys))
    assert twice.value.__cause__ is None


def test_key_opens_for_its_own_sim_and_under_its_own_key_only(sims: Database, keys: SimKeys) -> None:
    def swap(connection: Connection) -> None:
        connection.execute(
            text("UPDATE sim SET sealed_ki = (SELECT sealed_ki FROM sim WHERE iccid = :a) WHERE iccid = :b"),
            {"a": sim(1).iccid, "b": sim(2).iccid},
        )

    sims.write_blocking(swap)
    with pytest.raises(InventoryError, match="does not open"):
        sims.read_blocking(lambda connection: open_ki(connection, sim(2).iccid, keys))
    with pytest.raises(InventoryError, match=r"inventory\.key_file"):
        sims.read_blocking(lambda connection: open_ki(connection, sim(1).iccid, SimKeys(bytes(32))))


def test_sim_goes_its_way_and_is_never_given_to_two(sims: Database) -> None:
    iccid = sim(0).iccid
    given = sims.write_blocking(lambda connection: assign_sim(connection, iccid, "sub-1"))
    assert sims.write_blocking(lambda connection: assign_sim(connection, sim(0).imsi, "sub-1")) == given
    with pytest.raises(InUseError):
        sims.write_blocking(lambda connection: assign_sim(connection, iccid, "sub-2"))
    assert sims.write_blocking(lambda connection: block_sim(connection, iccid)).holder == "sub-1"
    assert sims.write_blocking(lambda connection: retire_sim(connection, iccid)).state is SimState.RETIRED
    with pytest.raises(InUseError, match="retired cannot become assigned"):
        sims.write_blocking(lambda connection: assign_sim(connection, iccid, "sub-1"))


def test_sims_are_listed_by_state_and_holder(sims: Database) -> None:
    sims.write_blocking(lambda connection: assign_sim(connection, sim(4).iccid, "sub-1"))
    assert [
        one.imsi for one in sims.read_blocking(lambda connection: list_sims(connection, holder="sub-1"))
    ] == [sim(4).imsi]
    available = sims.read_blocking(
        lambda connection: list_sims(connection, state=SimState.AVAILABLE, limit=3)
    )
    assert len(available) == 3
    assert sims.read_blocking(lambda connection: find_sim(connection, "89")) is None
    with pytest.raises(NotInInventoryError):
        sims.read_blocking(lambda connection: get_sim(connection, "89"))


def test_delivery_with_one_that_is_there_is_refused_as_a_whole(sims: Database, keys: SimKeys) -> None:
    with pytest.raises(InUseError, match=sim(4).iccid):
        sims.write_blocking(lambda connection: add_sims(connection, [sim(7), sim(4)], keys))
    assert sims.read_blocking(lambda connection: find_sim(connection, sim(7).iccid)) is None


def test_key_file_is_made_once_and_read_by_nobody_else(tmp_path: Path) -> None:
    first = load_sim_keys(Settings(), tmp_path)
    sealed = first.seal(_KI, iccid="1", imsi="2")
    assert load_sim_keys(Settings(), tmp_path).open(sealed, iccid="1", imsi="2").hex() == _KI
    assert (tmp_path / "inventory.key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["inventory.key"]


def test_key_file_that_is_none_is_told(tmp_path: Path) -> None:
    named = Settings(inventory=InventorySettings(key_file="own.key"), directory=tmp_path)
    with pytest.raises(SecretFileError):
        load_sim_keys(named, tmp_path)
    path = tmp_path / "own.key"
    path.write_text("too short")
    path.chmod(0o600)
    with pytest.raises(InventoryError, match="64 hexadecimal digits"):
        load_sim_keys(named, tmp_path)
