"""The SQL database as routes of TM Forum APIs ask it; SQLAlchemy is loaded by the first who does.

Units of work are functions over a connection, in modules that routes import when they are called.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from ocs.api.threads import ReaderUnavailableError, read_in_thread, write_in_thread
from ocs.api.tmf.errors import TmfError
from ocs.inventory.errors import InUseError, InventoryError, NotInInventoryError, StaleError
from ocs.sql_error import SqlError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ocs.sql import Database

# Finds one thing: never more than a thread's worth of work.
Work: TypeAlias = "Callable[[Connection], Any]"


class SqlSide:
    """Runs units of work in threads.

    Args:
        open_database: gives the database, with our schema; called in a thread each time.
    """

    def __init__(self, open_database: "Callable[[], Database]") -> None:
        self._open = open_database

    async def read(self, work: Work) -> Any:
        """Run a unit of work that writes nothing.

        Raises:
            TmfError: 404, 409 or 400 for what the inventory refuses.
            ReaderUnavailableError: the database does not answer.
        """
        return await read_in_thread(self.read_blocking, work)

    async def write(self, work: Work) -> Any:
        """Run a unit of work in a transaction of its own; cancellation waits for it. Raises as :meth:`read`."""
        return await write_in_thread(self.write_blocking, work)

    def read_blocking(self, work: Work) -> Any:
        """As :meth:`read`, for who is in a thread already."""
        return self._run(lambda database: database.read_blocking(work))

    def write_blocking(self, work: Work) -> Any:
        """As :meth:`write`, likewise."""
        return self._run(lambda database: database.write_blocking(work))

    def _run(self, run: "Callable[[Database], Any]") -> Any:
        try:
            return run(self._open())
        except SqlError as error:
            raise ReaderUnavailableError(str(error)) from error
        except NotInInventoryError as error:
            raise TmfError(404, str(error)) from None
        except (InUseError, StaleError) as error:
            raise TmfError(409, str(error)) from None
        except InventoryError as error:
            raise TmfError(400, str(error)) from None
