"""What is recorded of drift, in either database."""

from sqlalchemy import insert

from ocs.provisioning.compliance import record
from ocs.provisioning.compliance.drift import Finding, FindingKind
from ocs.provisioning.compliance.drift_policy import DriftAction
from ocs.provisioning.compliance.record import Drift
from ocs.provisioning.transactions.tables import ORIGINAL, OWNER
from ocs.sql import Database
from tests.support.drift_lab import DriftLab
from tests.support.elements import ethernet, interface

A, B, AB = interface("a"), interface("b"), interface("a_b")
PE = "pe1"


def lab(database: Database) -> DriftLab:
    return DriftLab(database, None, None)  # type: ignore[arg-type]


def test_a_part_of_what_is_owned_is_read_with_the_entries_above_it(database: Database) -> None:
    made = lab(database)
    made.own(PE, {**ethernet("a", "x"), **ethernet("b", "y"), **ethernet("a_b", "z")}, originals={A: None})
    made.own(PE, ethernet("a", "x"), service="vpn-2")
    made.own("pe2", ethernet("a", "w"))

    def read(*paths: str) -> record.OwnedConfiguration:
        return database.read_blocking(lambda connection: record.read_owned(connection, PE, paths or None))

    assert len(read().values) == 9
    assert read().originals == {A}
    assert read(A).values == ethernet("a", "x")
    assert read(f"{B}/description").values == {B: None, f"{B}/description": "y"}
    assert read("/ietf-interfaces:interfaces").values == read().values
    assert read(f"{interface('c')}/description").values == {}
    assert read(f"{A}/description").originals == {A}


def test_findings_name_the_first_services_of_their_place(database: Database) -> None:
    made = lab(database)
    for number in range(15):
        made.own(PE, ethernet("a"), service=f"vpn-{number:02}")
    (finding,) = database.read_blocking(
        lambda connection: record.with_owners(connection, PE, [Finding(f"{A}/enabled", FindingKind.EXTRA, A)])
    )
    assert finding.owners == tuple(f"vpn-{number:02}" for number in range(10))


def test_what_is_accepted_is_recorded_for_every_owner(database: Database) -> None:
    made = lab(database)
    for service in ("vpn-1", "vpn-2"):
        made.own(PE, ethernet("a", "x"), service=service)
    database.write_blocking(
        lambda connection: connection.execute(
            insert(ORIGINAL).values(element=PE, path=f"{A}/type", value="before")
        )
    )
    findings = [
        Finding(f"{A}/description", FindingKind.CHANGED, f"{A}/description", "x", "y"),
        Finding(f"{A}/type", FindingKind.MISSING, f"{A}/type", "ethernet"),
        Finding(f"{A}/enabled", FindingKind.EXTRA, A, None, "false"),
    ]
    database.write_blocking(lambda connection: record.accept(connection, PE, findings))
    rows = database.read_blocking(
        lambda connection: connection.execute(OWNER.select().order_by(OWNER.c.path, OWNER.c.service_id)).all()
    )
    assert [(row.path, row.service_id, row.value) for row in rows] == [
        (path, service, value)
        for path, value in ((A, None), (f"{A}/description", "y"), (f"{A}/enabled", "false"))
        for service in ("vpn-1", "vpn-2")
    ]
    assert database.read_blocking(lambda connection: record.read_owned(connection, PE)).originals == set()


def test_findings_of_a_part_replace_those_of_that_part(database: Database) -> None:
    def drift(path: str, found: str) -> Drift:
        finding = Finding(path, FindingKind.CHANGED, path, "w", found, ("vpn-1", "vpn-2"))
        return Drift(PE, finding, 5, "mallory", DriftAction.REVERT)

    def write(drifts: list[Drift], scope: list[str] | None) -> list[Drift]:
        database.write_blocking(lambda connection: record.write_drift(connection, PE, drifts, scope))
        return database.read_blocking(lambda connection: record.read_drift(connection, PE))

    both = [drift(f"{A}/description", "1"), drift(f"{AB}/description", "2")]
    assert write(both, None) == both
    assert write([drift(f"{A}/type", "3")], [A]) == [drift(f"{A}/type", "3"), both[1]]
    assert write([], [f"{A}/typ"]) == [drift(f"{A}/type", "3"), both[1]]
    assert write([], None) == []
    write(both, None)
    assert database.read_blocking(record.read_drift) == both
    database.write_blocking(lambda connection: record.forget_element(connection, PE))
    assert database.read_blocking(record.read_drift) == []


def test_looks_are_noted_piece_by_piece(database: Database) -> None:
    def note(**changed: object) -> None:
        database.write_blocking(lambda connection: record.write_look(connection, PE, **changed))

    note(trouble="away")
    note(told="something")
    note(looked_ms=7, trouble="")
    assert database.read_blocking(record.read_looks) == {PE: record.LookRecord(PE, 7, "", "something")}
    assert database.read_blocking(lambda connection: record.read_look(connection, "pe9")).looked_ms == 0
