"""Find the store that the settings mean, check it, make it ours, publish the catalogue."""

from importlib import resources
from pathlib import Path
from typing import Any, Final

import msgspec
import redis
import structlog
import trio

from ocs.balance.barrier import Barrier
from ocs.balance.client import BalanceClient
from ocs.balance.embedded import find_store
from ocs.balance.replicas import check_replicas, refuse_uncoverable
from ocs.balance.store_address import StoreAddress, StoreAddressError, make_tls_context, read_store_address
from ocs.balance.store_admin import (
    LOST_IDENTITY,
    StoreMeta,
    StoreRefusedError,
    advance_origin_state_id,
    check_store,
    connect,
    explain,
    load_library,
    note_library,
    read_meta,
    set_up_store,
)
from ocs.balance.store_client import StoreClient
from ocs.balance.store_guard import StoreGuard
from ocs.balance.store_rights import refuse_denied
from ocs.balance.topology import idle_primaries
from ocs.catalogue_schedule import in_force, publish_folder, read_catalogue, read_schedule
from ocs.charging.tariffs import Tariffs
from ocs.clock import Clock, SystemClock
from ocs.rating import Catalogue
from ocs.settings import Settings

log = structlog.get_logger()

LIBRARY: Final = (
    resources.files("ocs.balance").joinpath("commit.lua"),
    resources.files("ocs.faults.store").joinpath("alarms.lua"),
)


class PreparedStore(msgspec.Struct, frozen=True):
    """A store that is checked and set up."""

    address: StoreAddress
    meta: StoreMeta


def store_url(settings: Settings, data_dir: Path) -> str:
    """The configured store, or the embedded one that runs on the data folder.

    Raises:
        StoreRefusedError: neither.
    """
    if settings.store.url:
        return settings.store.url
    address = find_store(data_dir)
    if address is None:
        raise StoreRefusedError(
            f"{data_dir}: no store runs on this data folder: start `ocs up`, or name the folder with --data-dir"
        )
    return address.url


def store_address(settings: Settings, url: str) -> StoreAddress:
    """Where a store is, with the secrets and files that the settings name for it.

    Raises:
        StoreRefusedError: one line with the remedy.
    """
    try:
        address = read_store_address(settings, url)
        make_tls_context(address)  # a file of TLS that cannot be used is named now
    except StoreAddressError as error:
        raise StoreRefusedError(str(error)) from None
    return address


def prepare_store(settings: Settings, url: str, clock: Clock, *, may_create: bool = True) -> PreparedStore:
    """Check a store and set it up; blocks.

    Args:
        may_create: whether an empty store is made ours. Not by a worker that is started again: the store was set up,
            and should it be empty now, its money is in a backup.

    Raises:
        StoreRefusedError: one line with the remedy.
    """
    address = store_address(settings, url)
    client = connect(address)
    try:
        check_store(client, settings.store)
        if not may_create and read_meta(client) is None:
            raise StoreRefusedError(f"{address}: {LOST_IDENTITY}")
        meta = set_up_store(
            client,
            partitions=settings.store.partitions,
            now_s=clock.now_ms() // 1000,
            library=library_text(),
        )
        refuse_denied(client)
        for endpoint in idle_primaries(client.topology(), meta.partitions):
            log.warning(
                "store_primary_idle",
                primary=str(endpoint),
                reason=f"it owns none of the {meta.partitions} partitions",
                remedy="move slots to it, or take it out of the cluster",
            )
        if settings.store.durability == "replicated":
            refuse_uncoverable(check_replicas(client, settings.store))
    except redis.RedisError as error:
        raise explain(address, error) from None
    finally:
        client.close()
    return PreparedStore(address, meta)


def reload_library(address: StoreAddress, known: StoreMeta) -> int:
    """Load the functions that commit into every primary that has not got them; blocks.

    For a primary that was promoted or joined without them.

    Args:
        known: what the store said of itself at the start; a server that came back empty is not made ours by the way.

    Returns:
        How many primaries needed it.

    Raises:
        StoreRefusedError: one line with the remedy.
    """
    client = connect(address)
    try:
        meta = read_meta(client)
        if meta is None or meta.created_s != known.created_s:
            raise StoreRefusedError(f"{address}: {LOST_IDENTITY}")
        note_library(client, library_text())
        return load_library(client, library_text())
    except redis.RedisError as error:
        raise explain(address, error) from None
    finally:
        client.close()


