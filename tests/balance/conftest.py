"""A real store for a whole file of tests, and for each test what charging leaves in it."""

from collections.abc import Generator

import pytest

from tests.support.charged_store import ChargedStore, started_server


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """A server for the tests of one file."""
    with started_server(tmp_path_factory.mktemp("store")) as url:
        yield url


@pytest.fixture
def store(url: str) -> Generator[ChargedStore]:
    """The server's store, charged against; emptied before each test."""
    store = ChargedStore(url)
    store.set_up()
    store.fill()
    yield store
    store.close()
