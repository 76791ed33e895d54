"""A RADIUS request: checked, translated, handed to charging, answered. No sockets.

A request that is not answered is repeated by its client, so silence is what says "not yet": while the store is away, or
while we are full, nothing is acknowledged that is not durable (RFC 2866 section 4.2).
"""

from collections import Counter as Tally
from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Final, Protocol

from ocs.clock import Clock
from ocs.limits import RADIUS_REQUESTS_IN_FLIGHT_PER_CLIENT
from ocs.log import RepeatLimiter, get_logger
from ocs.messages import ChargingAnswer, ChargingRequest, Outcome
from ocs.metrics import Counter, Histogram
from ocs.radius import codes
from ocs.radius.accounting import AccountingReport, UnusableReportError, decode_report
from ocs.radius.authorisation import (
    accept_attributes,
    reason_for,
    refusal_of,
    reject_attributes,
    request_of,
)
from ocs.radius.clients import Client, Clients, parse_address
from ocs.radius.codes import AcctStatusType, Code
from ocs.radius.duplicates import Duplicates, RequestKey
from ocs.radius.known_sessions import KnownSessions, Place
from ocs.radius.packet import (
    NO_AUTHENTICATOR,
    MalformedPacketError,
    Packet,
    decode,
    encode_reply,
    has_valid_message_authenticator,
    is_genuine,
)
from ocs.radius.quotas import quota_attributes
from ocs.radius.session_name import SessionName, name_of_access, nas_of, origin_of

log = get_logger("ocs.radius.request")

REQUESTS = Counter("ocs_radius_requests_total", "RADIUS requests of known clients, by kind.", ("kind",))
REPLIES = Counter("ocs_radius_replies_total", "RADIUS replies, by kind and outcome.", ("kind", "outcome"))
DROPPED = Counter("ocs_radius_dropped_total", "RADIUS packets that got no reply, by reason.", ("reason",))
REPEATS = Counter("ocs_radius_repeats_total", "RADIUS requests that got the reply of their first copy again.")
UNCHARGED = Counter(
    "ocs_radius_reports_uncharged_total",
    "Accounting-Requests that were acknowledged although nobody could be charged, by reason.",
    ("reason",),
)
LATENCY = Histogram("ocs_radius_reply_seconds", "From reading a RADIUS request to its reply.")

# The store did not confirm, or we are full: no reply, and the client repeats its request.
_SILENT: Final = frozenset({Outcome.TOO_BUSY, Outcome.UNABLE_TO_DELIVER, Outcome.UNABLE_TO_COMPLY})
_STATUS_LABELS: Final = {status.value: status.name.lower() for status in AcctStatusType}
_NOBODY: Final = frozenset({Outcome.USER_UNKNOWN, Outcome.MISSING_SUBSCRIPTION})
_REMEDIES: Final = {
    "unknown_client": "name it in [[radius.clients]], or stop it",
    "bad_authenticator": "its secret is another than that of secret_file, or somebody pretends to be it",
    "no_message_authenticator": "have the client sign its requests (CVE-2024-3596); we let none in without",
    "malformed": "look at the client: this is no RADIUS",
    "wrong_port": "Access-Requests go to auth_port and Accounting-Requests to acct_port",
    "busy": "none for a short time; else add workers, or let the client send less",
    "store_away": "see ocs_store_trouble and the store",
    "proxy_state": "the client writes more Proxy-State than a reply can hold",
}


class Door(Enum):
    """Which of our ports a packet came to."""

    AUTHORISATION = "authorisation"
    ACCOUNTING = "accounting"


class ChargingHandler(Protocol):
    """Charging, as the RADIUS side sees it."""

    def submit(self, request: ChargingRequest, reply: Callable[[ChargingAnswer], None]) -> None:
        """Take a request; ``reply`` is called exactly once, now or later."""
        ...


class OrderTaker(Protocol):
    """Sends orders to access servers (:class:`~ocs.radius.orders.OrderSender`)."""

    def submit(self, code: Code, session_id: str, place: Place, attributes: tuple[bytes, ...] = ()) -> bool:
        """Send an order about a session; returns False when it cannot be sent."""
        ...


class _Exchange:
    """One request until its reply."""

    __slots__ = ("began_ms", "client", "door", "host", "key", "kind", "packet", "send")

    def __init__(
        self,
        door: Door,
        packet: Packet,
        client: Client,
        key: RequestKey,
        send: Callable[[bytes], None],
        began_ms: int,
    ) -> None:
        self.door = door
        self.packet = packet
        self.client = client
        self.key = key
        self.host = key.host
        self.send = send
        self.began_ms = began_ms
        self.kind = "access"


