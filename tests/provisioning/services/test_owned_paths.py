"""Who owns which path, in SQL."""

from collections.abc import Mapping

from sqlalchemy import Connection, insert, select

from ocs.provisioning.configuration import Configuration
from ocs.provisioning.services.owned_paths import (
    owned_by,
    owned_on,
    owners_of,
    read_ownership,
    write_ownership,
)
from ocs.provisioning.services.ownership import OwnershipChange
from ocs.provisioning.transactions.tables import ORIGINAL, OWNER
from ocs.sql import Database


def own(
    database: Database,
    service_id: str,
    owned: dict[str, str | None],
    *,
    first: tuple[str, ...] = (),
    orphaned: tuple[str, ...] = (),
    before: Mapping[str, Configuration] | None = None,
) -> None:
    change = OwnershipChange(owned, first, orphaned)
    database.write_blocking(
        lambda connection: write_ownership(connection, service_id, {"pe1": change}, before or {})
    )


def originals(connection: Connection) -> dict[str, str | None]:
    return {row.path: row.value for row in connection.execute(select(ORIGINAL))}


def test_service_owns_what_was_written_last(database: Database) -> None:
    own(database, "s1", {"/m:x": "1", "/m:l[k='1']": None})
    own(database, "s1", {"/m:x": "2"})
    assert database.read_blocking(lambda connection: owned_by(connection, "s1")) == {"pe1": {"/m:x": "2"}}
    own(database, "s1", {})
    assert database.read_blocking(lambda connection: owned_by(connection, "s1")) == {}


def test_element_has_what_any_service_owns(database: Database) -> None:
    own(database, "s1", {"/m:x": "1", "/m:y": None})
    own(database, "s2", {"/m:x": "1", "/m:z": ""})
    assert database.read_blocking(lambda connection: owned_on(connection, "pe1")) == {
        "/m:x": "1",
        "/m:y": None,
        "/m:z": "",
    }
    assert database.read_blocking(lambda connection: owned_on(connection, "pe2")) == {}


def test_owners_of_a_path_are_told_up_to_a_bound(database: Database) -> None:
    for number in range(4):
        own(database, f"s{number}", {"/m:x": "1"})
    assert database.read_blocking(lambda connection: owners_of(connection, "pe1", "/m:x", limit=3)) == {
        "s0": "1",
        "s1": "1",
        "s2": "1",
    }


def test_what_stood_there_is_remembered_from_the_first_owner_to_the_last(database: Database) -> None:
    before = {"pe1": {"/m:x": "0", "/m:y": "0", "/m:e": None}}
    own(
        database,
        "s1",
        {"/m:x": "1", "/m:e": None, "/m:n": "1"},
        first=("/m:x", "/m:e", "/m:n"),
        before=before,
    )
    assert database.read_blocking(originals) == {"/m:x": "0", "/m:e": None}
    own(database, "s1", {"/m:e": None}, orphaned=("/m:x", "/m:n"))
    assert database.read_blocking(originals) == {"/m:e": None}


def test_change_learns_of_itself_of_one_other_owner_and_of_originals(database: Database) -> None:
    own(database, "s2", {"/m:x": "1", "/m:y": "1"}, first=("/m:x",), before={"pe1": {"/m:x": "0"}})
    for service_id in ("s0", "s1", "s3"):
        own(database, service_id, {"/m:x": "1"})
    known = database.read_blocking(
        lambda connection: read_ownership(
            connection, "s1", {"pe1": ["/m:x", "/m:y", "/m:z"], "pe2": ["/m:x"]}
        )
    )
    assert known["pe1"].owners == {"/m:x": {"s1": "1", "s0": "1"}, "/m:y": {"s2": "1"}}
    assert known["pe1"].originals == {"/m:x": "0"}
    assert known["pe2"].owners == known["pe2"].originals == {}


def test_of_many_other_owners_one_is_told(database: Database) -> None:
    rows = [
        {"element": "pe1", "path": "/m:x", "service_id": f"s{number:06}", "value": "1"}
        for number in range(100)
    ]
    database.write_blocking(lambda connection: connection.execute(insert(OWNER), rows))
    known = database.read_blocking(lambda connection: read_ownership(connection, "new", {"pe1": ["/m:x"]}))
    assert known["pe1"].owners == {"/m:x": {"s000000": "1"}}


def test_more_paths_than_one_statement_takes_are_looked_up(database: Database) -> None:
    own(database, "s2", {f"/m:l[k='{number}']": None for number in range(1_200)})
    known = database.read_blocking(
        lambda connection: read_ownership(
            connection, "s1", {"pe1": [f"/m:l[k='{number}']" for number in range(1_201)]}
        )
    )
    assert len(known["pe1"].owners) == 1_200
