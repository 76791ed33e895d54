"""Databases of both kinds, and a copy of the schema for stories by the hundred."""

from pathlib import Path

import pytest

from tests.support.databases import database, empty_database, postgres_server
from tests.support.provisioning_lab import make_template

__all__ = ["database", "empty_database", "postgres_server"]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with our schema."""
    return make_template(tmp_path_factory.mktemp("template"))
