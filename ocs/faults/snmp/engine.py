"""Our SNMP engine as a receiver of notifications: datagrams in; notifications, replies and refusals out.

Pure: no socket, no clock, no randomness. Whoever holds the socket passes what arrived and sends what comes out: replies
at once, an inform's acknowledgement once what it says is durable.

Source: RFC 3412 section 7.2, RFC 3414 section 3.2, RFC 3416 sections 4.2.6 and 4.2.7, RFC 3584 sections 3.1 and 5.2.
"""

import hashlib
from collections.abc import Callable, Hashable, Sequence
from typing import Final, NamedTuple

import msgspec

from ocs.faults.notification import Notification, SecurityLevel, Version
from ocs.faults.snmp import ber, usm
from ocs.faults.snmp.answers import REPORTED, Answers, community_response
from ocs.faults.snmp.discard import DiscardReason, SnmpError
from ocs.faults.snmp.engine_clocks import BOOTS_LATCHED, EngineClocks
from ocs.faults.snmp.pdu import INFORM, V1_TRAP, Pdu, PduReader
from ocs.faults.snmp.usm import SecuredMessage, UsmUser
from ocs.faults.snmp.usm_keys import NO_KEYS, LocalKeys
from ocs.limits import (
    SNMP_DATAGRAM_OCTETS_MAX,
    SNMP_KEYS_REMEMBERED,
    SNMP_PEERS_REMEMBERED,
    SNMP_TIME_WINDOW_S,
)

_ENGINE_ID_OCTETS_MIN: Final = 5  # RFC 3411 section 5, SnmpEngineID
_ENGINE_ID_OCTETS_MAX: Final = 32
_V1: Final = int(Version.V1)
_V3: Final = int(Version.V3)
_COMMUNITY_VERSIONS: Final = frozenset({_V1, int(Version.V2C)})
_UNPROTECTED: Final = int(SecurityLevel.NO_AUTH_NO_PRIV)
_LEVELS: Final = {
    0: _UNPROTECTED,
    usm.FLAG_AUTHENTICATION: int(SecurityLevel.AUTH_NO_PRIV),
    usm.FLAG_AUTHENTICATION | usm.FLAG_PRIVACY: int(SecurityLevel.AUTH_PRIV),
}
_LEVEL_FLAGS: Final = usm.FLAG_AUTHENTICATION | usm.FLAG_PRIVACY


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """A notification that was accepted.

    Attributes:
        acknowledgement: of an inform, to be sent to its sender only after the commit; None for a trap. A retransmission
            has its own, and in version 3 its sender takes no other.
        address, port: where the datagram came from.
        inform_key: equal for an inform and its retransmissions; None for a trap.
        engine_boots: of the sender's engine, where an authentic message of version 3 says it; else -1.
        content: equal for notifications of one trap with equal varbinds, whoever sent them; empty where nothing equal
            was read before.
    """

    notification: Notification
    acknowledgement: bytes | None
    address: str
    port: int
    inform_key: Hashable | None
    engine_boots: int = -1
    content: bytes = b""


class Reply(NamedTuple):
    """A Report to be sent at once, unless too many were."""

    octets: bytes
    address: str
    port: int


class Discard(NamedTuple):
    """A datagram that was refused, and why."""

    reason: DiscardReason
    address: str
    detail: str


class Received(NamedTuple):
    """What became of a batch of datagrams, each in the order of arrival.

    A sender that asks for our engine id or time gets a reply and is not among the discards.
    """

    notifications: list[Arrival]
    replies: list[Reply]
    discards: list[Discard]


