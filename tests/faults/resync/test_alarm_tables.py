"""RFC 3877's tables are read as the notifications that they keep."""

from ocs.faults.notification import LINK_DOWN, Syntax, Varbind
from ocs.faults.resync import alarm_tables
from ocs.faults.resync.alarm_tables import (
    ACTIVE,
    LAST_CHANGED,
    MODEL_NOTIFICATIONS,
    OVERFLOW,
    VARIABLES,
    Readings,
)
from ocs.faults.resync.looked_up import Table

VENDOR_TRAP = "1.3.6.1.4.1.99999.0.7"
ACTIVE_STATE = "1.3.6.1.2.1.118.0.2"
# The list called "a", eight octets of date and time, the alarm's index.
ROW = "1.97.8.7.234.11.22.13.30.0.0.{}"
VARIABLE = "1.97.{}.{}"
MODEL = "1.3.6.1.2.1.118.1.1.2.1.3.1.97.1.2"
RESOURCE = "1.3.6.1.2.1.2.2.1.1.7"
OID, INTEGER, GAUGE, STRING = Syntax.OBJECT_IDENTIFIER, Syntax.INTEGER, Syntax.GAUGE32, Syntax.OCTET_STRING


def types_of(trap_oid: str) -> frozenset[str]:
    return {
        LINK_DOWN: frozenset({"link-down"}),
        VENDOR_TRAP: frozenset({"fan-failed"}),
        ACTIVE_STATE: frozenset({"alarm-model"}),
    }.get(trap_oid, frozenset())


def active(index: int, trap_oid: str = LINK_DOWN, variables: int | None = None) -> list[Varbind]:
    row = ROW.format(index)
    columns = [
        Varbind(f"{ACTIVE}.9.{row}", OID, trap_oid),
        Varbind(f"{ACTIVE}.10.{row}", OID, RESOURCE),
        Varbind(f"{ACTIVE}.11.{row}", STRING, b"it is down"),
        Varbind(f"{ACTIVE}.13.{row}", OID, MODEL),
    ]
    return columns if variables is None else [*columns, Varbind(f"{ACTIVE}.8.{row}", GAUGE, variables)]


def variable(index: int, place: int, name: str, kind: int, column: int, value: Varbind) -> list[Varbind]:
    instance = VARIABLE.format(index, place)
    return [
        Varbind(f"{VARIABLES}.2.{instance}", OID, name),
        Varbind(f"{VARIABLES}.3.{instance}", INTEGER, kind),
        Varbind(f"{VARIABLES}.7.{instance}", INTEGER, 0),
        Varbind(f"{VARIABLES}.{column}.{instance}", value.syntax, value.value),
    ]


def number(index: int, place: int, name: str, value: int) -> list[Varbind]:
    return variable(index, place, name, 4, 7, Varbind("", INTEGER, value))


def read(
    rows: list[Varbind],
    variables: list[Varbind] | None = None,
    models: tuple[str, ...] = (),
    *,
    overflow: int = 0,
    is_there: bool = True,
) -> Table:
    scalars = (
        {
            LAST_CHANGED: Varbind(LAST_CHANGED, Syntax.TIME_TICKS, 1),
            OVERFLOW: Varbind(OVERFLOW, GAUGE, overflow),
        }
        if is_there
        else {}
    )
    modelled = [Varbind(f"{MODEL_NOTIFICATIONS}.1.97.{i}.2", OID, oid) for i, oid in enumerate(models, 1)]
    return alarm_tables.read_alarm_tables(Readings(scalars, rows, variables or [], modelled), types_of)


