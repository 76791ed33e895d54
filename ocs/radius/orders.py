"""Orders to access servers: CoA- and Disconnect-Requests, sent, repeated within bounds, and told about when they fail.

No I/O of its own: datagrams go out by a callback, replies come in by :meth:`OrderSender.answered`, and time by
:meth:`OrderSender.tick`. Source: RFC 5176.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from ocs.clock import Clock
from ocs.limits import (
    RADIUS_ORDER_ATTEMPTS_MAX,
    RADIUS_ORDER_TIMEOUT_S,
    RADIUS_ORDERS_MAX,
    RADIUS_ORDERS_PER_CLIENT_MAX,
)
from ocs.log import RepeatLimiter, get_logger
from ocs.metrics import Counter
from ocs.radius import codes
from ocs.radius.clients import parse_address
from ocs.radius.codes import Code
from ocs.radius.known_sessions import Place
from ocs.radius.packet import (
    MalformedPacketError,
    Packet,
    decode,
    encode_request,
    has_valid_message_authenticator,
    integer_attribute,
    is_genuine_reply,
)

log = get_logger("ocs.radius.orders")

ORDERS = Counter(
    "ocs_radius_orders_total",
    "CoA- and Disconnect-Requests to access servers, by kind and what became of them.",
    ("kind", "result"),
)

_KINDS: Final = {Code.COA_REQUEST: "coa", Code.DISCONNECT_REQUEST: "disconnect"}
_RESULTS: Final[dict[tuple[int, int], str]] = {
    (Code.COA_REQUEST, Code.COA_ACK): "ack",
    (Code.COA_REQUEST, Code.COA_NAK): "nak",
    (Code.DISCONNECT_REQUEST, Code.DISCONNECT_ACK): "ack",
    (Code.DISCONNECT_REQUEST, Code.DISCONNECT_NAK): "nak",
}
_REMEDIES: Final = {
    "nak": "see Error-Cause (RFC 5176 section 3.5); a server that takes no CoA gets coa_port = 0",
    "timeout": "see that the client takes orders from us on coa_port, with the same secret",
    "full": "the client does not answer: look at it",
    "no_port": "none: it was configured so, and the session ends at its limit",
}
_SILENT_RESULTS: Final = frozenset({"ack", "no_port", "gone"})


class _Address(NamedTuple):
    host: str
    port: int


class _Order:
    """One order until it is followed or given up."""

    __slots__ = ("address", "code", "due_s", "octets", "place", "session_id", "tries")

    def __init__(
        self, code: Code, session_id: str, place: Place, address: _Address, octets: bytes, due_s: float
    ) -> None:
        self.code = code
        self.session_id = session_id
        self.place = place
        self.address = address
        self.octets = octets
        self.due_s = due_s
        self.tries = 1


class OrderSender:
    """Sends the orders of one process.

    Invariants: at most limits.RADIUS_ORDERS_MAX are under way, and to one client as many as it can tell apart; a
    younger order of the same kind for a session takes the place of the older.

    Args:
        send: takes a datagram and its address; loses it where it cannot be sent.
    """

    def __init__(self, send: Callable[[bytes, str, int], None], clock: Clock, limiter: RepeatLimiter) -> None:
        self._send = send
        self._clock = clock
        self._limiter = limiter
        self._under_way: dict[tuple[_Address, int], _Order] = {}
        self._by_session: dict[tuple[str, Code], tuple[_Address, int]] = {}
        self._next: dict[_Address, int] = {}

    @property
    def count(self) -> int:
        """Orders that are under way."""
        return len(self._under_way)

    def submit(self, code: Code, session_id: str, place: Place, attributes: tuple[bytes, ...] = ()) -> bool:
        """Send an order about a session; returns False when it cannot be sent.

        Args:
            code: CoA- or Disconnect-Request.
            attributes: what is to change.
        """
        client = place.client
        if not client.coa_port:
            self._tell(code, session_id, place, "no_port")
            return False
        address = _Address(place.host, client.coa_port)
        self._drop((session_id, code))
        identifier = self._free_identifier(address)
        if identifier is None:
            self._tell(code, session_id, place, "full")
            return False
        now_s = self._clock.now_ms() // 1000
        # Event-Timestamp: a copy that somebody recorded is worth nothing later (RFC 5176 section 6.3).
        content = (*place.attributes, *attributes, integer_attribute(codes.EVENT_TIMESTAMP, now_s))
        octets = encode_request(code, identifier, content, client.secret)
        order = _Order(code, session_id, place, address, octets, self._now_s() + RADIUS_ORDER_TIMEOUT_S)
        self._under_way[address, identifier] = order
        self._by_session[session_id, code] = (address, identifier)
        self._send(octets, *address)
        return True

    def answered(self, datagram: bytes, host: str, port: int) -> None:
        """Take what came back; what is no reply to an order of ours is dropped."""
        try:
            packet = decode(datagram)
        except MalformedPacketError:
            return
        key = _Address(str(parse_address(host)), port), packet.identifier
        order = self._under_way.get(key)
        if order is None or not _is_reply(packet, order):
            return
        result = _RESULTS[order.code, packet.code]
        if result == "nak" and packet.integer(codes.ERROR_CAUSE) == codes.SESSION_CONTEXT_NOT_FOUND:
            result = "gone"  # its Stop is on its way, or was lost
        self._drop((order.session_id, order.code))
        self._tell(order.code, order.session_id, order.place, result)

    def tick(self) -> None:
        """Repeat what was not answered in time, and give up what was repeated enough."""
        now_s = self._now_s()
        for order in [order for order in self._under_way.values() if order.due_s <= now_s]:
            if order.tries >= RADIUS_ORDER_ATTEMPTS_MAX:
                self._drop((order.session_id, order.code))
                self._tell(order.code, order.session_id, order.place, "timeout")
            else:
                order.tries += 1
                order.due_s = now_s + RADIUS_ORDER_TIMEOUT_S
                self._send(order.octets, *order.address)

    def _now_s(self) -> float:
        return self._clock.steady_ms() / 1000

    def _free_identifier(self, address: _Address) -> int | None:
        if len(self._under_way) >= RADIUS_ORDERS_MAX:
            return None
        first = self._next.get(address, 0)
        for step in range(RADIUS_ORDERS_PER_CLIENT_MAX):
            identifier = (first + step) % RADIUS_ORDERS_PER_CLIENT_MAX
            if (address, identifier) not in self._under_way:
                self._next[address] = (identifier + 1) % RADIUS_ORDERS_PER_CLIENT_MAX
                return identifier
        return None

    def _drop(self, of: tuple[str, Code]) -> None:
        key = self._by_session.pop(of, None)
        if key is not None:
            self._under_way.pop(key, None)

    def _tell(self, code: Code, session_id: str, place: Place, result: str) -> None:
        kind = _KINDS[code]
        ORDERS.inc(kind, result)
        if result in _SILENT_RESULTS:
            return
        swallowed = self._limiter.admit(("order", place.client.name, kind, result))
        if swallowed is not None:
            log.warning(
                "radius_order_not_followed",
                kind=kind,
                client=place.client.name,
                host=place.host,
                session_id=session_id,
                reason=result,
                remedy=_REMEDIES[result],
                swallowed=swallowed,
            )


def _is_reply(packet: Packet, order: _Order) -> bool:
    """Whether a packet answers an order and was written by who knows the secret."""
    secret, sent = order.place.client.secret, order.octets[4:20]
    if (order.code, packet.code) not in _RESULTS:
        return False
    if not is_genuine_reply(packet, sent, secret):
        return False
    return not packet.has(codes.MESSAGE_AUTHENTICATOR) or has_valid_message_authenticator(
        packet, sent, secret
    )