class TrapEngine:
    """Our SNMP engine as a receiver: authoritative for informs.

    Args:
        engine_id: ours, 5 to 32 octets, the same for ever.
        boots: ours, one more for each engine that is made: what protects our answers must never be used twice.
        users: of version 3; names are unique.
        accepts_community: whether a community of v1 or v2c is let in.
        is_proxy: whether an address is believed when it says about which element a notification is; asked once for
            each address.
        clocks: what is known of senders' boots and times from before; without it each engine's first message is
            believed.
    """

    def __init__(
        self,
        *,
        engine_id: bytes,
        boots: int,
        users: Sequence[UsmUser],
        accepts_community: Callable[[bytes], bool],
        is_proxy: Callable[[str], bool],
        clocks: EngineClocks | None = None,
    ) -> None:
        if not _ENGINE_ID_OCTETS_MIN <= len(engine_id) <= _ENGINE_ID_OCTETS_MAX:
            raise ValueError(f"an engine id has 5 to 32 octets, not {len(engine_id)}")
        self._engine_id = engine_id
        self._boots = min(boots, BOOTS_LATCHED)
        self._users = {user.name.encode(): user for user in users}
        self._accepts_community = accepts_community
        self._is_proxy = is_proxy
        self._clocks = clocks or EngineClocks()
        self._reader = PduReader()
        self._keys: dict[tuple[bytes, bytes], LocalKeys] = {}
        self._proxies: dict[str, bool] = {}
        self._answers = Answers(engine_id, self._boots)

    def receive(
        self, datagrams: Sequence[tuple[bytes, str, int]], now_ms: int, engine_time_s: int
    ) -> Received:
        """Read what arrived together. Never raises for what is in it.

        Args:
            datagrams: octets, the peer's address and its port.
            engine_time_s: snmpEngineTime, seconds since our boots last rose.
        """
        received = Received([], [], [])
        for octets, address, port in datagrams:
            try:
                arrival = self._read(octets, address, port, now_ms, engine_time_s, received.replies)
            except SnmpError as error:
                received.discards.append(Discard(error.reason, address, str(error)))
                continue
            if arrival is not None:
                received.notifications.append(arrival)
        return received

    def _read(
        self, octets: bytes, address: str, port: int, now_ms: int, engine_time_s: int, replies: list[Reply]
    ) -> Arrival | None:
        """One datagram; None when all that its sender wanted is a Report."""
        if len(octets) > SNMP_DATAGRAM_OCTETS_MAX:
            raise SnmpError(DiscardReason.TOO_LONG, f"a datagram of {len(octets)} octets")
        # What stands behind the message is padding, which some senders write; nothing reads it.
        at, end = ber.expect(octets, 0, len(octets), ber.SEQUENCE)
        version, at = ber.expect_integer(octets, at, end)
        if version in _COMMUNITY_VERSIONS:
            return self._read_community(octets, at, end, version, address, port, now_ms)
        if version != _V3:
            raise SnmpError(DiscardReason.UNKNOWN_VERSION, f"version {version}")
        message = usm.read_secured(octets[:end], at, end)
        try:
            return self._read_secured(message, address, port, now_ms, engine_time_s)
        except SnmpError as error:
            reason = error.reason
            if not message.is_reportable or reason not in REPORTED:
                raise
            if message.engine_id != self._engine_id:
                # Whoever wants an answer has to speak of our engine: this is what it must hear first (RFC 3414
                # section 3.2 (3)). It is tried as a trap before, for senders that set the flag where none may.
                reason = DiscardReason.UNKNOWN_ENGINE
            user = self._users.get(message.user)
            replies.append(Reply(self._answers.report(message, reason, user, engine_time_s), address, port))
            # RFC 3414 section 4: both steps of discovery. Senders that know nothing yet have done nothing wrong.
            if not message.engine_id or (
                reason is DiscardReason.NOT_IN_TIME_WINDOW and not message.boots and not message.time_s
            ):
                return None
            raise

    # --- v1 and v2c (RFC 1901 section 3, RFC 3584 section 5) ---

    def _read_community(
        self, octets: bytes, at: int, end: int, version: int, address: str, port: int, now_ms: int
    ) -> Arrival:
        start, at = ber.expect(octets, at, end, ber.OCTET_STRING)
        community = octets[start:at]
        if not self._accepts_community(community):
            raise SnmpError(DiscardReason.BAD_COMMUNITY, f"a community of {len(community)} octets")
        pdu = self._reader.read(octets, at, end)
        if (pdu.tag == V1_TRAP) != (version == _V1):
            raise SnmpError(
                DiscardReason.NOT_A_NOTIFICATION, f"a PDU of tag {pdu.tag:#x} in version {version}"
            )
        name = community.decode(errors="backslashreplace")
        acknowledgement = key = None
        if pdu.tag == INFORM:
            acknowledgement = community_response(version, community, pdu)
            key = _inform_key(pdu, community, address, port)
        notification = self._notification(pdu, address, version, name, _UNPROTECTED, b"", now_ms)
        return Arrival(notification, acknowledgement, address, port, key, content=pdu.content)

    # --- v3 ---

    def _read_secured(
        self, message: SecuredMessage, address: str, port: int, now_ms: int, engine_time_s: int
    ) -> Arrival:
        """A message of version 3, the checks in the order of RFC 3414 section 3.2."""
        engine_id = message.engine_id
        is_ours = engine_id == self._engine_id
        if not is_ours and not _ENGINE_ID_OCTETS_MIN <= len(engine_id) <= _ENGINE_ID_OCTETS_MAX:
            raise SnmpError(DiscardReason.UNKNOWN_ENGINE, f"an engine id of {len(engine_id)} octets")
        user = self._users.get(message.user)
        if user is None:
            name = message.user[:32].decode(errors="backslashreplace")
            raise SnmpError(DiscardReason.UNKNOWN_USER, f"user {name}")
        _check_level(message, user)
        keys = NO_KEYS
        if message.is_authenticated:
            keys = self._authenticate(message, user)
            if is_ours:
                self._check_own_window(message, engine_time_s)
            else:
                self._clocks.accept(engine_id, message.boots, message.time_s, now_ms)
        scoped = usm.open_scoped(message, keys)
        pdu = self._reader.read(scoped.octets, scoped.pdu_at, scoped.pdu_end)
        if pdu.tag == V1_TRAP:
            raise SnmpError(DiscardReason.NOT_A_NOTIFICATION, "a v1 Trap-PDU in version 3")
        acknowledgement = key = None
        if pdu.tag == INFORM:
            if not is_ours:
                raise SnmpError(DiscardReason.UNKNOWN_ENGINE, "an inform to another engine than ours")
            acknowledgement = self._answers.response(message, keys, scoped, pdu, engine_time_s)
            key = _inform_key(pdu, message.user, address, port)
        sender = scoped.context_engine_id if is_ours else engine_id
        if sender == self._engine_id:
            sender = b""
        level = _LEVELS[message.flags & _LEVEL_FLAGS]
        notification = self._notification(pdu, address, _V3, user.name, level, sender, now_ms)
        boots = message.boots if message.is_authenticated and not is_ours else -1
        return Arrival(notification, acknowledgement, address, port, key, boots, pdu.content)

    def _authenticate(self, message: SecuredMessage, user: UsmUser) -> LocalKeys:
        """Prove who wrote it; keys are remembered only for engines that somebody spoke for who has the password."""
        entry = (message.user, message.engine_id)
        keys = self._keys.get(entry)
        if keys is not None:
            usm.authenticate(message, keys)
            return keys
        keys = user.keys_at(message.engine_id)
        usm.authenticate(message, keys)
        if len(self._keys) >= SNMP_KEYS_REMEMBERED:
            self._keys.clear()
        self._keys[entry] = keys
        return keys

    def _check_own_window(self, message: SecuredMessage, engine_time_s: int) -> None:
        """Whether a message that speaks of our clock is of now (RFC 3414 section 3.2 (7) a)."""
        late_s = engine_time_s - message.time_s
        if (
            self._boots == BOOTS_LATCHED
            or message.boots != self._boots
            or not -SNMP_TIME_WINDOW_S <= late_s <= SNMP_TIME_WINDOW_S
        ):
            detail = (
                f"boots {message.boots} and time {message.time_s} of ours ({self._boots}, {engine_time_s})"
            )
            raise SnmpError(DiscardReason.NOT_IN_TIME_WINDOW, detail)

    # --- all versions ---

    def _notification(
        self,
        pdu: Pdu,
        address: str,
        version: int,
        security_name: str,
        security_level: int,
        engine_id: bytes,
        now_ms: int,
    ) -> Notification:
        """The neutral form; what it says of the element's address is believed only from a proxy."""
        source = pdu.address if pdu.address and self._is_trusted(address) else address
        return Notification(
            pdu.trap_oid,
            pdu.uptime_ticks,
            pdu.varbinds,
            source,
            address,
            version,
            security_name,
            security_level,
            engine_id,
            pdu.tag == INFORM,
            now_ms,
        )

    def _is_trusted(self, address: str) -> bool:
        trusted = self._proxies.get(address)
        if trusted is None:
            trusted = self._is_proxy(address)
            if len(self._proxies) >= SNMP_PEERS_REMEMBERED:
                self._proxies.clear()
            self._proxies[address] = trusted
        return trusted


def _check_level(message: SecuredMessage, user: UsmUser) -> None:
    """Whether the message is protected as the user can be, and not less than by a digest where there is a key.

    RFC 3414 section 3.2 (5) refuses what the user has no key for. That an unproved message in the name of a user
    who has a key is refused too is the access control of RFC 3415, without which anybody could speak in that name.
    """
    if message.is_authenticated != (user.authentication is not None):
        raise SnmpError(DiscardReason.UNSUPPORTED_LEVEL, f"authentication is not as agreed with {user.name}")
    if message.is_private and user.privacy is None:
        raise SnmpError(DiscardReason.UNSUPPORTED_LEVEL, f"no privacy is agreed with {user.name}")


def _inform_key(pdu: Pdu, security_name: bytes, address: str, port: int) -> Hashable:
    """What a retransmission has in common with its inform: version 3 gives it another msgID and salt."""
    digest = hashlib.blake2b(pdu.request_id, digest_size=12)
    digest.update(ber.encode(ber.OCTET_STRING, security_name))
    digest.update(pdu.varbind_list)
    return address, port, digest.digest()
