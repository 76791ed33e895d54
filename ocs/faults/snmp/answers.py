"""What we send: the acknowledgements of informs, and the Reports that tell a sender why it was refused.

Source: RFC 3412 section 7.1, RFC 3414 section 3.2 (the error indication of each step) and section 4 (discovery).
"""

from typing import Final

from ocs.faults.snmp import ber, usm
from ocs.faults.snmp.discard import DiscardReason, SnmpError
from ocs.faults.snmp.pdu import Pdu, report, response
from ocs.faults.snmp.usm import Envelope, ScopedPdu, SecuredMessage, UsmUser
from ocs.faults.snmp.usm_keys import NO_KEYS, LocalKeys

# Each with its number in usmStats of SNMP-USER-BASED-SM-MIB (RFC 3414 section 5): 1.3.6.1.6.3.15.1.1.N.0.
REPORTED: Final = {
    DiscardReason.UNSUPPORTED_LEVEL: 1,
    DiscardReason.NOT_IN_TIME_WINDOW: 2,
    DiscardReason.UNKNOWN_USER: 3,
    DiscardReason.UNKNOWN_ENGINE: 4,
    DiscardReason.WRONG_DIGEST: 5,
    DiscardReason.DECRYPTION: 6,
}
_USM_STATS: Final = bytes((0x2B, 6, 1, 6, 3, 15, 1, 1))
_NO_REQUEST_ID: Final = ber.encode_number(ber.INTEGER, 0)
_LEVEL_FLAGS: Final = usm.FLAG_AUTHENTICATION | usm.FLAG_PRIVACY


class Answers:
    """Writes our engine's messages of version 3, and keeps what must not be used twice and what is counted.

    Args:
        boots: of ours; with it begins the salt of every encrypted message.
    """

    def __init__(self, engine_id: bytes, boots: int) -> None:
        self._engine_id = engine_id
        self._boots = boots
        self._salt = 0
        self._counters = dict.fromkeys(REPORTED, 0)

    def response(
        self,
        message: SecuredMessage,
        keys: LocalKeys,
        scoped: ScopedPdu,
        inform: Pdu,
        engine_time_s: int,
    ) -> bytes:
        """The acknowledgement of an inform, protected like the inform."""
        answer = usm.encode_scoped(scoped.context_engine_id, scoped.context_name, response(inform))
        envelope = self._envelope(message, message.flags & _LEVEL_FLAGS, engine_time_s)
        return usm.encode_secured(envelope, answer, keys)

    def report(
        self, message: SecuredMessage, reason: DiscardReason, user: UsmUser | None, engine_time_s: int
    ) -> bytes:
        """The Report that says why a message was refused; of all only the one on clocks is authenticated.

        Args:
            reason: one of ``REPORTED``. user: whose message it is, as far as there is one.
        """
        self._counters[reason] += 1
        name = _USM_STATS + bytes((REPORTED[reason], 0))
        answer = report(_request_id(message), name, self._counters[reason])
        scoped = usm.encode_scoped(self._engine_id, b"", answer)
        if user is None or reason is not DiscardReason.NOT_IN_TIME_WINDOW:
            return usm.encode_secured(self._envelope(message, 0, engine_time_s), scoped, NO_KEYS)
        envelope = self._envelope(message, usm.FLAG_AUTHENTICATION, engine_time_s)
        return usm.encode_secured(envelope, scoped, user.keys_at(self._engine_id))

    def _envelope(self, message: SecuredMessage, flags: int, engine_time_s: int) -> Envelope:
        salt = b""
        if flags & usm.FLAG_PRIVACY:
            # Our boots and a number that rises with every message: never the same twice with one key, as RFC 3414
            # section 8.1.1.1 and RFC 3826 section 3.1.3 want. The number comes round after days of nothing but answers.
            self._salt = (self._salt + 1) & 0xFFFF_FFFF
            salt = self._boots.to_bytes(4) + self._salt.to_bytes(4)
        return Envelope(
            message.message_id, flags, self._engine_id, self._boots, engine_time_s, message.user, salt
        )


def community_response(version: int, community: bytes, inform: Pdu) -> bytes:
    """The acknowledgement of an inform of v2c."""
    head = ber.encode_number(ber.INTEGER, version) + ber.encode(ber.OCTET_STRING, community)
    return ber.encode(ber.SEQUENCE, head + response(inform))


def _request_id(message: SecuredMessage) -> bytes:
    """The request-id of what was refused, header and all; zero where it cannot be read (RFC 3412 section 7.1 (3))."""
    try:  # what is encrypted is no scoped PDU yet
        scoped = usm.read_scoped(message.octets, message.data_at, message.data_end)
        _, start, stop = ber.element(scoped.octets, scoped.pdu_at, scoped.pdu_end)
        return scoped.octets[start : ber.expect_integer(scoped.octets, start, stop)[1]]
    except SnmpError:
        return _NO_REQUEST_ID
