"""Group inventory, with a small network."""

from pathlib import Path

import pytest
from sqlalchemy import text

from bench.inventory import Size, make_network, run_inventory
from ocs.inventory.impact import impact
from ocs.sql import Database
from tests.support.databases import database, empty_database, postgres_server

__all__ = ["database", "empty_database", "postgres_server"]

SMALL = Size(access=100, ports=4, services=1_000)


def test_every_question_is_measured(tmp_path: Path) -> None:
    figures = run_inventory(tmp_path, say=lambda _: None, size=SMALL)
    assert [figure.name for figure in figures] == [
        f"inventory_impact_sqlite_{name}_ms" for name in ("port", "uplink", "card", "core", "network")
    ]
    assert "1,000 services" in figures[-1].note
    assert "102 elements not reached" in figures[-1].note


def test_network_is_what_it_is_said_to_be(database: Database) -> None:
    make_network(database, SMALL)
    found = database.read_blocking(lambda connection: impact(connection, "access-7"))
    assert (found.services, found.subscribers) == (10, 10 * 3)
    assert database.read_blocking(lambda connection: impact(connection, "site/core")).services == 1_000


@pytest.mark.parametrize("table", ["resource_dependency", "footprint_anchor", "service_use"])
# PostgreSQL finds that a small table is best read whole.
@pytest.mark.parametrize("empty_database", ["sqlite"], indirect=True)
def test_impact_reads_no_table_from_end_to_end(
    database: Database, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_network(database, SMALL)
    plans: list[str] = []

    def explain(connection) -> None:
        execute = connection.execute

        def explained(statement, parameters=None):
            if "footprint" in str(statement) or "affected" in str(statement):
                plan = text(f"EXPLAIN QUERY PLAN {statement}") if hasattr(statement, "text") else None
                if plan is not None:
                    plans.extend(row[3] for row in execute(plan, parameters))
            return execute(statement, parameters)

        monkeypatch.setattr(connection, "execute", explained)
        impact(connection, "agg-1/card/1")

    database.read_blocking(explain)
    assert plans
    assert not [line for line in plans if line.startswith(f"SCAN {table}")]
    assert not [line for line in plans if line in {"SCAN service", "SCAN footprint", "SCAN r", "SCAN d"}]