def advance_origin_state(address: StoreAddress, clock: Clock, known: int, history: str) -> int:
    """Raise the store's Origin-State-Id for a loss, or find what another worker made of it; blocks.

    Raises:
        StoreRefusedError: one line with the remedy.
    """
    client = connect(address)
    try:
        return advance_origin_state_id(client, known=known, history=history, now_s=clock.now_ms() // 1000)
    except redis.RedisError as error:
        raise explain(address, error) from None
    finally:
        client.close()


def open_store(settings: Settings, data_dir: Path) -> tuple[StoreClient, StoreMeta]:
    """A connection for administration to a store that is set up, and what the store says about itself; blocks.

    Raises:
        StoreRefusedError: no store, or one that was never set up.
    """
    address = store_address(settings, store_url(settings, data_dir))
    client = connect(address)
    try:
        meta = read_meta(client)
        if meta is None:
            raise StoreRefusedError(f"{address}: this store was never set up: start `ocs up` on it first")
    except redis.RedisError as error:
        client.close()
        raise explain(address, error) from None
    except StoreRefusedError:
        client.close()
        raise
    return client, meta


def open_client(settings: Settings, data_dir: Path) -> BalanceClient:
    """A client for administration on a store that is set up; blocks.

    Raises:
        StoreRefusedError: no store, or one that was never set up.
    """
    client, meta = open_store(settings, data_dir)
    return BalanceClient(client, partitions=meta.partitions, barrier=Barrier.from_settings(settings.store))


def publish_catalogue(settings: Settings, url: str, catalogue: Catalogue) -> Tariffs:
    """Put a folder's catalogue into the store and in force, unless the folder is as it was; blocks.

    Returns:
        What is in force, which somebody may have published since. Earlier ones are read when a grant made under one of
        them is met (:mod:`ocs.charging.engine`): in years there are thousands.

    Raises:
        StoreRefusedError: one line with the remedy.
    """
    address = store_address(settings, url)
    client: Any = connect(address)
    try:
        now_s = SystemClock().now_ms() // 1000
        publication = in_force(publish_folder(client, catalogue, now_s=now_s), now_s)
        current = catalogue
        if publication is not None and publication.version != catalogue.version:
            current = read_catalogue(client, publication.version)
    except redis.RedisError as error:
        raise explain(address, error) from None
    finally:
        client.close()
    return Tariffs(current)


def published_tariffs(settings: Settings, url: str) -> Tariffs | None:
    """What is in force by what was published, whatever lies in the folder now; None when nothing is; blocks.

    Raises:
        StoreRefusedError: one line with the remedy.
        CatalogueError: this release cannot use it.
    """
    address = store_address(settings, url)
    client = connect(address)
    try:
        publication = in_force(read_schedule(client), SystemClock().now_ms() // 1000)
        return None if publication is None else Tariffs(read_catalogue(client, publication.version))
    except redis.RedisError as error:
        raise explain(address, error) from None
    finally:
        client.close()


def library_text() -> str:
    """The functions that commit, as they are loaded into the store: one library, so that one digest names it."""
    return "\n".join(part.read_text(encoding="utf-8") for part in LIBRARY)


def guard_of(prepared: PreparedStore, settings: Settings) -> StoreGuard:
    """What looks now and then whether the store is as money needs it."""
    return StoreGuard(
        created_s=prepared.meta.created_s,
        library=library_text(),
        fsync=settings.store.durability != "memory",
    )


async def reload_functions(prepared: PreparedStore) -> None:
    """Have the functions loaded where the store lacks them; raises OSError when that fails."""
    try:
        await trio.to_thread.run_sync(reload_library, prepared.address, prepared.meta, abandon_on_cancel=True)
    except StoreRefusedError as error:
        raise ConnectionError(str(error)) from None
