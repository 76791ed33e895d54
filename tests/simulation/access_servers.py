"""Sessions at access servers, which count from a session's beginning and repeat a packet until it has its reply."""

from dataclasses import dataclass
from ipaddress import ip_network
from random import Random
from typing import NamedTuple

from ocs.radius.clients import Client
from tests.simulation import radius_wire as wire
from tests.support.counters import NOTHING, Counters

SECRET = b"a secret of the simulated operator"


class Server(NamedTuple):
    """One kind of access server.

    Attributes:
        has_gigawords: it tells how often its counters have wrapped.
        octets_max: what it carries at most between two reports.
    """

    client: Client
    host: str
    has_gigawords: bool = True
    octets_max: int = 4_000


# Wi-Fi, fixed access with a daily cap, and an old one whose counters wrap, with so much traffic that it must be free.
SERVERS = (
    Server(Client("wifi", ip_network("192.0.2.1"), SECRET), "192.0.2.1"),
    Server(Client("fixed", ip_network("192.0.2.2"), SECRET, rating_group=93), "192.0.2.2"),
    Server(
        Client("old", ip_network("192.0.2.3"), SECRET, rating_group=20),
        "192.0.2.3",
        has_gigawords=False,
        octets_max=1 << 30,
    ),
)
# A server without Gigawords is understood as long as no more than this is unheard.
_UNHEARD_MAX = 1 << 31
_WORD = (1 << 32) - 1
# Within this time a packet may be sent again as it was; later it must say how long it has waited.
_SOON_MS = 10_000


@dataclass(frozen=True)
class Told:
    """A packet, and what its access server means by it.

    Attributes:
        session: Acct-Session-Id. status: of accounting; 0 asks for access.
        counters: None where nothing is reported.
        happened_ms: when, by the server's clock.
    """

    octets: bytes
    server: Server
    identity: str
    session: str
    status: int
    counters: Counters | None
    happened_ms: int