def test_row_is_the_notification_that_was_sent_with_its_varbinds_in_order() -> None:
    names = ("1.3.6.1.2.1.2.2.1.1.7", "1.3.6.1.2.1.2.2.1.8.7")
    variables = [
        *number(3, 10, names[1], 2),
        *number(3, 2, names[0], 7),
        *variable(3, 1, "1.3.6.1.2.1.1.3.0", 3, 6, Varbind("", Syntax.TIME_TICKS, 9)),
        *number(4, 1, "1.3.6.1.2.1.2.2.1.1.8", 8),
    ]
    (found,) = read(active(3), variables).found
    assert found.trap_oid == LINK_DOWN
    assert found.varbinds[:2] == (Varbind(names[0], INTEGER, 7), Varbind(names[1], INTEGER, 2))
    assert [varbind.value for varbind in found.varbinds[2:]] == [MODEL, RESOURCE, b"it is down"]


def test_value_is_taken_from_the_column_of_its_kind() -> None:
    kinds = {
        1: (4, Syntax.COUNTER32, 1),
        2: (5, GAUGE, 2),
        3: (6, Syntax.TIME_TICKS, 3),
        4: (7, INTEGER, 4),
        5: (9, Syntax.IP_ADDRESS, b"\x0a\0\0\1"),
        6: (8, STRING, b"text"),
        7: (10, OID, "1.3.6"),
        8: (11, Syntax.COUNTER64, 8),
        9: (12, Syntax.OPAQUE, b"\x9f"),
    }
    for kind, (column, syntax, value) in kinds.items():
        said = variable(1, 1, "1.3.6.1.4.1.1.1", kind, column, Varbind("", syntax, value))
        (found,) = read(active(1), said).found
        assert found.varbinds[0] == Varbind("1.3.6.1.4.1.1.1", syntax, value)


def test_row_whose_varbinds_were_not_kept_is_told_by_its_model() -> None:
    for rows in (active(1), active(1, variables=2), active(1, "0.0", variables=0)):
        (found,) = read(rows).found
        assert found.trap_oid == ACTIVE_STATE
        assert found.varbinds[0] == Varbind(f"{ACTIVE}.13.{ROW.format(1)}", OID, MODEL)


def test_notification_that_has_no_varbinds_needs_none() -> None:
    (found,) = read(active(1, VENDOR_TRAP, variables=0)).found
    assert found.trap_oid == VENDOR_TRAP


def test_table_tells_all_that_stand_of_what_the_agent_models() -> None:
    assert read([], models=(LINK_DOWN, VENDOR_TRAP, "0.0")).covers == {
        "link-down",
        "fan-failed",
        "alarm-model",
    }
    assert read(active(1, VENDOR_TRAP, variables=0)).covers == {"fan-failed", "alarm-model"}


def test_table_that_had_no_room_clears_nothing() -> None:
    full = read(active(1, VENDOR_TRAP, variables=0), models=(LINK_DOWN,), overflow=3)
    assert full.covers == frozenset()
    assert len(full.found) == 1


def test_agent_without_the_tables_tells_nothing() -> None:
    assert read([], is_there=False).covers is None


def test_instances_that_are_none_are_passed_over() -> None:
    for instance in ("", "9.97", "1.97.8.1", "1.97.8.1.2.3.4.5.6.7.8", "1.97.200.1.1", "x"):
        assert read([Varbind(f"{ACTIVE}.9.{instance}", OID, LINK_DOWN)]).found == ()


def test_varbinds_that_make_no_sense_are_passed_over() -> None:
    instance = VARIABLE.format(1, 1)
    odd = [
        [Varbind(f"{VARIABLES}.3.{instance}", INTEGER, 4)],
        [Varbind(f"{VARIABLES}.2.{instance}", OID, "1.3"), Varbind(f"{VARIABLES}.3.{instance}", INTEGER, 77)],
        [Varbind(f"{VARIABLES}.2.{instance}", INTEGER, 5), Varbind(f"{VARIABLES}.3.{instance}", STRING, b"")],
    ]
    for variables in odd:
        (found,) = read(active(1, VENDOR_TRAP, variables=0), variables).found
        assert len(found.varbinds) == 3
