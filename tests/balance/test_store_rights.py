"""Rights that are missing are named at the start, and nothing is done to find them."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import redis

from ocs.balance.store_admin import StoreRefusedError
from ocs.balance.store_rights import NEEDED, refuse_denied
from tests.support.access_rights import least_rights
from tests.support.calls import set_up
from tests.support.store_servers import Server, single

PASSWORD = "correct-horse"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with single(tmp_path_factory.mktemp("rights")) as server:
        set_up(server.url)
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[Any]:
    """What charging sees of the server as the user with the least rights."""
    server.admin.execute_command("ACL DELUSER ocs")
    server.admin.execute_command(*least_rights(PASSWORD))
    with redis.Redis(port=server.port, username="ocs", password=PASSWORD, protocol=2) as connection:
        yield SimpleNamespace(primaries=lambda: (connection,), address="redis://store.example")


def test_least_rights_of_the_runbook_are_enough_and_nothing_is_done_to_find_out(server: Server, client: Any):
    before = server.admin.dbsize()
    refuse_denied(client)
    assert server.admin.dbsize() == before


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        ("-xadd", "XADD {0}events"),
        ("-mset", "MSET {0}a:x"),
        ("-wait", "WAIT 0 0"),
        ("-config|get", "CONFIG GET"),
        ("-time", "TIME"),
        ("resetchannels", "PUBLISH ocs:x"),
    ],
)
def test_right_that_is_missing_is_named(server: Server, client: Any, rule: str, named: str):
    server.admin.execute_command("ACL", "SETUSER", "ocs", rule)
    with pytest.raises(StoreRefusedError, match="rights that the runbook lists") as caught:
        refuse_denied(client)
    assert named in str(caught.value)


def test_keys_that_may_not_be_reached_are_named(server: Server, client: Any):
    server.admin.execute_command("ACL", "SETUSER", "ocs", "resetkeys", "~{*}*")
    with pytest.raises(StoreRefusedError, match="GET d:x"):
        refuse_denied(client)


def test_what_is_needed_are_commands_that_the_server_knows(server: Server):
    known = {name.upper() for name in server.admin.execute_command("COMMAND LIST")}
    assert {line.split()[0].encode() for line in NEEDED} <= {
        name if isinstance(name, bytes) else name.encode() for name in known
    }
