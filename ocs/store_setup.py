"""Find the store that the settings mean, check it, make it ours, publish the catalogue."""

from importlib import resources
from pathlib import Path
from typing import Any, Final

import msgspec
import redis

from ocs.balance.client import BalanceClient
from ocs.balance.embedded import find_store
from ocs.balance.keys import CATALOGUES, catalogue_key
from ocs.balance.store_admin import (
    StoreMeta,
    StoreRefusedError,
    StoreUnreachableError,
    check_store,
    connect,
    read_meta,
    set_up_store,
)
from ocs.charging.tariffs import Tariffs
from ocs.clock import Clock
from ocs.rating import Catalogue
from ocs.settings import Settings
from ocs.settings_file import resolve_path

LIBRARY: Final = resources.files("ocs.balance").joinpath("commit.lua")


class PreparedStore(msgspec.Struct, frozen=True):
    """A store that is checked and set up."""

    url: str
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


def password_file(settings: Settings) -> Path | None:
    """The file with the store's password, if there is one."""
    name = settings.store.password_file
    return resolve_path(settings, name) if name else None


def prepare_store(settings: Settings, url: str, clock: Clock) -> PreparedStore:
    """Check a store and set it up; blocks.

    Raises:
        StoreRefusedError: one line with the remedy.
    """
    client = connect(url, password_file(settings))
    try:
        check_store(client, settings.store)
        meta = set_up_store(
            client,
            partitions=settings.store.partitions,
            now_s=clock.now_ms() // 1000,
            library=LIBRARY.read_text(encoding="utf-8"),
        )
    finally:
        client.close()
    return PreparedStore(url, meta)


def open_client(settings: Settings, data_dir: Path) -> BalanceClient:
    """A client for administration on a store that is set up; blocks.

    Raises:
        StoreRefusedError: no store, or one that was never set up.
    """
    url = store_url(settings, data_dir)
    client = connect(url, password_file(settings))
    try:
        meta = read_meta(client)
    except redis.RedisError as error:
        raise StoreUnreachableError(f"{url}: {error}: start the store or correct [store] url") from None
    if meta is None:
        raise StoreRefusedError(f"{url}: this store was never set up: start `ocs up` on it first")
    return BalanceClient(client, partitions=meta.partitions)


def publish_catalogue(settings: Settings, url: str, catalogue: Catalogue) -> Tariffs:
    """Put a catalogue into the store, where it stays for the grants made under it, and load the earlier ones."""
    client: Any = connect(url, password_file(settings))
    try:
        client.set(catalogue_key(catalogue.version), catalogue.to_bytes(), nx=True)
        client.sadd(CATALOGUES, catalogue.version)
        versions = sorted(version.decode() for version in client.smembers(CATALOGUES))
        earlier = [
            Catalogue.from_bytes(client.get(catalogue_key(version)))
            for version in versions
            if version != catalogue.version
        ]
    finally:
        client.close()
    return Tariffs(catalogue, tuple(earlier))