class RadiusService:
    """Serves the RADIUS requests of one process.

    Args:
        clients: whom we know.
        handler: charging.
        orders: sends CoA- and Disconnect-Requests.
        sessions: where sessions are held.
        on_nas_restarted: called with the NAS, as charging knows it, and the time (epoch milliseconds) before which all
            its sessions have ended: Accounting-On and -Off (RFC 2866 section 4.1).
        interim_interval_s: how often sessions report, unless their quota says sooner.
    """

    def __init__(
        self,
        clients: Clients,
        handler: ChargingHandler,
        orders: OrderTaker,
        sessions: KnownSessions,
        clock: Clock,
        limiter: RepeatLimiter,
        *,
        on_nas_restarted: Callable[[str, int], None],
        interim_interval_s: int,
    ) -> None:
        self._clients = clients
        self._handler = handler
        self._orders = orders
        self._sessions = sessions
        self._clock = clock
        self._limiter = limiter
        self._on_nas_restarted = on_nas_restarted
        self._interim_interval_s = interim_interval_s
        self._duplicates = Duplicates()
        self._in_flight: Tally[str] = Tally()

    @property
    def in_flight(self) -> int:
        """Requests that wait for charging."""
        return self._in_flight.total()

    def take(
        self, door: Door, datagram: bytes, source_host: str, port: int, send: Callable[[bytes], None]
    ) -> None:
        """Take a datagram; its reply, if it gets one, goes to ``send``, now or later. Never blocks, never raises."""
        host = str(parse_address(source_host))
        client = self._clients.find(host)
        if client is None:
            self._drop("unknown_client", host)
            return
        try:
            packet = decode(datagram)
        except MalformedPacketError as error:
            self._drop("malformed", client.name, str(error))
            return
        if reason := _why_unread(door, packet, client):
            self._drop(reason, client.name)
            return
        key = RequestKey(host, port, packet.identifier, packet.authenticator)
        kept = self._duplicates.begin(key, self._clock.steady_ms() / 1000)
        if kept is not None:
            REPEATS.inc()
            if kept:
                send(kept)
            return
        if self._in_flight[client.name] >= _room(packet):
            self._duplicates.forget(key)
            self._drop("busy", client.name)
            return
        self._in_flight[client.name] += 1
        exchange = _Exchange(door, packet, client, key, send, self._clock.steady_ms())
        try:
            self._serve(exchange)
        except Exception:  # the bulkhead around a request
            log.exception("request_failed", client=client.name)
            self._leave(exchange)

    def _serve(self, exchange: _Exchange) -> None:
        match exchange.packet.code:
            case Code.ACCESS_REQUEST:
                self._authorise(exchange)
            case Code.ACCOUNTING_REQUEST:
                self._account(exchange)
            case _:
                self._answer_status(exchange)

    # --- Authorisation ----------------------------------------------------------------------------------

    def _authorise(self, exchange: _Exchange) -> None:
        packet, client = exchange.packet, exchange.client
        REQUESTS.inc(exchange.kind)
        if reason := refusal_of(packet):
            self._refuse(exchange, reason, "not_served")
            return
        name = name_of_access(packet, client, exchange.host)
        request = request_of(packet, client, name, self._clock.now_ms() // 1000)
        self._submit(exchange, request, partial(self._authorised, exchange, name))

    def _authorised(self, exchange: _Exchange, name: SessionName, answer: ChargingAnswer) -> None:
        if answer.outcome in _SILENT:
            self._be_silent(exchange)
        elif reason := reason_for(answer):
            self._refuse(exchange, reason, answer.outcome.name.lower())
        else:
            if name.acct_session_id:
                self._sessions.note(name, exchange.packet, exchange.client, exchange.host)
            attributes = accept_attributes(name, answer, self._interim_interval_s)
            self._reply(exchange, Code.ACCESS_ACCEPT, attributes, answer.outcome.name.lower())

    def _refuse(self, exchange: _Exchange, reason: str, outcome: str) -> None:
        swallowed = self._limiter.admit(("refused", exchange.client.name, outcome))
        if swallowed is not None:
            log.info(
                "request_refused",
                client=exchange.client.name,
                identity=exchange.packet.text(codes.USER_NAME),
                outcome=outcome,
                reason=reason,
                swallowed=swallowed,
            )
        self._reply(exchange, Code.ACCESS_REJECT, reject_attributes(reason), outcome)

    # --- Accounting -------------------------------------------------------------------------------------

    def _account(self, exchange: _Exchange) -> None:
        packet, client = exchange.packet, exchange.client
        status = packet.integer(codes.ACCT_STATUS_TYPE)
        exchange.kind = _kind_of(status)
        REQUESTS.inc(exchange.kind)
        now_ms = self._clock.now_ms()
        if status in (AcctStatusType.ACCOUNTING_ON, AcctStatusType.ACCOUNTING_OFF):
            ended_ms = now_ms - (packet.integer(codes.ACCT_DELAY_TIME) or 0) * 1000
            self._on_nas_restarted(origin_of(client.name, nas_of(packet, exchange.host)), ended_ms)
            self._acknowledge(exchange, "success")
        elif exchange.kind == "other":
            self._acknowledge(exchange, "ignored")  # tunnels and links: nothing that we charge
        else:
            try:
                report = decode_report(packet, client, exchange.host, now_ms // 1000)
            except UnusableReportError as error:
                self._tell_uncharged(exchange, "unusable", str(error))
                self._acknowledge(exchange, "unusable")
                return
            is_opening = report.status is AcctStatusType.START and report.opening is not None
            request = report.opening if is_opening and report.opening is not None else report.request
            self._submit(exchange, request, partial(self._accounted, exchange, report, is_opening))

    def _accounted(
        self,
        exchange: _Exchange,
        report: AccountingReport,
        is_opened: bool,  # noqa: FBT001 - whether charging was asked to open the session; bound by partial()
        answer: ChargingAnswer,
    ) -> None:
        """Go on with a report that charging has answered."""
        outcome = answer.outcome
        is_stop = report.status is AcctStatusType.STOP
        if outcome in _SILENT:
            self._be_silent(exchange)
        elif outcome is Outcome.UNKNOWN_SESSION and report.opening is not None and not is_opened:
            self._submit(exchange, report.opening, partial(self._accounted, exchange, report, True))
        elif is_stop and is_opened and outcome not in _NOBODY:
            # A Stop without a Start: what it reports has been charged, and its session ends.
            self._submit(exchange, report.request, partial(self._settled, exchange, report))
        else:
            self._settled(exchange, report, answer)
            if not is_stop and outcome is not Outcome.REPEATED_WITH_OTHER_CONTENT:
                self._order_after(exchange, report, answer)

    def _settled(self, exchange: _Exchange, report: AccountingReport, answer: ChargingAnswer) -> None:
        """Acknowledge a report: all that it leads to is durable."""
        outcome = answer.outcome
        if outcome in _SILENT:
            self._be_silent(exchange)
            return
        is_stop = report.status is AcctStatusType.STOP
        # An interim of a session that is over was charged if that is still remembered; its Stop will tell.
        if outcome in _NOBODY or (is_stop and outcome is Outcome.UNKNOWN_SESSION):
            self._tell_uncharged(exchange, outcome.name.lower(), report.name.session_id)
        self._acknowledge(exchange, outcome.name.lower())
        if is_stop:
            self._sessions.forget(report.name)

    def _order_after(self, exchange: _Exchange, report: AccountingReport, answer: ChargingAnswer) -> None:
        """Tell the server what its report has led to: the next quota, or the end."""
        place = self._sessions.note(report.name, exchange.packet, exchange.client, exchange.host)
        if answer.outcome is Outcome.SUCCESS and not answer.services:
            return  # a Start: what was granted stays
        session_id = report.name.session_id
        if reason_for(answer):
            self._orders.submit(Code.DISCONNECT_REQUEST, session_id, place)
        elif exchange.client.coa_port and (quota := quota_attributes(answer, report.counters)):
            self._orders.submit(Code.COA_REQUEST, session_id, place, tuple(quota))

    def end_session(self, session_id: str) -> bool:
        """Have a session ended, of our own accord; returns whether its server is told."""
        place = self._sessions.find(session_id)
        return place is not None and self._orders.submit(Code.DISCONNECT_REQUEST, session_id, place)

    def _tell_uncharged(self, exchange: _Exchange, reason: str, detail: str) -> None:
        UNCHARGED.inc(reason)
        swallowed = self._limiter.admit(("uncharged", exchange.client.name, reason))
        if swallowed is not None:
            log.warning(
                "radius_report_uncharged",
                client=exchange.client.name,
                identity=exchange.packet.text(codes.USER_NAME),
                status=exchange.kind,
                reason=reason,
                detail=detail,
                remedy="let the server ask for authorisation first, and echo Class; see docs/radius.md",
                swallowed=swallowed,
            )

    # --- Replies ----------------------------------------------------------------------------------------

    def _answer_status(self, exchange: _Exchange) -> None:
        """Status-Server: are you there? (RFC 5997)."""
        exchange.kind = "status"
        REQUESTS.inc(exchange.kind)
        is_accounting = exchange.door is Door.ACCOUNTING
        code = Code.ACCOUNTING_RESPONSE if is_accounting else Code.ACCESS_ACCEPT
        self._reply(exchange, code, [], "success")

    def _acknowledge(self, exchange: _Exchange, outcome: str) -> None:
        self._reply(exchange, Code.ACCOUNTING_RESPONSE, [], outcome)

    def _submit(
        self, exchange: _Exchange, request: ChargingRequest, then: Callable[[ChargingAnswer], None]
    ) -> None:
        def reply(answer: ChargingAnswer) -> None:
            try:
                then(answer)
            except Exception:  # likewise: charging must not fall for a reply that we cannot write
                log.exception("reply_failed", client=exchange.client.name, session_id=request.session_id)
                self._leave(exchange)

        self._handler.submit(request, reply)

    def _reply(self, exchange: _Exchange, code: Code, attributes: list[bytes], outcome: str) -> None:
        packet, secret = exchange.packet, exchange.client.secret
        # How it would be calculated in the reply to an Accounting-Request no standard says, and servers differ.
        is_signed = packet.code != Code.ACCOUNTING_REQUEST
        octets = encode_reply(code, packet, attributes, secret, is_signed=is_signed)
        if octets is None:
            self._leave(exchange)
            self._drop("proxy_state", exchange.client.name)
            return
        now_ms = self._clock.steady_ms()
        self._leave(exchange)
        self._duplicates.finish(exchange.key, octets, now_ms / 1000)
        exchange.send(octets)
        REPLIES.inc(exchange.kind, outcome)
        LATENCY.observe((now_ms - exchange.began_ms) / 1000)

    def _be_silent(self, exchange: _Exchange) -> None:
        self._leave(exchange)
        self._drop("store_away", exchange.client.name)

    def _leave(self, exchange: _Exchange) -> None:
        """A request is under way no longer; without a reply its next copy is looked at anew."""
        self._in_flight[exchange.client.name] -= 1
        self._duplicates.forget(exchange.key)

    def _drop(self, reason: str, client: str, detail: str = "") -> None:
        DROPPED.inc(reason)
        swallowed = self._limiter.admit(("dropped", reason, client))
        if swallowed is not None:
            log.warning(
                "radius_packet_dropped",
                client=client,
                reason=reason,
                detail=detail,
                remedy=_REMEDIES[reason],
                swallowed=swallowed,
            )


def _why_unread(door: Door, packet: Packet, client: Client) -> str:
    """Why a packet is not even looked at; empty when it is genuine and at the right port."""
    is_signed = packet.has(codes.MESSAGE_AUTHENTICATOR)
    if packet.code == Code.ACCOUNTING_REQUEST:
        if door is not Door.ACCOUNTING:
            return "wrong_port"
        is_genuine_signature = not is_signed or has_valid_message_authenticator(
            packet, NO_AUTHENTICATOR, client.secret
        )
        return "" if is_genuine(packet, client.secret) and is_genuine_signature else "bad_authenticator"
    if packet.code not in (Code.ACCESS_REQUEST, Code.STATUS_SERVER):
        return "malformed"
    if packet.code == Code.ACCESS_REQUEST and door is not Door.AUTHORISATION:
        return "wrong_port"
    if not is_signed:
        return "no_message_authenticator"
    is_ours = has_valid_message_authenticator(packet, packet.authenticator, client.secret)
    return "" if is_ours else "bad_authenticator"


def _room(packet: Packet) -> int:
    """How many requests of its client may be under way when a request is taken: who logs in gives way first."""
    share = 2 if packet.code == Code.ACCESS_REQUEST else 1
    return RADIUS_REQUESTS_IN_FLIGHT_PER_CLIENT // share


def _kind_of(status: int | None) -> str:
    return _STATUS_LABELS.get(status or 0, "other")
