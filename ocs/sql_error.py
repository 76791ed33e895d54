"""What goes wrong with the SQL database; apart from :mod:`ocs.sql`, so that who only tells it needs no SQLAlchemy."""


class SqlError(Exception):
    """The database cannot be used as it is; ``str()`` is one line with the remedy and holds no password."""


class SqlUnavailableError(SqlError):
    """The database does not answer, or is locked for too long; it may do later. Nothing was done."""
