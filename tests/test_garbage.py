"""What a long-lived process spares itself."""

import gc
from collections.abc import Generator

import pytest

from ocs.garbage import collect_seldom


@pytest.fixture(autouse=True)
def _as_it_was() -> Generator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def test_what_is_there_is_not_looked_at_again():
    collect_seldom()
    assert gc.get_freeze_count() > 0


def test_thousands_of_new_objects_begin_no_collection():
    collect_seldom()
    before = [generation["collections"] for generation in gc.get_stats()]
    kept = [[number] for number in range(10_000)]
    assert [generation["collections"] for generation in gc.get_stats()] == before
    assert len(kept) == 10_000
