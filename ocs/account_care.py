"""The task that works off the agenda: renewals, expiries, dates of accounts, operations that a crash cut off.

One process of a node runs it; on many nodes it runs as often, and what two of them find is done once.
"""

import redis
import structlog
import trio

from ocs.balance.barrier import Barrier
from ocs.balance.client import BalanceClient, StoreBusyError
from ocs.balance.store_admin import connect
from ocs.catalogue_schedule import in_force, read_catalogue, read_schedule
from ocs.clock import Clock
from ocs.limits import AGENDA_INTERVAL_S
from ocs.peer_notices import PeerNotices, notice_opener
from ocs.rating import Catalogue, CatalogueError
from ocs.reauthoriser import Reauthoriser
from ocs.settings import Settings
from ocs.store_setup import PreparedStore
from ocs.subscribers.office import Office
from ocs.subscribers.operations import account_rules
from ocs.subscribers.sweep import Sweeper

log = structlog.get_logger()


async def care_for_accounts(
    settings: Settings, prepared: PreparedStore, catalogue: Catalogue, clock: Clock
) -> None:
    """Work off the agenda for ever, in threads, by the catalogue in force; gateways are told of what changed.

    Cancellation takes effect after the look under way, which is bounded and whole.

    Args:
        catalogue: in force at the start.
    """
    connection = connect(prepared.address)
    client = BalanceClient(
        connection, partitions=prepared.meta.partitions, barrier=Barrier.from_settings(settings.store)
    )
    notices = PeerNotices(notice_opener(prepared.address), "accounts", {})
    reauthoriser = Reauthoriser(client, notices)
    office = Office(
        client,
        catalogue,
        clock,
        rules=account_rules(settings.accounts),
        on_change=reauthoriser.account_changed,
    )
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(notices.run)
            nursery.start_soon(reauthoriser.run)
            await _sweep_for_ever(office)
    finally:
        connection.close()


async def _sweep_for_ever(office: Office) -> None:
    sweeper = Sweeper(office)
    is_told = False
    while True:
        try:
            await trio.to_thread.run_sync(_take_catalogue_in_force, office)
            for partition in range(office.client.partitions):
                await trio.to_thread.run_sync(sweeper.sweep_partition, partition)
            is_told = False
        except (StoreBusyError, CatalogueError, redis.RedisError) as error:
            if not is_told:
                is_told = True
                log.warning(
                    "agenda_not_worked_off",
                    reason=str(error),
                    remedy="renewals, expiries and operations that were cut off wait; look at the store's entries",
                )
        await trio.sleep(AGENDA_INTERVAL_S)


def _take_catalogue_in_force(office: Office) -> None:
    """Switch to what is in force by now; blocks."""
    connection = office.client.connection
    publication = in_force(read_schedule(connection), office.clock.now_ms() // 1000)
    if publication is not None and publication.version != office.catalogue.version:
        office.catalogue = read_catalogue(connection, publication.version)
