"""Which published catalogue is in force when, on a real store."""

from collections.abc import Generator
from pathlib import Path

import pytest

from ocs.balance.barrier import Barrier
from ocs.balance.store_address import plain_address
from ocs.balance.store_admin import StoreRefusedError
from ocs.balance.store_client import StoreClient
from ocs.catalogue_schedule import (
    Publication,
    PublishError,
    in_force,
    publish,
    publish_folder,
    read_catalogue,
    read_schedule,
    upcoming,
)
from tests.support.catalogue import HEADER, OFFERS, catalogue_from, dearer_catalogue, lab_catalogue
from tests.support.charged_store import started_server

NOW_S = 1_800_000_000
CHEAP, DEAR = lab_catalogue(), dearer_catalogue()


@pytest.fixture
def client(tmp_path: Path) -> Generator[StoreClient]:
    with started_server(tmp_path) as url:
        client = StoreClient(plain_address(url))
        yield client
        client.close()


def entry(version: str, effective_s: int, published_s: int = 0) -> Publication:
    return Publication(version, effective_s, published_s)


# --- what is in force ---------------------------------------------------------------------------------------------


def test_latest_that_has_begun_is_in_force() -> None:
    schedule = (entry("a", 100), entry("b", 300), entry("c", 200))
    assert [getattr(in_force(schedule, at), "version", None) for at in (99, 100, 199, 200, 299, 300, 999)] == [
        None, "a", "a", "c", "c", "b", "b",
    ]  # fmt: skip


def test_of_one_moment_the_last_that_was_published_is_in_force() -> None:
    schedule = (entry("a", 100), entry("b", 100), entry("c", 50))
    assert in_force(schedule, 100) is schedule[1]


def test_what_comes_is_told_in_order_without_what_was_replaced() -> None:
    schedule = (entry("a", 100), entry("b", 300), entry("c", 200), entry("d", 300))
    assert upcoming(schedule, 100) == (schedule[2], schedule[3])
    assert upcoming(schedule, 300) == ()


# --- publishing ---------------------------------------------------------------------------------------------------


def test_catalogue_is_published_once_for_a_moment_and_found_again(client: StoreClient) -> None:
    publish(client, CHEAP, effective_s=0, now_s=NOW_S)
    publication = publish(client, DEAR, effective_s=NOW_S + 60, now_s=NOW_S + 1)
    assert publication == Publication(DEAR.version, NOW_S + 60, NOW_S + 1)
    schedule = read_schedule(client)
    assert [e.effective_s for e in schedule] == [NOW_S, NOW_S + 60]
    assert [getattr(in_force(schedule, NOW_S + s), "version", "") for s in (0, 59, 60)] == [
        CHEAP.version, CHEAP.version, DEAR.version,
    ]  # fmt: skip
    assert read_catalogue(client, DEAR.version).to_bytes() == DEAR.to_bytes()


def test_catalogue_that_is_in_force_then_is_not_published_again(client: StoreClient) -> None:
    publish(client, CHEAP, effective_s=0, now_s=NOW_S)
    with pytest.raises(PublishError, match="in force at that time already"):
        publish(client, CHEAP, effective_s=NOW_S + 60, now_s=NOW_S + 1)
    assert len(read_schedule(client)) == 1


def test_prices_of_before_come_back_by_publishing_them_again(client: StoreClient) -> None:
    publish(client, CHEAP, effective_s=0, now_s=NOW_S)
    publish(client, DEAR, effective_s=0, now_s=NOW_S + 1)
    publish(client, CHEAP, effective_s=0, now_s=NOW_S + 2)
    current = in_force(read_schedule(client), NOW_S + 2)
    assert current is not None
    assert current.version == CHEAP.version


def test_catalogue_in_another_currency_is_refused(client: StoreClient) -> None:
    publish(client, CHEAP, effective_s=0, now_s=NOW_S)
    dollars = catalogue_from(HEADER.replace('"EUR"', '"USD"') + OFFERS)
    with pytest.raises(PublishError, match="expected EUR as now"):
        publish(client, dollars, effective_s=0, now_s=NOW_S)


def test_there_are_only_so_many_publications(client: StoreClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ocs.catalogue_schedule.CATALOGUES_PUBLISHED_MAX", 1)
    publish(client, CHEAP, effective_s=0, now_s=NOW_S)
    with pytest.raises(PublishError, match="as many as this store takes"):
        publish(client, DEAR, effective_s=0, now_s=NOW_S)


def test_version_that_was_never_published_is_named(client: StoreClient) -> None:
    with pytest.raises(StoreRefusedError, match="there is no catalogue 'x'"):
        read_catalogue(client, "x")


def test_publication_that_too_few_replicas_have_is_told(client: StoreClient) -> None:
    alone = Barrier(replicas=1, timeout_ms=1, is_required=True)
    with pytest.raises(PublishError, match="0 of 1 replicas have it"):
        publish(client, CHEAP, effective_s=0, now_s=NOW_S, barrier=alone)
    degraded = Barrier(replicas=1, timeout_ms=1, is_required=False)
    assert publish(client, CHEAP, effective_s=0, now_s=NOW_S, barrier=degraded).version == CHEAP.version


# --- folders ------------------------------------------------------------------------------------------------------


def versions_in_force(client: StoreClient, *steps: tuple[object, int]) -> list[str]:
    found: list[str] = []
    for catalogue, after_s in steps:
        schedule = publish_folder(client, catalogue, now_s=NOW_S + after_s)  # type: ignore[arg-type]
        current = in_force(schedule, NOW_S + after_s)
        found.append(current.version if current else "")
    return found


def test_folder_that_changed_takes_effect_also_back(client: StoreClient) -> None:
    steps = ((CHEAP, 0), (CHEAP, 1), (DEAR, 2), (CHEAP, 3))
    assert versions_in_force(client, *steps) == [CHEAP.version, CHEAP.version, DEAR.version, CHEAP.version]
    assert len(read_schedule(client)) == 3


def test_start_does_not_undo_what_was_published_by_hand_since(client: StoreClient) -> None:
    publish_folder(client, CHEAP, now_s=NOW_S)
    publish(client, DEAR, effective_s=0, now_s=NOW_S + 1)
    assert versions_in_force(client, (CHEAP, 2)) == [DEAR.version]


def test_start_does_not_hasten_a_folder_that_was_published_for_later(client: StoreClient) -> None:
    publish_folder(client, CHEAP, now_s=NOW_S)
    publish(client, DEAR, effective_s=NOW_S + 60, now_s=NOW_S + 1)
    assert versions_in_force(client, (DEAR, 2), (DEAR, 60)) == [CHEAP.version, DEAR.version]


def test_start_does_not_disturb_what_is_to_come(client: StoreClient) -> None:
    publish_folder(client, CHEAP, now_s=NOW_S)
    publish(client, DEAR, effective_s=NOW_S + 60, now_s=NOW_S + 1)
    assert versions_in_force(client, (CHEAP, 2), (CHEAP, 61)) == [CHEAP.version, DEAR.version]
