"""A worker's catalogue follows what is published: at its moment, between decisions, whether or not anybody tells it."""

import pytest
import trio

from ocs.balance.store_address import plain_address
from ocs.balance.store_admin import StoreRefusedError
from ocs.balance.store_client import StoreClient
from ocs.catalogue_schedule import Publication, Schedule, publish
from ocs.catalogue_watch import CatalogueWatch, Published, read_published
from ocs.charging.tariffs import Tariffs
from ocs.clock import ManualClock
from ocs.limits import CATALOGUE_LOOK_INTERVAL_S, CATALOGUES_KEPT
from ocs.peer_notices import CATALOGUE_PUBLISHED, Notice
from tests.support.catalogue import HEADER, OFFERS, catalogue_from, dearer_catalogue, lab_catalogue
from tests.support.charged_store import started_server

NOW_S = 1_800_000_000
CHEAP, DEAR = lab_catalogue(), dearer_catalogue()


class TrioClock:
    """Wall time that goes with trio's."""

    def now_ms(self) -> int:
        return NOW_S * 1000 + round(trio.current_time() * 1000)

    def steady_ms(self) -> int:
        return round(trio.current_time() * 1000)


class Shelf:
    """A store's catalogues, and when each was taken into use (seconds after the start)."""

    def __init__(self) -> None:
        self.schedule: Schedule = (Publication(CHEAP.version, NOW_S, NOW_S),)
        self.is_away = False
        self.looks = 0
        self.used: list[tuple[str, float]] = []

    def publish(self, version: str, after_s: int) -> None:
        self.schedule += (Publication(version, NOW_S + after_s, NOW_S),)

    async def read(self, known: frozenset[str]) -> Published:
        await trio.lowlevel.checkpoint()
        self.looks += 1
        if self.is_away:
            raise StoreRefusedError("it is away")
        catalogues = {catalogue.version: catalogue for catalogue in (CHEAP, DEAR)}
        wanted = {entry.version for entry in self.schedule} - known
        return Published(self.schedule, {version: catalogues[version] for version in wanted})

    def use(self, catalogue) -> None:
        self.used.append((catalogue.version, trio.current_time()))


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def watch(shelf: Shelf, nursery: trio.Nursery) -> CatalogueWatch:
    watch = CatalogueWatch(CHEAP, TrioClock(), read=shelf.read, use=shelf.use)
    nursery.start_soon(watch.run)
    return watch


async def test_catalogue_in_force_already_is_left_alone(
    shelf: Shelf, watch: CatalogueWatch, autojump_clock
) -> None:
    await trio.sleep(3 * CATALOGUE_LOOK_INTERVAL_S)
    assert shelf.used == []
    assert shelf.looks >= 3


async def test_catalogue_is_used_from_its_very_moment(
    shelf: Shelf, watch: CatalogueWatch, autojump_clock
) -> None:
    shelf.publish(DEAR.version, 25)
    shelf.publish(CHEAP.version, 26)
    await trio.sleep(40)
    assert [version for version, _ in shelf.used] == [DEAR.version, CHEAP.version]
    assert [at for _, at in shelf.used] == pytest.approx([25, 26], abs=0.01)


async def test_one_that_is_told_looks_at_once(shelf: Shelf, watch: CatalogueWatch, autojump_clock) -> None:
    await trio.sleep(1)
    shelf.publish(DEAR.version, 1)
    assert watch.hear(Notice(CATALOGUE_PUBLISHED)) == 1
    await trio.sleep(0.5)
    assert [version for version, _ in shelf.used] == [DEAR.version]


async def test_one_that_nobody_tells_sees_it_at_the_next_look(
    shelf: Shelf, watch: CatalogueWatch, autojump_clock
) -> None:
    await trio.sleep(1)
    shelf.publish(DEAR.version, 0)
    await trio.sleep(CATALOGUE_LOOK_INTERVAL_S + 1)
    assert [version for version, _ in shelf.used] == [DEAR.version]


async def test_what_is_known_takes_effect_while_the_store_is_away(
    shelf: Shelf, watch: CatalogueWatch, autojump_clock
) -> None:
    shelf.publish(DEAR.version, 45)
    await trio.sleep(15)
    shelf.is_away = True
    await trio.sleep(60)
    assert [version for version, _ in shelf.used] == [DEAR.version]


def test_look_into_a_store_brings_what_is_in_force_and_to_come_and_nothing_else(tmp_path) -> None:
    clock = ManualClock(NOW_S * 1000)
    with started_server(tmp_path) as url:
        client = StoreClient(plain_address(url))
        publish(client, DEAR, effective_s=0, now_s=NOW_S - 20)
        publish(client, CHEAP, effective_s=0, now_s=NOW_S - 10)
        found = read_published(plain_address(url), clock, frozenset())
        assert (len(found.schedule), list(found.catalogues)) == (2, [CHEAP.version])
        publish(client, DEAR, effective_s=NOW_S + 60, now_s=NOW_S)
        found = read_published(plain_address(url), clock, frozenset({CHEAP.version}))
        assert list(found.catalogues) == [DEAR.version]
        client.close()


def test_store_that_is_away_is_one_line(tmp_path) -> None:
    with pytest.raises(StoreRefusedError):
        read_published(plain_address(f"unix://{tmp_path}/none.sock"), ManualClock(0), frozenset())


async def test_catalogue_that_is_past_is_not_kept_and_read_again_when_it_comes_back(
    shelf: Shelf, watch: CatalogueWatch, autojump_clock
) -> None:
    shelf.publish(DEAR.version, 5)
    await trio.sleep(30)
    shelf.publish(CHEAP.version, 60)
    await trio.sleep(60)
    assert [version for version, _ in shelf.used] == [DEAR.version, CHEAP.version]


def test_grants_of_the_last_versions_are_priced_after_a_switch() -> None:
    tariffs = Tariffs(CHEAP).switched_to(DEAR)
    assert tariffs.current is DEAR
    held = tariffs.held_rate(CHEAP.version, "basic/data")
    assert held is not None
    assert held.catalogue_version == CHEAP.version
    for number in range(CATALOGUES_KEPT + 1):
        tariffs = tariffs.switched_to(catalogue_from(HEADER.replace('"test"', f'"{number}"') + OFFERS))
    assert not tariffs.knows(CHEAP.version)
    assert tariffs.knows(tariffs.current.version)
