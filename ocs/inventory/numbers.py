"""Directory numbers (MSISDN): ranges that are ours, and each number's state, holder and network.

Each number of a range is a row, so that the next free one is the first of an index, and two who want one at once never
get the same. A number that was ported in belongs to no range of ours and is a row for as long as we serve it.
"""

import re
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, delete, func, select, text, update

from ocs.inventory.errors import ExhaustedError, InUseError, InventoryError, NotInInventoryError
from ocs.inventory.number_states import NumberDeed, NumberState, after
from ocs.inventory.statements import insert_missing, insert_rows, page_size
from ocs.inventory.tables import DIRECTORY_NUMBER, NUMBER_RANGE
from ocs.limits import MSISDN_DIGITS_MAX, MSISDN_DIGITS_MIN, RANGE_NUMBERS_MAX, RESERVATION_ATTEMPTS_MAX

_MSISDN: Final = re.compile(r"[1-9][0-9]*")
_COLUMNS: Final = DIRECTORY_NUMBER.c
# One statement makes a whole range.
_FILL: Final = text(
    "INSERT INTO directory_number (msisdn, range, state, holder, until_ms, network)"
    " WITH RECURSIVE series(n) AS (SELECT CAST(:first AS BIGINT) UNION ALL SELECT n + 1 FROM series WHERE n < :last)"
    " SELECT n, :name, 'available', '', NULL, '' FROM series"
)


