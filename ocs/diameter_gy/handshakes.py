"""TLS handshakes: few at a time, and a place in their queue for everybody.

A handshake costs milliseconds of processor time, and a connection that says nothing costs us a socket. So connections
are taken as they come and wait in places, of which each source has some and all together have a bound; a handshake
begins when the peer's first octets are there, at a measured pace, the sources taking turns. When places run out, the
source that holds the most gives one back: its oldest silent connection first. A flood so pushes out itself, and a peer
from elsewhere that speaks at once gets in.
"""

import ipaddress
import ssl
from collections.abc import Callable
from typing import Final, NoReturn, Protocol

import trio

from ocs.limits import (
    TLS_HANDSHAKE_INTERVAL_S,
    TLS_HANDSHAKE_TIMEOUT_S,
    TLS_PLACES_MAX,
    TLS_PLACES_PER_SOURCE_MAX,
)

_IPV6_NETWORK_BITS: Final = 64  # one subscriber of the internet has that many addresses: RFC 6177


def source_of(address: str) -> str:
    """Tell who is behind an address: itself, or for IPv6 the network of 64 bits that a single host chooses from."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        found = found.ipv4_mapped or found
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(ipaddress.ip_network((found, _IPV6_NETWORK_BITS), strict=False))


class Place:
    """One connection that waits for its handshake, or is in it.

    Attributes:
        give_way: ends it; called at most once, by :meth:`Places.enter`.
        let_in: called by :meth:`Places.let_next_in` once it has spoken.
    """

    __slots__ = ("give_way", "let_in", "source")

    def __init__(self, source: str, give_way: Callable[[], object], let_in: Callable[[], object]) -> None:
        self.source = source
        self.give_way = give_way
        self.let_in = let_in


class _Source:
    """The places of one source, in each row the oldest first."""

    __slots__ = ("shaking", "silent", "speaking")

    def __init__(self) -> None:
        self.silent: dict[Place, None] = {}
        self.speaking: dict[Place, None] = {}  # first octets are here, the handshake has not begun
        self.shaking: dict[Place, None] = {}  # in their handshake

    def __len__(self) -> int:
        return len(self.silent) + len(self.speaking) + len(self.shaking)

    def give_back(self) -> Place:
        row = self.silent or self.speaking or self.shaking
        place = next(iter(row))
        del row[place]
        return place


class Places:
    """Who waits, and who is next. Pure.

    Invariant: no more places than ``places_max``, and of one source no more than ``per_source_max``.
    """

    def __init__(self, places_max: int, per_source_max: int) -> None:
        self._places_max = places_max
        self._per_source_max = per_source_max
        self._sources: dict[str, _Source] = {}
        self._in_turn: dict[str, None] = {}  # sources with somebody who has spoken, next first
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def enter(self, place: Place) -> Place | None:
        """Take a place; gives back the one that gave way for it, if one had to."""
        own = self._sources.setdefault(place.source, _Source())
        fullest = None
        if len(own) >= self._per_source_max:
            fullest = own
        elif self._count >= self._places_max:
            fullest = max(self._sources.values(), key=lambda source: (len(source), bool(source.silent)))
        gone = None
        if fullest is not None:
            gone = fullest.give_back()
            self._count -= 1
            if not fullest and fullest is not own:
                del self._sources[gone.source]
        own.silent[place] = None
        self._count += 1
        if gone is not None:
            gone.give_way()
        return gone

    def speak(self, place: Place) -> None:
        """A peer's first octets are here: it waits for its turn."""
        own = self._sources[place.source]
        del own.silent[place]
        own.speaking[place] = None
        self._in_turn.setdefault(place.source)

    def leave(self, place: Place) -> None:
        """A place is free again; also for one that had to give way."""
        own = self._sources.get(place.source)
        if own is None:
            return
        for row in (own.silent, own.speaking, own.shaking):
            if place in row:
                del row[place]
                self._count -= 1
        if not own:
            del self._sources[place.source]

    def let_next_in(self) -> bool:
        """Let one begin its handshake, each source in turn; says whether there was one."""
        while self._in_turn:
            name = next(iter(self._in_turn))
            del self._in_turn[name]
            own = self._sources.get(name)
            if own is None or not own.speaking:
                continue
            place = next(iter(own.speaking))
            del own.speaking[place]
            own.shaking[place] = None
            if own.speaking:
                self._in_turn[name] = None
            place.let_in()
            return True
        return False


class HandshakeWatcher(Protocol):
    """Is told of handshakes that come to nothing."""

    def gave_way(self, source: str) -> None:
        """A connection was closed for want of places; its source held the most."""
        ...

    def failed(self, remote: str, error: ssl.SSLError) -> None:
        """A peer and we found no common TLS, or its certificate is not good."""
        ...


class Handshakes:
    """Makes TLS streams of accepted sockets."""

    def __init__(self, context: ssl.SSLContext, watcher: HandshakeWatcher) -> None:
        self._context = context
        self._watcher = watcher
        self._places = Places(TLS_PLACES_MAX, TLS_PLACES_PER_SOURCE_MAX)
        self._spoken = trio.lowlevel.ParkingLot()

    async def run(self) -> NoReturn:
        """Let handshakes begin at their pace as long as the server lives."""
        while True:
            if self._places.let_next_in():
                await trio.sleep(TLS_HANDSHAKE_INTERVAL_S)
            else:
                await self._spoken.park()

    async def secure(
        self, stream: trio.SocketStream, remote: str, source: str
    ) -> trio.SSLStream[trio.SocketStream] | None:
        """Do the server's part of a handshake, when its turn has come.

        Args:
            stream: just accepted.
            remote: its far end, for the log; ``source`` whom it counts for (:func:`source_of`).

        Returns:
            The secured stream; None when it came to nothing: the stream is closed then. Cancelled: likewise.
        """
        scope, turn = trio.CancelScope(), trio.Event()
        place = Place(source, scope.cancel, turn.set)
        gone = self._places.enter(place)
        if gone is not None:
            self._watcher.gave_way(gone.source)
        secure: trio.SSLStream[trio.SocketStream] | None = None
        is_done = False
        try:
            with scope:
                with trio.move_on_after(TLS_HANDSHAKE_TIMEOUT_S):
                    await trio.lowlevel.wait_readable(stream.socket)
                    self._places.speak(place)
                    self._spoken.unpark()
                    await turn.wait()
                    secure = trio.SSLStream(stream, self._context, server_side=True)
                    await secure.do_handshake()
                    is_done = True
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            if isinstance(error.__cause__, ssl.SSLError):
                self._watcher.failed(remote, error.__cause__)
        finally:
            self._places.leave(place)
            if not is_done:
                await trio.aclose_forcefully(stream)
        return secure if is_done else None
