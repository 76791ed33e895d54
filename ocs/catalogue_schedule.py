"""Which published catalogue is in force when: the list that the store keeps, and how it grows.

A published catalogue never changes, and neither does the list: whoever wants other prices publishes another catalogue,
whoever wants the old ones back publishes those again from a later moment.
"""

from typing import Any, Final

import msgspec
import redis

from ocs.balance.barrier import Barrier
from ocs.balance.keys import CATALOGUE_SCHEDULE, CATALOGUES, catalogue_key
from ocs.balance.store_admin import StoreRefusedError
from ocs.balance.store_client import Command, StoreClient
from ocs.limits import CATALOGUES_PUBLISHED_MAX
from ocs.rating import Catalogue


class PublishError(ValueError):
    """A catalogue cannot be published as asked; ``str()`` is one line with the remedy."""


class Publication(msgspec.Struct, frozen=True, array_like=True):
    """From when on a version is to be used.

    Attributes:
        effective_s: epoch second from which on it is in force.
        published_s: when it was published; never later than ``effective_s``.
        is_from_folder: it is what a system found in its own folder when it started or reloaded.
    """

    version: str
    effective_s: int
    published_s: int
    is_from_folder: bool = False


_encode: Final = msgspec.msgpack.encode
_decode: Final = msgspec.msgpack.Decoder(Publication).decode

Schedule = tuple[Publication, ...]


def in_force(schedule: Schedule, at_s: int) -> Publication | None:
    """The publication that holds at an epoch second: of those in effect the latest; of several of one second the last.

    None when nothing has been published, or all of it for later.
    """
    return max(
        (publication for publication in reversed(schedule) if publication.effective_s <= at_s),
        key=lambda publication: publication.effective_s,
        default=None,
    )


def upcoming(schedule: Schedule, at_s: int) -> Schedule:
    """What comes into force after an epoch second, in that order, each as :func:`in_force` will have it."""
    moments = sorted({publication.effective_s for publication in schedule if publication.effective_s > at_s})
    found = (in_force(schedule, moment) for moment in moments)
    return tuple(publication for publication in found if publication is not None)


def read_schedule(client: StoreClient) -> Schedule:
    """All publications in the order in which they were made; blocks."""
    connection: Any = client
    return tuple(_decode(entry) for entry in connection.lrange(CATALOGUE_SCHEDULE, 0, -1))


def read_catalogue(client: StoreClient, version: str) -> Catalogue:
    """A published catalogue; blocks.

    Raises:
        StoreRefusedError: the store has no such version.
        CatalogueError: this release cannot use it.
    """
    connection: Any = client
    content = connection.get(catalogue_key(version))
    if content is None:
        raise StoreRefusedError(
            f"there is no catalogue {version!r} in the store: `ocs catalogue list` names them"
        )
    return Catalogue.from_bytes(content)


def publish(
    client: StoreClient,
    catalogue: Catalogue,
    *,
    effective_s: int,
    now_s: int,
    barrier: Barrier | None = None,
) -> Publication:
    """Have a catalogue used from a moment on; blocks. Workers see it within seconds, also when nobody tells them.

    Args:
        effective_s: epoch second; what lies in the past means now.
        barrier: what replicas must have before it counts as done.

    Raises:
        PublishError: it is in force then anyhow, it is in another currency than the one in force, there are too many,
            or it is published and the replicas do not have it.
    """
    schedule = read_schedule(client)
    publication = Publication(catalogue.version, max(effective_s, now_s), now_s)
    same = in_force(schedule, publication.effective_s)
    if same is not None and same.version == catalogue.version:
        raise PublishError(
            f"{catalogue.version} is in force at that time already: nothing was published, nothing needs to be"
        )
    _refuse_other_currency(client, schedule, catalogue, now_s)
    _append(client, schedule, catalogue, publication, barrier)
    return publication


def publish_folder(client: StoreClient, catalogue: Catalogue, *, now_s: int) -> Schedule:
    """Publish what a system found in its own folder, from now on; nothing when it was published before; blocks.

    So a start does not undo what was published by hand since, and a folder that was changed takes effect, also back.

    Returns:
        All publications, with this one.
    """
    schedule = read_schedule(client)
    places = [place for place, entry in enumerate(schedule) if entry.is_from_folder]
    # By hand too: who published the folder for a later moment does not want it now.
    since = schedule[places[-1] :] if places else schedule
    if any(entry.version == catalogue.version for entry in since) and in_force(schedule, now_s) is not None:
        store_catalogue(client, catalogue)
        return schedule
    publication = Publication(catalogue.version, now_s, now_s, is_from_folder=True)
    _append(client, schedule, catalogue, publication)
    return (*schedule, publication)


def store_catalogue(client: StoreClient, catalogue: Catalogue, barrier: Barrier | None = None) -> None:
    """Put a catalogue into the store, where it stays for the grants made under it; blocks.

    Raises:
        PublishError: the replicas that the barrier asks for do not have it.
    """
    key = catalogue_key(catalogue.version)
    _write(client, key, ("SET", key, catalogue.to_bytes(), "NX"), barrier)
    _write(client, CATALOGUES, ("SADD", CATALOGUES, catalogue.version), barrier)


def _append(
    client: StoreClient,
    schedule: Schedule,
    catalogue: Catalogue,
    publication: Publication,
    barrier: Barrier | None = None,
) -> None:
    if len(schedule) >= CATALOGUES_PUBLISHED_MAX:
        raise PublishError(
            f"{len(schedule)} publications are as many as this store takes: publish fewer, larger changes"
        )
    # The content first: whoever finds a publication finds its catalogue.
    store_catalogue(client, catalogue, barrier)
    _write(client, CATALOGUE_SCHEDULE, ("RPUSH", CATALOGUE_SCHEDULE, _encode(publication)), barrier)


def _write(client: StoreClient, key: str, command: Command, barrier: Barrier | None) -> None:
    """Write, and have the replicas confirm it on the same connection, whose writes WAIT counts."""
    wait = [] if barrier is None else [("WAIT", barrier.replicas, barrier.timeout_ms)]
    written, *having = client.send(key, [command, *wait])
    if isinstance(written, redis.RedisError):
        raise written
    if barrier is not None and barrier.is_required and not _has(having[0], barrier.replicas):
        raise PublishError(
            f"{key} is written, but {having[0]} of {barrier.replicas} replicas have it: mend the replicas, and see"
            " `ocs catalogue list` for what is published"
        )


def _has(reply: Any, replicas: int) -> bool:
    return isinstance(reply, int) and reply >= replicas


def _refuse_other_currency(client: StoreClient, schedule: Schedule, catalogue: Catalogue, now_s: int) -> None:
    current = in_force(schedule, now_s)
    if current is None:
        return
    try:
        currency = read_catalogue(client, current.version).currency
    except (StoreRefusedError, redis.RedisError):
        return  # what cannot be read cannot be contradicted
    if catalogue.currency != currency:
        raise PublishError(
            f"catalogue.currency: expected {currency} as now, in which accounts are kept, got {catalogue.currency}"
        )
