"""Databases of both kinds."""

from tests.support.databases import database, empty_database, postgres_server

__all__ = ["database", "empty_database", "postgres_server"]
