"""A store found, checked, made ours, published to; against a real one."""

import re
import shutil
from functools import partial
from pathlib import Path

import pytest
import structlog.testing
import trio

from ocs.balance.embedded import EmbeddedStore
from ocs.balance.keys import catalogue_key
from ocs.balance.store_address import plain_address
from ocs.balance.store_admin import StoreMeta, StoreRefusedError, StoreUnreachableError, connect
from ocs.clock import ManualClock
from ocs.messages import NO_CONTEXT, Service
from ocs.rating import Catalogue, load_catalogue
from ocs.settings import Settings, StoreSettings
from ocs.store_setup import (
    advance_origin_state,
    open_client,
    prepare_store,
    publish_catalogue,
    reload_library,
    store_url,
)
from tests.support.processes import CATALOGUE
from tests.support.store_servers import Cluster, SentinelGroup, cluster, sentinel_group

pytestmark = pytest.mark.bounded(60)

CLOCK = ManualClock(1_790_000_000_000)


@pytest.fixture
async def url(tmp_path: Path):
    """Of an embedded store on ``tmp_path``."""
    async with EmbeddedStore(tmp_path) as store:
        yield store.address.url


async def in_thread(function, *arguments):
    return await trio.to_thread.run_sync(function, *arguments)


def settings(**store: object) -> Settings:
    return Settings(store=StoreSettings(**store))  # type: ignore[arg-type]


async def test_configured_store_goes_before_the_embedded_one(url: str, tmp_path: Path) -> None:
    assert store_url(settings(url="redis://h:1"), tmp_path) == "redis://h:1"
    assert store_url(settings(), tmp_path) == url


async def test_folder_without_a_running_store_says_what_to_start(tmp_path: Path) -> None:
    with pytest.raises(StoreRefusedError, match="start `ocs up`, or name the folder with --data-dir"):
        store_url(settings(), tmp_path)


async def test_file_of_tls_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "nonsense.pem").write_text("nonsense")
    named = Settings(
        store=StoreSettings(url="rediss://127.0.0.1:1", tls_ca_file="nonsense.pem"), directory=tmp_path
    )
    with pytest.raises(StoreRefusedError, match=r"nonsense\.pem: .* as \[store\] tls_ca_file"):
        await in_thread(prepare_store, named, named.store.url, CLOCK)


async def test_store_is_set_up_once_and_found_as_it_was(url: str) -> None:
    first = await in_thread(prepare_store, settings(), url, CLOCK)
    again = await in_thread(prepare_store, settings(), url, ManualClock(CLOCK.now_ms() + 10_000))
    assert str(first.address) == url
    assert first.meta == again.meta
    assert first.meta.partitions == 64
    assert first.meta.origin_state_id == 1_790_000_000


async def test_store_with_other_partitions_is_refused(url: str) -> None:
    await in_thread(prepare_store, settings(), url, CLOCK)
    with pytest.raises(StoreRefusedError, match="created with 64 partitions"):
        await in_thread(prepare_store, settings(partitions=128), url, CLOCK)


async def test_store_that_could_lose_what_it_acknowledged_is_refused(url: str) -> None:
    client = connect(url)
    await in_thread(client.config_set, "appendfsync", "everysec")
    client.close()
    with pytest.raises(StoreRefusedError, match="appendfsync"):
        await in_thread(prepare_store, settings(), url, CLOCK)
    await in_thread(prepare_store, settings(durability="memory"), url, CLOCK)


async def test_client_needs_a_store_that_was_set_up(url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreRefusedError, match="never set up: start `ocs up`"):
        await in_thread(open_client, settings(), tmp_path)
    await in_thread(prepare_store, settings(partitions=4), url, CLOCK)
    client = await in_thread(open_client, settings(), tmp_path)
    assert client.partitions == 4
    assert await in_thread(client.account, "A1") is None


async def test_store_that_is_gone_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnreachableError, match="start the store or correct"):
        await in_thread(open_client, settings(url=f"unix://{tmp_path}/none.sock"), tmp_path)


