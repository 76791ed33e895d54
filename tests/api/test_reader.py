"""Reading accounts and sessions out of a real store, page by page."""

from pathlib import Path

import pytest
import redis

from ocs.api.reader import CursorError, StoreBalanceReader
from ocs.api.threads import ReaderUnavailableError
from ocs.balance import keys
from ocs.balance.embedded import EmbeddedStore
from ocs.balance.model import Account, LifecycleState, Session, SessionState, encode_value
from ocs.balance.store_admin import connect
from ocs.balance.store_client import StoreClient
from ocs.messages import NO_CONTEXT, Service
from tests.support.store_servers import Cluster, cluster, slot_of

pytestmark = pytest.mark.bounded(30)

PARTITIONS = 4
TOKEN = b"t" * 12


@pytest.fixture
async def connection(tmp_path: Path):
    async with EmbeddedStore(tmp_path, durability="memory") as store:
        with connect(store.address.url) as client:
            yield client


@pytest.fixture
def reader(connection: StoreClient) -> StoreBalanceReader:
    return StoreBalanceReader(connection, partitions=PARTITIONS)


def put_account(connection: redis.Redis, account_id: str) -> None:
    partition = keys.partition_of(account_id, PARTITIONS)
    account = Account(account_id, "EUR", LifecycleState.ACTIVE, 1, (), ())
    connection.set(keys.account_key(partition, account_id), TOKEN + encode_value(account))


def put_session(connection: redis.Redis, session_id: str, account_id: str, state=SessionState.OPEN) -> None:
    partition = keys.partition_of(account_id, PARTITIONS)
    session = Session(session_id, account_id, "s", state, Service.DATA, NO_CONTEXT, "h", "r", 0, 1)
    connection.set(keys.session_key(partition, account_id, session_id), TOKEN + encode_value(session))
    connection.set(keys.locator_key(session_id), keys.encode_location(account_id, "s"))
    if state is SessionState.OPEN:
        connection.zadd(keys.deadlines_key(partition), {keys.deadline_member(account_id, session_id): 1})


async def test_all_accounts_come_page_by_page(connection, reader):
    wanted = {f"a{number}" for number in range(300)}
    for account_id in wanted:
        put_account(connection, account_id)
        put_session(connection, f"gw;{account_id}", account_id)
    found: list[str] = []
    cursor, pages = "", 0
    while cursor or not pages:
        page = await reader.list_accounts(cursor, 50)
        found += [account.account_id for account in page.items]
        cursor, pages = page.next_cursor, pages + 1
    assert set(found) == wanted
    assert pages > 1


async def test_session_whose_id_looks_like_a_key_of_an_account_is_no_account(connection, reader):
    put_account(connection, "a1")
    put_session(connection, "gw}a:1", "a1")
    assert [account.account_id for account in (await reader.list_accounts("", 50)).items] == ["a1"]


async def test_one_account_is_found_by_its_id(connection, reader):
    put_account(connection, "a1")
    account = await reader.get_account("a1")
    assert account is not None
    assert account.account_id == "a1"
    assert await reader.get_account("a2") is None


@pytest.mark.parametrize("limit", [1, 7, 25, 500])
async def test_open_sessions_come_exactly_once_and_no_page_is_longer_than_asked(
    connection, reader, limit: int
):
    for number in range(25):
        put_session(connection, f"gw;{number}", f"a{number}")
        put_session(connection, f"closed;{number}", f"a{number}", SessionState.CLOSED)
    found: list[str] = []
    cursor, pages = "", 0
    while cursor or not pages:
        page = await reader.list_sessions(cursor, limit)
        assert len(page.items) <= limit
        found += [session.session_id for session in page.items]
        cursor, pages = page.next_cursor, pages + 1
    assert sorted(found) == sorted(f"gw;{number}" for number in range(25))
    assert await reader.count_open_sessions() == 25


async def test_session_that_ends_while_it_is_listed_is_left_out(connection, reader):
    put_session(connection, "gw;1", "a1")
    connection.delete(keys.session_key(keys.partition_of("a1", PARTITIONS), "a1", "gw;1"))
    assert (await reader.list_sessions("", 10)).items == ()


async def test_session_is_found_by_its_id_also_when_closed(connection, reader):
    put_session(connection, "gw;1", "a1", SessionState.CLOSED)
    session = await reader.get_session("gw;1")
    assert session is not None
    assert session.state is SessionState.CLOSED
    assert await reader.get_session("gw;2") is None


@pytest.mark.parametrize("cursor", ["x", "-1", "1.", "1.x", ".", "²", "9" * 30])
async def test_made_up_cursor_is_refused(reader, cursor: str):
    with pytest.raises(CursorError):
        await reader.list_sessions(cursor, 10)
    if "." not in cursor:
        with pytest.raises(CursorError):
            await reader.list_accounts(cursor, 10)


async def test_store_that_is_away_is_an_error_of_its_own(tmp_path: Path):
    with connect(f"unix://{tmp_path / 'none'}") as client:
        reader = StoreBalanceReader(client, partitions=PARTITIONS)
        with pytest.raises(ReaderUnavailableError):
            await reader.count_open_sessions()


# --- On a cluster ------------------------------------------------------------------------------------------------


@pytest.fixture
def nodes(tmp_path: Path):
    with cluster(tmp_path, primaries=3) as nodes:
        yield nodes


async def test_cluster_is_listed_and_counted_as_one(nodes: Cluster):
    with connect(nodes.url) as store:
        names = [f"a{number}" for number in range(40)]
        for name in names:
            put_account(store, name)
            put_session(store, f"gw;{name}", name)
        reader = StoreBalanceReader(store, partitions=PARTITIONS)
        found: list[str] = []
        cursor, is_first = "", True
        while cursor or is_first:
            page = await reader.list_accounts(cursor, 10)
            found += [account.account_id for account in page.items]
            cursor, is_first = page.next_cursor, False
        assert sorted(found) == sorted(names)
        assert len((await reader.list_sessions("", 100)).items) == 40
        assert await reader.count_open_sessions() == 40
        session = await reader.get_session("gw;a7")
        assert session is not None and session.account_id == "a7"
        cursor = (await reader.list_accounts("", 1)).next_cursor
        slot = slot_of("{0}")
        source = nodes.owner(slot)
        nodes.migrate_slots(slot, slot, next(node for node in nodes.primaries if node is not source))
        with pytest.raises(CursorError, match="begin again"):
            await reader.list_accounts(cursor, 1)
