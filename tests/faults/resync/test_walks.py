"""Tables that are described in files say what their traps say."""

from pathlib import Path

import pytest

from ocs.faults.mibs import MibNames, open_mib_names
from ocs.faults.notification import LINK_DOWN, LINK_UP, Syntax, Varbind
from ocs.faults.resync.walks import Walk, as_columns, as_notification, load_walks
from ocs.faults.topology.schema import TopologyError

CONFIG = Path(__file__).parents[3] / "config"
IF_ENTRY = "1.3.6.1.2.1.2.2.1"
ADMIN, OPER, DESCR = f"{IF_ENTRY}.7", f"{IF_ENTRY}.8", f"{IF_ENTRY}.2"


@pytest.fixture(scope="module")
def names() -> MibNames:
    return open_mib_names(None)


@pytest.fixture(scope="module")
def interfaces(names: MibNames) -> Walk:
    return load_walks(CONFIG / "walks", names)["interfaces"]


def column(oid: str, *values: int) -> list[Varbind]:
    return [Varbind(f"{oid}.{row}", Syntax.INTEGER, value) for row, value in enumerate(values, 1)]


def test_rows_are_what_their_conditions_say_and_the_first_that_fits_counts(interfaces: Walk) -> None:
    # up, down, down on purpose, not present, unknown
    table = interfaces.read(
        as_columns({OPER: column(OPER, 1, 2, 2, 6, 4), ADMIN: column(ADMIN, 1, 1, 2, 1, 1)})
    )
    told = {found.varbinds[0].name.rpartition(".")[2]: found.trap_oid for found in table.found}
    assert told == {"1": LINK_UP, "2": LINK_DOWN, "4": LINK_DOWN}
    assert table.covers == {"link-down"}
    assert table.rows == 5


def test_columns_that_the_element_lacks_are_missing_from_its_rows(interfaces: Walk) -> None:
    table = interfaces.read(
        as_columns({OPER: column(OPER, 1, 1), DESCR: [Varbind(f"{DESCR}.2", Syntax.OCTET_STRING, b"ge-0")]})
    )
    assert [len(found.varbinds) for found in table.found] == [1, 2]


def test_table_without_a_row_says_nothing(interfaces: Walk) -> None:
    assert interfaces.read(as_columns({OPER: []})).covers is None


def test_row_becomes_a_notification_of_its_element(interfaces: Walk) -> None:
    (found,) = interfaces.read(as_columns({OPER: column(OPER, 1)})).found
    notification = as_notification(found, source="10.0.0.1", at_ms=5)
    assert (notification.trap_oid, notification.source, notification.received_ms) == (LINK_UP, "10.0.0.1", 5)
    assert notification.varbinds == found.varbinds


VALID = """
[[walks]]
name = "fans"
columns = ["IF-MIB::ifOperStatus"]
covers = ["fan-failed"]
[[walks.rows]]
trap = "IF-MIB::linkDown"
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            VALID.replace("fans", "alarms"),
            "fans.toml: walks[alarms].name: expected a name that no other table has",
        ),
        (VALID + VALID, "fans.toml: walks[fans].name: expected a name that no other table has"),
        (VALID.replace("ifOperStatus", "ifOperStatsu"), "walks[fans]: module IF-MIB has no object"),
        (VALID.replace("linkDown", "linkDwon"), "walks[fans]: module IF-MIB has no object"),
        (
            VALID + 'when = [{ varbind = "IF-MIB::ifOperStatus", is = "sideways" }]',
            "walks[fans]: expected one of up",
        ),
        (VALID.replace("covers", "hides"), "fans.toml: walks[fans]"),
        ("[[walks]", "fans.toml: expected TOML"),
    ],
)
def test_mistake_is_one_line_with_its_place(text: str, message: str, names: MibNames, tmp_path: Path) -> None:
    (tmp_path / "fans.toml").write_text(text)
    with pytest.raises(TopologyError) as told:
        load_walks(tmp_path, names)
    assert message in str(told.value)
    assert "\n" not in str(told.value)


def test_without_a_folder_there_are_no_tables_and_a_file_in_its_place_is_told(
    names: MibNames, tmp_path: Path
) -> None:
    assert load_walks(tmp_path / "none", names) == {}
    (tmp_path / "file").write_text("")
    with pytest.raises(TopologyError, match="expected a folder"):
        load_walks(tmp_path / "file", names)