class NumberRange(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers that the regulator gave us.

    Attributes:
        name: the operator's. first, last: in the international form without plus (ITU-T E.164), both included.
    """

    name: str
    first: str
    last: str


class DirectoryNumber(msgspec.Struct, frozen=True, kw_only=True):
    """A number.

    Attributes:
        range_name: empty: ported in. holder: the service that has it, or has it reserved.
        until_ms: when a reservation or the quarantine ends. network: where it was ported to, or from.
    """

    msisdn: str
    range_name: str
    state: NumberState
    holder: str = ""
    until_ms: int | None = None
    network: str = ""


class RangeUse(msgspec.Struct, frozen=True):
    """A range, and how many of its numbers are in which state."""

    range: NumberRange
    states: dict[NumberState, int]


def add_range(connection: Connection, number_range: NumberRange) -> None:
    """Put a range and its numbers into the inventory, all available.

    Raises:
        InventoryError: it is none, or too long. InUseError: one of its numbers is there already.
    """
    first, last = _msisdn(number_range.first), _msisdn(number_range.last)
    if not number_range.name or len(number_range.first) != len(number_range.last) or first > last:
        raise InventoryError(
            f"{number_range.first}-{number_range.last}: expected a name and a range of one length"
        )
    if last - first >= RANGE_NUMBERS_MAX:
        raise InventoryError(
            f"{number_range.name}: expected at most {RANGE_NUMBERS_MAX:,} numbers in one range"
        )
    taken = connection.scalar(select(_COLUMNS.msisdn).where(_COLUMNS.msisdn.between(first, last)).limit(1))
    if taken is not None:
        raise InUseError(f"{number_range.name}: {taken} is in the inventory already")
    if connection.scalar(select(NUMBER_RANGE.c.name).where(NUMBER_RANGE.c.name == number_range.name)):
        raise InUseError(f"{number_range.name}: there is such a range already")
    insert_rows(connection, NUMBER_RANGE, [{"name": number_range.name, "first": first, "last": last}])
    connection.execute(_FILL, {"first": first, "last": last, "name": number_range.name})


def list_ranges(connection: Connection) -> list[RangeUse]:
    """Every range, by name."""
    counts: dict[str, dict[NumberState, int]] = {}
    for name, state, count in connection.execute(
        select(_COLUMNS.range, _COLUMNS.state, func.count())
        .where(_COLUMNS.range.is_not(None))
        .group_by(_COLUMNS.range, _COLUMNS.state)
    ):
        counts.setdefault(name, {})[NumberState(state)] = count
    return [
        RangeUse(
            NumberRange(name=row.name, first=str(row.first), last=str(row.last)), counts.get(row.name, {})
        )
        for row in connection.execute(select(NUMBER_RANGE).order_by(NUMBER_RANGE.c.name))
    ]


def get_number(connection: Connection, msisdn: str) -> DirectoryNumber:
    """A number.

    Raises:
        NotInInventoryError: it is in no range of ours, and not ported in.
    """
    row = connection.execute(select(DIRECTORY_NUMBER).where(_COLUMNS.msisdn == _msisdn(msisdn))).one_or_none()
    if row is None:
        raise NotInInventoryError(f"{msisdn}: this number is in no range of ours, and not ported in")
    return _number(row)


def list_numbers(
    connection: Connection,
    *,
    range_name: str = "",
    state: NumberState | None = None,
    holder: str = "",
    after_msisdn: str = "",
    limit: int = 100,
) -> list[DirectoryNumber]:
    """A page of numbers, ascending; what is unsaid is any."""
    conditions: list[ColumnElement[bool]] = []
    if range_name:
        conditions.append(_COLUMNS.range == range_name)
    if state is not None:
        conditions.append(_COLUMNS.state == str(state))
    if holder:
        conditions.append(_COLUMNS.holder == holder)
    if after_msisdn:
        conditions.append(_COLUMNS.msisdn > _msisdn(after_msisdn))
    rows = connection.execute(
        select(DIRECTORY_NUMBER).where(*conditions).order_by(_COLUMNS.msisdn).limit(page_size(limit))
    )
    return [_number(row) for row in rows]


# --- Deeds --------------------------------------------------------------------------------------------------------


def reserve_number(
    connection: Connection, *, holder: str, until_ms: int, range_name: str = "", msisdn: str = ""
) -> DirectoryNumber:
    """Reserve a number for somebody: a certain one, or the first free one of a range.

    Asking again for the same holder gives the same number, with the later end.

    Raises:
        ExhaustedError: none is free in the range. InUseError: the number is not free. NotInInventoryError: no such one.
    """
    if bool(range_name) == bool(msisdn) or not holder:
        raise InventoryError("expected a holder, and one of a range and a number")
    own = _own(connection, holder, range_name, msisdn)
    if own is not None:
        return _write(connection, own, state=NumberState.RESERVED, holder=holder, until_ms=until_ms)
    if msisdn:
        return _do(connection, msisdn, NumberDeed.RESERVE, holder=holder, until_ms=until_ms)
    for _ in range(RESERVATION_ATTEMPTS_MAX):
        free = connection.execute(
            select(DIRECTORY_NUMBER)
            .where(_COLUMNS.range == range_name, _COLUMNS.state == str(NumberState.AVAILABLE))
            .order_by(_COLUMNS.msisdn)
            .limit(1)
            .with_for_update(
                skip_locked=True
            )  # PostgreSQL: whoever is there first takes it, others the next one
        ).one_or_none()
        if free is None:
            break
        try:
            return _write(
                connection, _number(free), state=NumberState.RESERVED, holder=holder, until_ms=until_ms
            )
        except InUseError:
            continue
    _check_range(connection, range_name)
    raise ExhaustedError(f"{range_name}: no number of this range is available")


def release_number(connection: Connection, msisdn: str, holder: str) -> DirectoryNumber:
    """Give a reserved number back.

    Raises:
        InUseError: it is not reserved, or by somebody else.
    """
    _check_holder(connection, msisdn, holder)
    return _do(connection, msisdn, NumberDeed.RELEASE)


def assign_number(connection: Connection, msisdn: str, holder: str) -> DirectoryNumber:
    """Give a number to a service: one that is available, or reserved for it; doing so again changes nothing.

    A number that rests goes back to its last holder only by an operator's decision, which this is.

    Raises:
        InUseError: somebody else has it.
    """
    number = get_number(connection, msisdn)
    if number.holder and number.holder != holder:
        raise InUseError(f"{msisdn}: this number is {number.state} for {number.holder}")
    if number.state is NumberState.ASSIGNED:
        return number
    return _do(connection, msisdn, NumberDeed.ASSIGN, holder=holder)


def withdraw_number(
    connection: Connection, msisdn: str, holder: str, *, until_ms: int
) -> DirectoryNumber | None:
    """Take a number from its holder; it rests until a moment. One that was ported in goes home: None.

    Raises:
        InUseError: it is not assigned to the holder.
    """
    _check_holder(connection, msisdn, holder)
    number = get_number(connection, msisdn)
    if number.range_name:
        return _do(connection, msisdn, NumberDeed.WITHDRAW, until_ms=until_ms)
    after(msisdn, number.state, NumberDeed.WITHDRAW)
    connection.execute(delete(DIRECTORY_NUMBER).where(_COLUMNS.msisdn == _msisdn(msisdn)))
    return None


def port_out(connection: Connection, msisdn: str, *, network: str) -> DirectoryNumber:
    """Note that another network serves a number of ours from now on.

    Raises:
        InventoryError: it was ported in: port it back to its donor by :func:`withdraw_number`.
        InUseError: in its state it cannot be ported.
    """
    number = get_number(connection, msisdn)
    if not number.range_name or not network:
        raise InventoryError(f"{msisdn}: expected a number of our ranges, and the network that takes it")
    return _do(connection, msisdn, NumberDeed.PORT_OUT, network=network)


def port_back(connection: Connection, msisdn: str, *, until_ms: int) -> DirectoryNumber:
    """Note that a number of ours came back; it rests until a moment.

    Raises:
        InUseError: it was not ported out.
    """
    return _do(connection, msisdn, NumberDeed.PORT_BACK, until_ms=until_ms)


def port_in(connection: Connection, msisdn: str, *, network: str, holder: str) -> DirectoryNumber:
    """Note that we serve a number of another network from now on; doing so again changes nothing.

    Raises:
        InUseError: it is one of ours, or somebody else has it.
    """
    if not network or not holder:
        raise InventoryError(f"{msisdn}: expected the network that gave it, and who has it")
    row = {"msisdn": _msisdn(msisdn), "range": None, "holder": holder, "until_ms": None, "network": network}
    insert_missing(connection, DIRECTORY_NUMBER, [{**row, "state": str(NumberState.ASSIGNED)}])
    number = get_number(connection, msisdn)
    if (number.range_name, number.holder, number.network) != ("", holder, network):
        raise InUseError(
            f"{msisdn}: this number is {number.state} {number.holder}: expected one of another network"
        )
    return number


def recover_numbers(connection: Connection, now_ms: int) -> int:
    """Make available again what was reserved or rested until now; returns how many."""
    done = connection.execute(
        update(DIRECTORY_NUMBER)
        .where(_COLUMNS.until_ms <= now_ms)
        .values(state=str(NumberState.AVAILABLE), holder="", until_ms=None)
    )
    return done.rowcount


# --- Rows ---------------------------------------------------------------------------------------------------------


def _own(connection: Connection, holder: str, range_name: str, msisdn: str) -> DirectoryNumber | None:
    """What somebody has reserved already."""
    wanted = _COLUMNS.range == range_name if range_name else _COLUMNS.msisdn == _msisdn(msisdn)
    row = connection.execute(
        select(DIRECTORY_NUMBER).where(
            _COLUMNS.holder == holder, _COLUMNS.state == str(NumberState.RESERVED), wanted
        )
    ).first()
    return None if row is None else _number(row)


def _check_range(connection: Connection, name: str) -> None:
    if connection.scalar(select(NUMBER_RANGE.c.name).where(NUMBER_RANGE.c.name == name)) is None:
        raise NotInInventoryError(f"{name}: no such range of numbers")


def _check_holder(connection: Connection, msisdn: str, holder: str) -> None:
    number = get_number(connection, msisdn)
    if number.holder != holder:
        raise InUseError(
            f"{msisdn}: expected {holder} to have it; it is {number.state} {number.holder}".rstrip()
        )


def _do(connection: Connection, msisdn: str, deed: NumberDeed, **values: Any) -> DirectoryNumber:
    number = get_number(connection, msisdn)
    return _write(connection, number, state=after(msisdn, number.state, deed), **values)


def _write(
    connection: Connection,
    before: DirectoryNumber,
    *,
    state: NumberState,
    holder: str = "",
    until_ms: int | None = None,
    network: str = "",
) -> DirectoryNumber:
    done = connection.execute(
        update(DIRECTORY_NUMBER)
        .where(
            _COLUMNS.msisdn == _msisdn(before.msisdn),
            _COLUMNS.state == str(before.state),
            _COLUMNS.holder == before.holder,
        )
        .values(state=str(state), holder=holder, until_ms=until_ms, network=network)
    )
    if done.rowcount != 1:
        raise InUseError(f"{before.msisdn}: somebody took this number at the same moment")
    return get_number(connection, before.msisdn)


def _msisdn(text_: str) -> int:
    if (
        not text_.isascii()
        or not _MSISDN.fullmatch(text_)
        or not MSISDN_DIGITS_MIN <= len(text_) <= MSISDN_DIGITS_MAX
    ):
        raise InventoryError(
            f"{text_!r:.40}: expected a number in the international form without plus,"
            f" {MSISDN_DIGITS_MIN} to {MSISDN_DIGITS_MAX} digits"
        )
    return int(text_)


def _number(row: Row[Any]) -> DirectoryNumber:
    return DirectoryNumber(
        msisdn=str(row.msisdn),
        range_name=row.range or "",
        state=NumberState(row.state),
        holder=row.holder,
        until_ms=row.until_ms,
        network=row.network,
    )
