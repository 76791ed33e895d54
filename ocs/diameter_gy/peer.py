"""One connection's peer state machine (RFC 6733 section 5.6), without I/O, clock or randomness.

Messages and timers go in; what to send, what to serve and when to hang up comes out. Gateways connect to us, so
the machine is the responder's half of the table, beginning with section 5.6.1 (await the CER).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from ocs.diameter_gy.admission import AdmissionPolicy, is_same_identity
from ocs.diameter_gy.base_commands import (
    CAPABILITIES_EXCHANGE,
    DEVICE_WATCHDOG,
    DISCONNECT_PEER,
    CapabilitiesExchangeRequest,
    DisconnectCause,
    Origin,
    Result,
    decode_capabilities_exchange_request,
    decode_device_watchdog_request,
    decode_disconnect_peer_request,
    encode_capabilities_exchange_answer,
    encode_device_watchdog_answer,
    encode_device_watchdog_request,
    encode_disconnect_peer_answer,
    encode_disconnect_peer_request,
)
from ocs.diameter_gy.errors import DiameterError, ResourcesExceeded, UnknownPeer
from ocs.diameter_gy.identity import NodeIdentity
from ocs.diameter_gy.message import Header, check_flags
from ocs.diameter_gy.peer_states import TRANSITIONS, Action, Event, State
from ocs.diameter_gy.peer_table import PeerTable
from ocs.diameter_gy.watchdog import Watchdog, WatchdogAction, WatchdogState
from ocs.limits import (
    CAPABILITIES_EXCHANGE_TIMEOUT_S,
    CONNECTIONS_PER_PEER_MAX,
    DISCONNECT_TIMEOUT_S,
    DRAIN_TIMEOUT_S,
)

_SERVING: Final = frozenset(
    state for (state, _), (actions, _) in TRANSITIONS.items() if Action.PROCESS in actions
)
_REQUEST_EVENTS: Final = {
    DEVICE_WATCHDOG: Event.RECEIVED_DWR,
    DISCONNECT_PEER: Event.RECEIVED_DPR,
}
_ANSWER_EVENTS: Final = {
    DEVICE_WATCHDOG: Event.RECEIVED_DWA,
    DISCONNECT_PEER: Event.RECEIVED_DPA,
}


# --- What comes out ------------------------------------------------------------------------------------


class Send(NamedTuple):
    """Put these octets on the connection."""

    message: bytes


class Serve(NamedTuple):
    """Answer this request of an application."""

    message: bytes
    header: Header


class Answered(NamedTuple):
    """The answer to a request of an application that was numbered by :meth:`Peer.number_request`."""

    message: bytes
    header: Header


class Opened(NamedTuple):
    """The peer is let in, or has announced its capabilities again (``again``)."""

    request: CapabilitiesExchangeRequest
    again: bool


class Refused(NamedTuple):
    """A base request was answered with an error; a CER's refusal is followed by :class:`Disconnect`."""

    command_code: int
    origin_host: str
    error: DiameterError


class StateAdvanced(NamedTuple):
    """The peer's Origin-State-Id rose: it has lost its sessions (RFC 6733 section 8.16)."""

    origin: Origin


class Ignored(NamedTuple):
    """A message that has no place now, such as an answer to nothing that we asked."""

    header: Header


class Disconnect(NamedTuple):
    """Send what is waiting, then hang up."""

    reason: str


Output = Send | Serve | Answered | Opened | Refused | StateAdvanced | Ignored | Disconnect


@dataclass(frozen=True)
class PeerPolicy:
    """What all connections have in common.

    Attributes:
        draw_jitter_s: gives the jitter of each watchdog interval (RFC 3539 section 3.4.1: two seconds either way).
        draw_identifier: gives the first Hop-by-Hop and End-to-End Identifier of a connection's own requests; they
            must differ from those before a restart (RFC 6733 section 3).
        firmware_revision: 0 leaves Firmware-Revision out of CEA.
    """

    admission: AdmissionPolicy
    table: PeerTable
    watchdog_interval_s: float
    draw_jitter_s: Callable[[], float]
    draw_identifier: Callable[[], int]
    firmware_revision: int = 0


