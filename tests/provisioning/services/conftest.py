"""A database with the lab's inventory, to be copied; databases of both kinds."""

from pathlib import Path

import pytest

from tests.support.databases import database, empty_database, postgres_server
from tests.support.service_lab import make_service_template

__all__ = ["database", "empty_database", "postgres_server"]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with our schema and the lab's inventory."""
    return make_service_template(tmp_path_factory.mktemp("template"))