async def test_catalogues_stay_for_the_grants_made_under_them(url: str, tmp_path: Path) -> None:
    first = load_catalogue(CATALOGUE)
    folder = tmp_path / "catalogue"
    shutil.copytree(CATALOGUE, folder)
    operator = folder / "operator.toml"
    operator.write_text(re.sub(r"effective = .*", "effective = 2031-01-01", operator.read_text()))
    later = load_catalogue(folder)
    await in_thread(publish_catalogue, settings(), url, first)
    tariffs = await in_thread(publish_catalogue, settings(), url, later)
    rate = first.rate(("prepaid-basic",), Service.DATA, 10, (), NO_CONTEXT, CLOCK.now_ms() // 1000)
    assert rate is not None
    assert tariffs.current.version.startswith("2031-01-01.")
    # In years there are thousands: an earlier one is read when a grant made under it is met.
    assert not tariffs.knows(first.version)
    client = connect(url)
    kept = await in_thread(client.get, catalogue_key(first.version))
    client.close()
    tariffs = tariffs.with_earlier(Catalogue.from_bytes(kept))
    held = tariffs.held_rate(first.version, rate.path)
    assert held is not None
    assert (held.catalogue_version, held.description) == (first.version, rate.description)
    assert tariffs.held_rate("2020-01-01.00000000", rate.path) is None


async def test_published_catalogue_is_never_written_over(url: str) -> None:
    catalogue = load_catalogue(CATALOGUE)
    await in_thread(publish_catalogue, settings(), url, catalogue)
    client = connect(url)
    before = await in_thread(client.get, f"catalogue:{catalogue.version}")
    await in_thread(publish_catalogue, settings(), url, catalogue)
    assert await in_thread(client.get, f"catalogue:{catalogue.version}") == before
    client.close()


# --- Sentinels and clusters --------------------------------------------------------------------------------------


@pytest.fixture
def nodes(tmp_path: Path):
    with cluster(tmp_path, primaries=3, spare=1) as nodes:
        yield nodes


@pytest.fixture
def group(tmp_path: Path):
    with sentinel_group(tmp_path, replicas=2, sentinels=1) as group:
        yield group


async def test_cluster_is_prepared_published_to_and_opened(nodes: Cluster, tmp_path: Path) -> None:
    named = settings(url=nodes.url)
    with structlog.testing.capture_logs() as lines:
        prepared = await in_thread(prepare_store, named, nodes.url, CLOCK)
    (idle,) = lines
    assert (idle["event"], idle["primary"]) == ("store_primary_idle", str(nodes.nodes[-1].endpoint))
    assert prepared.address.kind == "cluster"
    catalogue = load_catalogue(CATALOGUE)
    tariffs = await in_thread(publish_catalogue, named, nodes.url, catalogue)
    assert tariffs.current.version == catalogue.version
    client = await in_thread(open_client, named, tmp_path)
    assert await in_thread(client.account, "A1") is None
    client._store.close()
    nodes.nodes[0].admin.execute_command("FUNCTION FLUSH")
    assert await in_thread(reload_library, prepared.address, prepared.meta) == 1


async def test_store_whose_replicas_can_never_cover_is_refused(group: SentinelGroup) -> None:
    one = settings(url=group.url, durability="replicated", replicas=1)
    with pytest.raises(StoreRefusedError, match=r"has 2 replicas and \[store\] replicas is 1"):
        await in_thread(prepare_store, one, group.url, CLOCK)
    for enough in (2, 3):  # that one is missing is for the watch to tell
        named = settings(url=group.url, durability="replicated", replicas=enough)
        await in_thread(prepare_store, named, group.url, CLOCK)


META = StoreMeta(1, 64, 1, 1)


async def test_library_of_a_store_that_is_away_cannot_be_loaded() -> None:
    with pytest.raises(StoreUnreachableError, match="start the store"):
        await in_thread(reload_library, plain_address("redis://127.0.0.1:1"), META)


@pytest.mark.parametrize("is_empty", [True, False])
async def test_store_that_came_back_as_another_is_not_made_ours_by_the_way(url: str, is_empty: bool) -> None:
    client = connect(url)
    if not is_empty:
        await in_thread(prepare_store, settings(), url, CLOCK)
        client.function_flush()
    with pytest.raises(StoreRefusedError, match=r"that it is ours: restore the newest backup"):
        await in_thread(reload_library, plain_address(url), META)
    assert client.function_list() == []
    client.close()


async def test_worker_that_is_started_again_does_not_make_an_empty_store_ours(url: str) -> None:
    with pytest.raises(StoreRefusedError, match=r"that it is ours: restore the newest backup"):
        await in_thread(partial(prepare_store, settings(), url, CLOCK, may_create=False))
    client = connect(url)
    assert client.dbsize() == 0
    client.close()
    first = await in_thread(prepare_store, settings(), url, CLOCK)
    again = await in_thread(partial(prepare_store, settings(), url, CLOCK, may_create=False))
    assert first.meta == again.meta


async def test_origin_state_id_is_raised_in_the_store(url: str) -> None:
    first = await in_thread(prepare_store, settings(), url, CLOCK)
    known = first.meta.origin_state_id
    later = ManualClock(CLOCK.now_ms() + 10_000)
    assert await in_thread(advance_origin_state, first.address, later, known, "a" * 40) == known + 10
    assert (await in_thread(prepare_store, settings(), url, CLOCK)).meta.origin_state_id == known + 10