class Peer:
    """The far end of one connection.

    Every method that takes an event returns what is to be done, in order. ``now_s`` is any clock that only rises.

    Attributes:
        identity: who we are.
        state: where in the table.
        capabilities: the accepted CER, None before.
        deadline_s: when :meth:`tick` has something to do.
        is_tls: set by the transport; certificate_names: set by it before the first message, where peers must show
            certificates.
    """

    def __init__(
        self, policy: PeerPolicy, identity: NodeIdentity, host_ip_addresses: tuple[str, ...], *, now_s: float
    ) -> None:
        self.state = State.WAIT_CER
        self.since_s = now_s
        self.capabilities: CapabilitiesExchangeRequest | None = None
        self.is_tls = False
        self.certificate_names: tuple[str, ...] | None = None
        self.deadline_s = now_s + CAPABILITIES_EXCHANGE_TIMEOUT_S
        self._policy = policy
        self.identity = identity
        self._host_ip_addresses = host_ip_addresses
        self._watchdog: Watchdog | None = None
        self._identifier = policy.draw_identifier()
        self._awaited: dict[int, Event] = {}
        self._disconnect_request: Header | None = None
        self._disconnect_result = Result()
        self._is_lost = False
        self._disconnect_cause = DisconnectCause.REBOOTING

    @property
    def is_open(self) -> bool:
        """Whether capabilities were exchanged and nobody has hung up."""
        return self.state is not State.WAIT_CER and self.state is not State.CLOSED

    @property
    def is_serving(self) -> bool:
        """Whether requests of an application are answered in this state: the table's rows with PROCESS."""
        return self.state in _SERVING

    @property
    def awaits_drain(self) -> bool:
        """Whether :meth:`drained` would move the machine."""
        return self.state is State.PEER_LEAVING or self.state is State.FINISHING

    @property
    def watchdog_state(self) -> WatchdogState:
        """RFC 3539's view of the connection."""
        return WatchdogState.DOWN if self._watchdog is None else self._watchdog.state

    # --- events ---

    def hear(self, now_s: float) -> None:
        """Octets arrived, or would have arrived had we read: the connection lives."""
        if self._watchdog is not None:
            self._watchdog.hear(now_s)
            self._follow_watchdog()

    def receive(self, message: bytes, header: Header, now_s: float) -> list[Output]:
        """Take a whole message."""
        if not header.is_request:
            return self._receive_answer(message, header, now_s)
        if header.command_code == CAPABILITIES_EXCHANGE:
            return self._receive_cer(message, header, now_s)
        event = _REQUEST_EVENTS.get(header.command_code, Event.RECEIVED_REQUEST)
        if self.state is State.WAIT_CER:
            reason = f"command {header.command_code} came before Capabilities-Exchange"
            return self._apply(event, now_s, reason=reason)
        if event is Event.RECEIVED_REQUEST:
            actions, _ = TRANSITIONS[self.state, event]
            return [Serve(message, header)] if Action.PROCESS in actions else [Ignored(header)]
        if event is Event.RECEIVED_DWR:
            return self._receive_dwr(message, header, now_s)
        return self._receive_dpr(message, header, now_s)

    def drained(self, now_s: float) -> list[Output]:
        """No answer is owed to the peer."""
        return self._apply(Event.DRAINED, now_s, reason="every answer is sent after Disconnect-Peer")

    def stop(self, now_s: float, cause: DisconnectCause = DisconnectCause.REBOOTING) -> list[Output]:
        """We take leave of the peer; by default because we shut down."""
        self._disconnect_cause = cause
        return self._apply(Event.STOP, now_s, reason="this node is shutting down")

    def disconnected(self, now_s: float) -> list[Output]:
        """The transport is gone, whoever ended it."""
        return self._apply(Event.PEER_DISCONNECTED, now_s)

    def tick(self, now_s: float) -> list[Output]:
        """Time has passed; does nothing before ``deadline_s``."""
        if now_s < self.deadline_s or self.state is State.CLOSED:
            return []
        if self.state is State.WAIT_CER:
            return self._apply(Event.TIMEOUT, now_s, reason="no Capabilities-Exchange-Request in time")
        if self.state is not State.OPEN or self._watchdog is None:
            return self._apply(Event.TIMEOUT, now_s, reason="Disconnect-Peer was not finished in time")
        action = self._watchdog.expire(now_s)
        self._follow_watchdog()
        if action is WatchdogAction.CLOSE:
            self._is_lost = True
            return self._apply(Event.TIMEOUT, now_s, reason="Device-Watchdog-Request was not answered")
        if action is WatchdogAction.SEND_DWR:
            identifier = self._next_id(Event.RECEIVED_DWA)
            return [Send(encode_device_watchdog_request(self.identity, identifier, identifier))]
        return []

    # --- requests of an application ---

    def number_request(self) -> int:
        """Give a request of ours its Hop-by-Hop Identifier; what answers it comes out as :class:`Answered`."""
        return self._next_id(Event.RECEIVED_ANSWER)

    def forget_request(self, hop_by_hop_id: int) -> None:
        """Wait no more for an answer; one that comes later is ignored."""
        self._awaited.pop(hop_by_hop_id, None)

    # --- one command each ---

    def _receive_cer(self, message: bytes, header: Header, now_s: float) -> list[Output]:
        origin_host = ""
        try:
            check_flags(header)
            request = decode_capabilities_exchange_request(message)
            origin_host = request.origin.host
            self._policy.admission.check(request, self.certificate_names, is_tls=self.is_tls)
            if self.capabilities and not is_same_identity(origin_host, self.capabilities.origin.host):
                raise UnknownPeer(f"the peer was {self.capabilities.origin.host} on this connection before")
            if (
                not self.capabilities
                and self._policy.table.connections_of(origin_host) >= CONNECTIONS_PER_PEER_MAX
            ):
                raise ResourcesExceeded(f"{CONNECTIONS_PER_PEER_MAX} connections of this peer are open")
        except DiameterError as error:
            outputs: list[Output] = [Refused(CAPABILITIES_EXCHANGE, origin_host, error)]
            result = Result(error.result_code, error.error_message, error.failed_avp)
            return outputs + self._apply(
                Event.CER_REFUSED,
                now_s,
                request=header,
                result=result,
                reason="Capabilities-Exchange was refused",
            )
        again = self.capabilities is not None
        if not again:
            self._admit(request, now_s)
        elif self.state is State.OPEN:
            self.capabilities = request
        outputs = [Opened(request, again)]
        outputs += self._note_state(request.origin)
        return outputs + self._apply(Event.CER_ACCEPTED, now_s, request=header)

    def _admit(self, request: CapabilitiesExchangeRequest, now_s: float) -> None:
        self.capabilities = request
        self.since_s = now_s
        table = self._policy.table
        self._watchdog = Watchdog(
            self._policy.watchdog_interval_s,
            self._policy.draw_jitter_s,
            now_s=now_s,
            reopened=table.is_lost(request.origin.host),
        )
        self.deadline_s = self._watchdog.due_s
        table.add_connection(request.origin.host)

    def _receive_dwr(self, message: bytes, header: Header, now_s: float) -> list[Output]:
        outputs: list[Output] = []
        result = Result()
        try:
            check_flags(header)
            outputs += self._note_state(decode_device_watchdog_request(message))
        except DiameterError as error:
            outputs.append(Refused(DEVICE_WATCHDOG, "", error))
            result = Result(error.result_code, error.error_message, error.failed_avp)
        return outputs + self._apply(Event.RECEIVED_DWR, now_s, request=header, result=result)

    def _receive_dpr(self, message: bytes, header: Header, now_s: float) -> list[Output]:
        """The peer leaves whatever its DPR looks like; a bad one is told so in the DPA."""
        outputs: list[Output] = []
        if self._disconnect_request is None:
            self._disconnect_request = header
            try:
                check_flags(header)
                decode_disconnect_peer_request(message)
            except DiameterError as error:
                outputs.append(Refused(DISCONNECT_PEER, "", error))
                self._disconnect_result = Result(error.result_code, error.error_message, error.failed_avp)
        return outputs + self._apply(Event.RECEIVED_DPR, now_s, request=header)

    def _receive_answer(self, message: bytes, header: Header, now_s: float) -> list[Output]:
        """Match an answer to what we asked by its Hop-by-Hop Identifier (RFC 6733 section 6.2)."""
        event = _ANSWER_EVENTS.get(header.command_code, Event.RECEIVED_ANSWER)
        if self.state is State.WAIT_CER:
            return self._apply(event, now_s, reason="an answer came before Capabilities-Exchange")
        if self._awaited.get(header.hop_by_hop_id) is not event:
            return self._apply(Event.RECEIVED_ANSWER, now_s, request=header)
        del self._awaited[header.hop_by_hop_id]
        if event is Event.RECEIVED_ANSWER:
            return [Answered(message, header)]
        return self._apply(event, now_s, request=header)

    # --- the table at work ---

    def _apply(
        self,
        event: Event,
        now_s: float,
        *,
        request: Header | None = None,
        result: Result | None = None,
        reason: str = "",
    ) -> list[Output]:
        actions, state = TRANSITIONS[self.state, event]
        self._enter(state, now_s)
        outputs: list[Output] = []
        for action in actions:
            output = self._perform(action, request, result or Result(), reason, now_s)
            if output is not None:
                outputs.append(output)
        return outputs

    def _perform(
        self, action: Action, request: Header | None, result: Result, reason: str, now_s: float
    ) -> Output | None:
        if action is Action.DISCONNECT:
            return Disconnect(reason)
        if action is Action.SEND_DPR:
            identifier = self._next_id(Event.RECEIVED_DPA)
            cause = self._disconnect_cause
            return Send(encode_disconnect_peer_request(self.identity, cause, identifier, identifier))
        if action is Action.SEND_DPA:
            if self._disconnect_request is None:
                return None
            header = self._disconnect_request
            return Send(encode_disconnect_peer_answer(header, self.identity, self._disconnect_result))
        if request is None:
            return None
        if action is Action.SEND_CEA:
            return Send(
                encode_capabilities_exchange_answer(
                    request,
                    self.identity,
                    result,
                    host_ip_addresses=self._host_ip_addresses,
                    firmware_revision=self._policy.firmware_revision,
                )
            )
        if action is Action.SEND_DWA:
            return Send(encode_device_watchdog_answer(request, self.identity, result))
        if action is Action.PROCESS_DWA:
            self._hear_dwa(now_s)
            return None
        return Ignored(request)

    def _enter(self, state: State, now_s: float) -> None:
        if state is self.state:
            return
        self.state = state
        if state is State.CLOSING or state is State.PEER_LEFT:
            self.deadline_s = now_s + DISCONNECT_TIMEOUT_S
        elif state is State.FINISHING or state is State.PEER_LEAVING:
            self.deadline_s = now_s + DRAIN_TIMEOUT_S
        elif state is State.CLOSED and self.capabilities is not None:
            self._policy.table.remove_connection(self.capabilities.origin.host, lost=self._is_lost)
            if self._watchdog is not None:
                self._watchdog.disconnect()

    def _hear_dwa(self, now_s: float) -> None:
        if self._watchdog is not None:
            self._watchdog.hear_answer(now_s)
            self._follow_watchdog()

    def _follow_watchdog(self) -> None:
        if self.state is State.OPEN and self._watchdog is not None:
            self.deadline_s = self._watchdog.due_s

    def _note_state(self, origin: Origin) -> list[Output]:
        return [StateAdvanced(origin)] if self._policy.table.note_state(origin) else []

    def _next_id(self, answer: Event) -> int:
        """Number a request of ours; unique on this connection, which is all that Hop-by-Hop asks for."""
        self._identifier = self._identifier + 1 & 0xFFFFFFFF
        self._awaited[self._identifier] = answer
        return self._identifier
