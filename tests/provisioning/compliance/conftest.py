"""Databases of both kinds, and a park of simulated elements."""

import logging
from collections.abc import Generator
from pathlib import Path

import pytest

from simulators.element.model import load_model
from simulators.element.park import Park
from tests.support.databases import database, empty_database, postgres_server
from tests.support.provisioning_lab import make_template

__all__ = ["database", "empty_database", "postgres_server"]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database file that has our schema."""
    return make_template(tmp_path_factory.mktemp("template")).parent


@pytest.fixture(scope="module")
def park() -> Generator[Park]:
    """Simulated elements."""
    logging.getLogger("asyncssh").setLevel(logging.CRITICAL)
    with Park(model=load_model()) as opened:
        yield opened
