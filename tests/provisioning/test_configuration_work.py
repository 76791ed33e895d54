"""Changes by hand keep off what services own."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from ocs.migrations import upgrade_schema
from ocs.provisioning.configuration import ConfigurationDiff
from ocs.provisioning.configuration_work import ConfigurationPlanner, ConfigurationWork, owned_values
from ocs.provisioning.transactions.planner import WorkRefusedError
from ocs.provisioning.transactions.record import ElementPlan, Plan
from ocs.provisioning.transactions.tables import OWNER
from ocs.settings import Settings
from ocs.sql import Database, database_url

PLANNER = ConfigurationPlanner()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database(database_url(Settings(), tmp_path_factory.mktemp("data")))
    upgrade_schema(database)
    rows = [
        {"element": "pe1", "path": "/m:a/b[k='1']", "service_id": "s1", "value": None},
        {"element": "pe1", "path": "/m:a/b[k='1']/c", "service_id": "s1", "value": "10"},
    ]
    database.write_blocking(lambda connection: connection.execute(OWNER.insert(), rows))
    yield database
    database.close()


def plan(
    database: Database, diff: ConfigurationDiff, element: str = "pe1", *, is_forced: bool = False
) -> Plan:
    work = ConfigurationWork({element: diff}, is_forced=is_forced).work()
    return database.read_blocking(lambda connection: PLANNER.plan(connection, work.payload))


@pytest.mark.parametrize(
    "diff",
    [
        ConfigurationDiff({"/m:a/b[k='1']/c": "11"}),
        ConfigurationDiff(removed=("/m:a/b[k='1']/c",)),
        ConfigurationDiff(removed=("/m:a/b[k='1']",)),
        ConfigurationDiff(removed=("/m:a",)),
    ],
    ids=["other value", "removed", "its entry removed", "removed from far above"],
)
def test_change_of_what_a_service_owns_is_refused_by_name_unless_forced(
    database: Database, diff: ConfigurationDiff
) -> None:
    with pytest.raises(WorkRefusedError, match="s1"):
        plan(database, diff)
    assert plan(database, diff, is_forced=True).elements == (ElementPlan("pe1", diff),)
    assert plan(database, diff, "pe2").elements == (ElementPlan("pe2", diff),)


@pytest.mark.parametrize(
    "diff",
    [
        ConfigurationDiff({"/m:a/b[k='1']/c": "10"}),
        ConfigurationDiff({"/m:a/b[k='1']/d": "1"}),
        ConfigurationDiff(removed=("/m:a/b[k='11']", "/m:a/bb")),
    ],
    ids=["the same value again", "beside it", "a name that begins alike"],
)
def test_change_beside_what_services_own_is_planned(database: Database, diff: ConfigurationDiff) -> None:
    assert plan(database, diff).elements == (ElementPlan("pe1", diff),)


def test_element_of_which_nothing_was_said_takes_no_part(database: Database) -> None:
    assert plan(database, ConfigurationDiff()).elements == ()


def test_expected_values_are_checked_on_the_element(database: Database) -> None:
    diff = ConfigurationDiff({"/m:x": "2"})
    payload = ConfigurationWork({"pe1": diff}, {"pe1": {"/m:x": "1"}}).work().payload
    planned = database.read_blocking(lambda connection: PLANNER.plan(connection, payload))
    assert planned.elements == (ElementPlan("pe1", diff, {"/m:x": "1"}),)


def test_owned_values_name_all_owners(database: Database) -> None:
    def work(connection: Connection) -> dict[str, dict[str, str | None]]:
        return owned_values(connection, "pe1", ConfigurationDiff({"/m:a/b[k='1']": None}))

    assert database.read_blocking(work) == {"/m:a/b[k='1']": {"s1": None}}
