"""Directory numbers: ranges, who has which, quarantine and portability."""

import threading

import pytest

from ocs.inventory.errors import ExhaustedError, InUseError, InventoryError, NotInInventoryError
from ocs.inventory.number_states import NumberState
from ocs.inventory.numbers import (
    DirectoryNumber,
    NumberRange,
    add_range,
    assign_number,
    get_number,
    list_numbers,
    list_ranges,
    port_back,
    port_in,
    port_out,
    recover_numbers,
    release_number,
    reserve_number,
    withdraw_number,
)
from ocs.sql import Database

_RANGE = NumberRange(name="mobile", first="491700000000", last="491700000009")


@pytest.fixture
def numbers(database: Database) -> Database:
    database.write_blocking(lambda connection: add_range(connection, _RANGE))
    return database


def state_of(database: Database, msisdn: str) -> NumberState:
    return database.read_blocking(lambda connection: get_number(connection, msisdn)).state


def reserve(database: Database, holder: str, until_ms: int = 1_000) -> DirectoryNumber:
    return database.write_blocking(
        lambda connection: reserve_number(connection, holder=holder, until_ms=until_ms, range_name="mobile")
    )


def test_range_is_filled_with_numbers_that_are_available(numbers: Database) -> None:
    (use,) = numbers.read_blocking(list_ranges)
    assert (use.range, use.states) == (_RANGE, {NumberState.AVAILABLE: 10})
    listed = numbers.read_blocking(lambda connection: list_numbers(connection, after_msisdn="491700000007"))
    assert [one.msisdn for one in listed] == ["491700000008", "491700000009"]


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("491700000009", "491700000011", "491700000009 is in the inventory already"),
        ("49170", "491711", "one length"),
        ("491711", "491710", "one length"),
        ("0491710", "0491711", "international form"),
        ("4917x1", "4917x2", "international form"),
        ("491000000", "493000000", "at most 1,000,000"),
    ],
)
def test_range_that_cannot_be_ours_is_refused(numbers: Database, first: str, last: str, said: str) -> None:
    with pytest.raises(InventoryError, match=said):
        numbers.write_blocking(
            lambda connection: add_range(connection, NumberRange(name="other", first=first, last=last))
        )
    assert len(numbers.read_blocking(list_ranges)) == 1


def test_number_goes_its_way_from_available_to_available(numbers: Database) -> None:
    reserved = reserve(numbers, "sub-1")
    msisdn = reserved.msisdn
    assert (msisdn, reserved.holder) == (_RANGE.first, "sub-1")
    assert reserve(numbers, "sub-1", 2_000).until_ms == 2_000
    numbers.write_blocking(lambda connection: assign_number(connection, msisdn, "sub-1"))
    again = numbers.write_blocking(lambda connection: assign_number(connection, msisdn, "sub-1"))
    assert (again.state, again.holder) == (NumberState.ASSIGNED, "sub-1")
    with pytest.raises(InUseError, match="sub-1"):
        numbers.write_blocking(lambda connection: assign_number(connection, msisdn, "sub-2"))
    rests = numbers.write_blocking(
        lambda connection: withdraw_number(connection, msisdn, "sub-1", until_ms=9_000)
    )
    assert rests is not None
    assert (rests.state, rests.holder, rests.until_ms) == (NumberState.QUARANTINED, "", 9_000)
    assert numbers.write_blocking(lambda connection: recover_numbers(connection, 8_999)) == 0
    assert numbers.write_blocking(lambda connection: recover_numbers(connection, 9_000)) == 1
    assert state_of(numbers, msisdn) is NumberState.AVAILABLE


def test_reservation_that_expired_is_free_again_and_one_that_was_released_too(numbers: Database) -> None:
    first, second = reserve(numbers, "a"), reserve(numbers, "b")
    assert first.msisdn != second.msisdn
    with pytest.raises(InUseError, match="expected a to have it"):
        numbers.write_blocking(lambda connection: release_number(connection, second.msisdn, "a"))
    numbers.write_blocking(lambda connection: release_number(connection, second.msisdn, "b"))
    numbers.write_blocking(lambda connection: recover_numbers(connection, 1_000))
    assert {state_of(numbers, one.msisdn) for one in (first, second)} == {NumberState.AVAILABLE}


def test_certain_number_is_reserved_once(numbers: Database) -> None:
    def wanted(holder: str) -> DirectoryNumber:
        return numbers.write_blocking(
            lambda connection: reserve_number(connection, holder=holder, until_ms=5, msisdn="491700000005")
        )

    assert wanted("a").msisdn == wanted("a").msisdn == "491700000005"
    with pytest.raises(InUseError, match="cannot be reserved"):
        wanted("b")


def test_empty_range_and_unknown_one_are_told_apart(numbers: Database) -> None:
    for holder in range(10):
        reserve(numbers, f"h{holder}")
    with pytest.raises(ExhaustedError, match="mobile"):
        reserve(numbers, "one too many")
    with pytest.raises(NotInInventoryError, match="no such range"):
        numbers.write_blocking(
            lambda connection: reserve_number(connection, holder="h", until_ms=1, range_name="nothing")
        )


def test_ported_out_number_names_its_network_and_rests_when_it_is_back(numbers: Database) -> None:
    msisdn = _RANGE.first
    with pytest.raises(InUseError, match="available cannot be ported out"):
        numbers.write_blocking(lambda connection: port_out(connection, msisdn, network="D099"))
    numbers.write_blocking(lambda connection: assign_number(connection, msisdn, "sub-1"))
    gone = numbers.write_blocking(lambda connection: port_out(connection, msisdn, network="D099"))
    assert (gone.state, gone.network, gone.holder) == (NumberState.PORTED_OUT, "D099", "")
    back = numbers.write_blocking(lambda connection: port_back(connection, msisdn, until_ms=7))
    assert (back.state, back.network, back.until_ms) == (NumberState.QUARANTINED, "", 7)


def test_ported_in_number_is_served_until_its_holder_leaves(numbers: Database) -> None:
    def port(holder: str = "sub-9", msisdn: str = "447700900001") -> DirectoryNumber:
        return numbers.write_blocking(
            lambda connection: port_in(connection, msisdn, network="UK1", holder=holder)
        )

    ported = port()
    assert (ported.range_name, ported.state, ported.network) == ("", NumberState.ASSIGNED, "UK1")
    assert port() == ported
    with pytest.raises(InUseError):
        port("somebody else")
    with pytest.raises(InUseError, match="another network"):
        port(msisdn=_RANGE.first)
    with pytest.raises(InventoryError, match="our ranges"):
        numbers.write_blocking(lambda connection: port_out(connection, "447700900001", network="X"))
    left = numbers.write_blocking(
        lambda connection: withdraw_number(connection, "447700900001", "sub-9", until_ms=1)
    )
    assert left is None
    with pytest.raises(NotInInventoryError):
        state_of(numbers, "447700900001")


def test_many_at_once_never_get_the_same_number(numbers: Database) -> None:
    taken: list[str] = []

    def take(holder: int) -> None:
        taken.append(reserve(numbers, f"holder-{holder}").msisdn)

    threads = [threading.Thread(target=take, args=(holder,)) for holder in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(taken) == [str(int(_RANGE.first) + place) for place in range(10)]