class Login:
    """One session of one user at one access server.

    Attributes:
        pending: the packet that has no reply yet.
    """

    def __init__(self, random: Random, server: Server, session: str, identity: str, now_ms: int) -> None:
        self._random = random
        self.server = server
        self.session = session
        self._identity = identity
        self._began_ms = now_ms
        self._counters = NOTHING
        self._heard = NOTHING
        self._class = b""
        self._octets_max: int | None = None
        # Who is not asked for access may not be told of a beginning either.
        self._status = random.choice((0, 0, wire.START, wire.START, wire.INTERIM_UPDATE))
        self._must_end = False
        self.pending: Told | None = None
        self._spooled: list[Told] = []
        self.is_over = False

    def next_packet(self, now_ms: int) -> Told:
        """The next thing to tell; or the last one again, as it was or with its delay told."""
        if self._spooled and self._random.random() < 0.5:
            return self._again(self._spooled.pop(self._random.randrange(len(self._spooled))), now_ms)
        if self.pending is not None:
            may_wait = self.pending.status in {wire.START, wire.INTERIM_UPDATE}
            patience = 0.4 if self.pending.status == wire.START else 0.7
            if self.pending.status == wire.START and not self.server.has_gigawords:
                # Words that wrap before the session is known are understood by nobody.
                may_wait = False
            if not may_wait or self._random.random() < patience:
                self.pending = self._again(self.pending, now_ms)
                return self.pending
            # Others are told first, and this one later or never.
            self._status = wire.INTERIM_UPDATE
            if self._random.random() < 0.7:
                self._spooled.append(self.pending)
        if self._status in {wire.INTERIM_UPDATE, wire.STOP}:
            if self._must_end or self._random.random() < 0.2:
                self._status = wire.STOP
            self._use(now_ms)
        counters = None if self._status in {0, wire.START} else self._counters
        self.pending = self._packet(self._status, counters, now_ms, now_ms)
        return self.pending

    def _again(self, pending: Told, now_ms: int) -> Told:
        """Equal octets, or a new packet that says for how long it was tried (RFC 2866 section 5.2)."""
        waited_ms = now_ms - pending.happened_ms
        if not pending.status or waited_ms < 1000 or (waited_ms < _SOON_MS and self._random.random() < 0.5):
            return pending
        return self._packet(pending.status, pending.counters, pending.happened_ms, now_ms)

    def _use(self, now_ms: int) -> None:
        """Mostly what the quota leaves, sometimes more."""
        left = self.server.octets_max
        if self._octets_max is not None:
            left = max(0, self._octets_max - self._counters.octets)
            left = left if self._random.random() < 0.8 else left * 6 // 5 + 50
        if self._counters.octets - self._heard.octets > _UNHEARD_MAX - self.server.octets_max:
            left = 0
        elif not self.server.has_gigawords:
            left = self.server.octets_max  # nobody limits what is free
        most = min(left, self.server.octets_max)
        sent = self._random.randint(0, most)
        received = self._random.randint(0, most - sent)
        if not self.server.has_gigawords and not self._counters.octets:
            sent = self._random.randint(1 << 31, _WORD)  # so far that it soon wraps
        time_s = (now_ms - self._began_ms) // 1000
        # Between a report and its Stop may be less than a second, but not time enough for a word to wrap.
        if time_s > self._counters.time_s or (self._status == wire.STOP and self.server.has_gigawords):
            self._counters = self._counters.plus(received, sent, time_s)

    def _packet(self, status: int, counters: Counters | None, happened_ms: int, now_ms: int) -> Told:
        wire_of, server = self._random.randrange(256), self.server
        parts = [
            wire.text(wire.USER_NAME, self._identity.removeprefix("nai:")),
            wire.text(wire.NAS_IDENTIFIER, f"{server.client.name}-1"),
            wire.text(wire.ACCT_SESSION_ID, self.session),
        ]
        if not status:
            parts.append(wire.integer(wire.SERVICE_TYPE, wire.AUTHORIZE_ONLY))
            octets = wire.access_request(self._random, wire_of, SECRET, b"".join(parts))
        else:
            parts.append(wire.integer(wire.ACCT_STATUS_TYPE, status))
            if self._class:
                parts.append(wire.text(wire.CLASS, self._class))
            if counters is not None:
                parts += self._counted(counters)
            if now_ms != happened_ms:
                parts.append(wire.integer(wire.ACCT_DELAY_TIME, (now_ms - happened_ms) // 1000))
            octets = wire.accounting_request(wire_of, SECRET, b"".join(parts))
        return Told(octets, server, self._identity, self.session, status, counters, happened_ms)

    def _counted(self, counters: Counters) -> list[bytes]:
        parts = [
            wire.integer(wire.ACCT_SESSION_TIME, counters.time_s),
            wire.integer(wire.ACCT_INPUT_OCTETS, counters.input_octets & _WORD),
            wire.integer(wire.ACCT_OUTPUT_OCTETS, counters.output_octets & _WORD),
        ]
        if self.server.has_gigawords:
            parts += [
                wire.integer(wire.ACCT_INPUT_GIGAWORDS, counters.input_octets >> 32),
                wire.integer(wire.ACCT_OUTPUT_GIGAWORDS, counters.output_octets >> 32),
            ]
        return parts

    # --- What it hears ----------------------------------------------------------------------------------

    def hear(self, told: Told, reply: bytes) -> None:
        """Take a reply; one to an earlier packet changes nothing."""
        if told.counters is not None:
            self._heard = max(self._heard, told.counters)
        if self.pending is None or (told.status, told.counters) != (
            self.pending.status,
            self.pending.counters,
        ):
            return
        self.pending = None
        attributes = wire.reply_attributes(reply)
        match reply[0]:
            case wire.ACCESS_REJECT:
                self.is_over = True
            case wire.ACCESS_ACCEPT:
                self._class = dict(wire.attributes_of(attributes))[wire.CLASS]
                self.limit(attributes)
                self._status = self._random.choice((wire.START, wire.START, wire.INTERIM_UPDATE))
            case _:
                self.is_over = told.status == wire.STOP
                self._status = wire.INTERIM_UPDATE

    def limit(self, attributes: bytes) -> None:
        """Learn how far the session may go."""
        octets_max = wire.total_octets_max(attributes)
        if octets_max is not None:
            self._octets_max = max(octets_max, self._octets_max or 0)

    def disconnect(self) -> None:
        """It is to end."""
        self._must_end = True
