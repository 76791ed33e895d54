"""Notices as datagrams, written by pysnmp; equal notices are written once and patched, some microseconds each.

A template is written with recognisable numbers in place of uptime, request-id, salt and digest. They stand where pysnmp
put them, and numbers of the same length in BER take their places.
"""

import hashlib
import hmac
import ipaddress
from typing import Any, Final, NamedTuple

import msgspec
from pyasn1.codec.ber import decoder as ber_decoder
from pyasn1.codec.ber import encoder as ber_encoder
from pysnmp.proto import api
from pysnmp.proto.mpmod import rfc3412
from pysnmp.proto.secmod.rfc3414 import localkey as keys
from pysnmp.proto.secmod.rfc3414 import service
from pysnmp.proto.secmod.rfc3826.priv import aes

from simulators.traps.notices import Notice

# pysnmp has no usable types.
decoder: Any = ber_decoder
encoder: Any = ber_encoder
localkey: Any = keys
v1: Any = api.PROTOCOL_MODULES[api.SNMP_VERSION_1]
v2c: Any = api.PROTOCOL_MODULES[api.SNMP_VERSION_2C]
SNMPv3Message: Any = rfc3412.SNMPv3Message
UsmSecurityParameters: Any = service.UsmSecurityParameters
Aes: Any = aes.Aes

V1: Final = "1"
V2C: Final = "2c"
V3: Final = "3"
_UPTIME: Final = "1.3.6.1.2.1.1.3.0"
_TRAP_OID: Final = "1.3.6.1.6.3.1.1.4.1.0"
_GENERIC: Final = "1.3.6.1.6.3.1.1.5."
_SYNTAXES: Final[dict[str, Any]] = {
    "Integer32": v2c.Integer32,
    "OctetString": v2c.OctetString,
    "IpAddress": v2c.IpAddress,
}
_V1_SYNTAXES: Final[dict[str, Any]] = {
    "Integer32": v1.Integer,
    "OctetString": v1.OctetString,
    "IpAddress": v1.IpAddress,
}
# Stand-ins of four octets; an uptime of 248 days and more needs five, and another stand-in.
_UPTIME_MARK: Final = 0x6B5A_4938
_LONG_UPTIME_MARK: Final = 0xEB5A_4938
_REQUEST_MARK: Final = 0x5B4A_3928
_MESSAGE_MARK: Final = 0x4B3A_2918
_FOUR_OCTETS: Final = range(1 << 24, 1 << 31)
_FIVE_OCTETS: Final = range(1 << 31, 1 << 32)
_WRAP_TICKS: Final = 1 << 32
_DIGEST_MARK: Final = bytes(range(0xD0, 0xDC))
_SALT_MARK: Final = bytes(range(0xE0, 0xE8))
# Of an address that no element has.
_ENGINE_MARK: Final = bytes.fromhex("80007ed901c5c4c3c2")
_DIGEST_OCTETS: Final = 12
_AUTHENTICATED: Final = 1
_PRIVATE: Final = 2
_MESSAGE_OCTETS_MAX: Final = 65_507
_USM: Final = 3
_ENTERPRISE: Final = 32_473


class User(msgspec.Struct, frozen=True):
    """A user of version 3: HMAC-SHA-96 with AES-128, or neither when there are no passwords."""

    name: str
    authentication_password: str = ""
    privacy_password: str = ""

    @property
    def flags(self) -> int:
        """The msgFlags of a trap (RFC 3412 section 6.4)."""
        return bool(self.authentication_password) | bool(self.privacy_password) << 1


class Speech(msgspec.Struct, frozen=True):
    """How an element speaks."""

    version: str = V2C
    community: str = "public"
    user: User = User("simulator")
    is_inform: bool = False


def engine_id_of(address: str) -> bytes:
    """An element's engine id by its address (RFC 3411 section 5, SnmpEngineID)."""
    packed = ipaddress.ip_address(address).packed
    return (1 << 31 | _ENTERPRISE).to_bytes(4) + bytes([1 if len(packed) == 4 else 2]) + packed


class _EngineClock(NamedTuple):
    """A v3 sender's engine: its id, boots and time (RFC 3414 section 2.2)."""

    engine_id: bytes
    boots: int
    time_s: int


class PacketWriter:
    """The datagrams of one element.

    Args:
        address: its own: a v1 trap says it, a v3 engine is called by it.
        boots: snmpEngineBoots of it.
    """

    def __init__(
        self, speech: Speech, address: str, *, boots: int = 1, templates: "Templates | None" = None
    ) -> None:
        self._speech = speech
        self._address = address
        self._boots = boots
        self._templates = Templates(speech) if templates is None else templates
        self._engine_id = engine_id_of(address)
        self._keys = self._templates.keys_at(self._engine_id)

    def write(self, notice: Notice, uptime_ticks: int, request_id: int) -> bytes:
        """A datagram.

        Args:
            uptime_ticks: since its start; sysUpTime wraps (RFC 2578 section 7.1.8), a v3 engine's time does not.
            request_id: from 2**24 to 2**31 - 1; of an inform the one that its acknowledgement repeats.
        """
        if request_id not in _FOUR_OCTETS:
            raise ValueError(f"a request-id of four octets, not {request_id}")
        version = self._speech.version
        time_s = uptime_ticks // 100
        uptime_ticks %= _WRAP_TICKS
        mark = _uptime_mark(uptime_ticks)
        if version == V1:
            template = self._templates.of_v1(notice, mark or uptime_ticks, self._address)
            return template.replace(mark.to_bytes(4), uptime_ticks.to_bytes(4), 1) if mark else template
        if version == V2C:
            template = self._templates.of_v2c(notice, mark or uptime_ticks)
            octets = template.replace(_REQUEST_MARK.to_bytes(4), request_id.to_bytes(4), 1)
            return octets.replace(mark.to_bytes(4), uptime_ticks.to_bytes(4), 1) if mark else octets
        secured = self._templates.secured(notice, mark or uptime_ticks)
        clock = _EngineClock(self._engine_id, self._boots, time_s)
        return secured.fill((mark, uptime_ticks), request_id, clock, self._keys)


def _uptime_mark(uptime_ticks: int) -> int:
    """The stand-in for an uptime; 0 when it is written as it is."""
    if uptime_ticks in _FOUR_OCTETS:
        return _UPTIME_MARK
    return _LONG_UPTIME_MARK if uptime_ticks in _FIVE_OCTETS else 0


class Templates:
    """What elements that speak alike share."""

    def __init__(self, speech: Speech) -> None:
        self._speech = speech
        self._plain: dict[tuple[Notice, int, str], bytes] = {}
        self._secured: dict[tuple[Notice, int], _Secured] = {}
        user = speech.user
        self._hashed = (
            localkey.hash_passphrase_sha(user.authentication_password)
            if user.authentication_password
            else "",
            localkey.hash_passphrase_sha(user.privacy_password) if user.privacy_password else "",
        )

    def keys_at(self, engine_id: bytes) -> tuple[Any, Any]:
        """The user's localised keys (RFC 3414 section 2.6)."""
        engine = v2c.OctetString(engine_id)
        authentication, privacy = (
            localkey.localize_key_sha(key, engine) if key else "" for key in self._hashed
        )
        return authentication, privacy and privacy[: Aes.KEY_SIZE]

    def of_v1(self, notice: Notice, uptime_ticks: int, address: str) -> bytes:
        """A v1 trap (RFC 3584 section 3.2)."""
        key = (notice, uptime_ticks, address)
        found = self._plain.get(key)
        if found is None:
            found = self._plain[key] = _v1_message(notice, uptime_ticks, address, self._speech.community)
        return found

    def of_v2c(self, notice: Notice, uptime_ticks: int) -> bytes:
        """A v2c trap or inform."""
        key = (notice, uptime_ticks, "")
        found = self._plain.get(key)
        if found is None:
            message = v2c.Message()
            v2c.apiMessage.set_defaults(message)
            v2c.apiMessage.set_community(message, self._speech.community)
            v2c.apiMessage.set_pdu(message, _pdu(notice, uptime_ticks, is_inform=self._speech.is_inform))
            found = self._plain[key] = bytes(encoder.encode(message))
        return found

    def secured(self, notice: Notice, uptime_ticks: int) -> "_Secured":
        """A v3 trap of any engine."""
        found = self._secured.get((notice, uptime_ticks))
        if found is None:
            found = self._secured[notice, uptime_ticks] = _Secured(notice, uptime_ticks, self._speech.user)
        return found


class _Secured:
    """The template of a v3 message (RFC 3414 sections 6.3.1 and 7.3.1, RFC 3826)."""

    def __init__(self, notice: Notice, uptime_ticks: int, user: User) -> None:
        scoped = _scoped(notice, uptime_ticks)
        self._scoped = bytes(encoder.encode(scoped))
        self._flags = user.flags
        self._cipher = Aes()
        message = SNMPv3Message()
        message["msgVersion"] = 3
        header = message.setComponentByPosition(1).getComponentByPosition(1)
        header["msgID"] = _MESSAGE_MARK
        header["msgMaxSize"] = _MESSAGE_OCTETS_MAX
        header["msgFlags"] = bytes([self._flags])
        header["msgSecurityModel"] = _USM
        parameters = UsmSecurityParameters()
        parameters["msgAuthoritativeEngineId"] = _ENGINE_MARK
        parameters["msgAuthoritativeEngineBoots"] = _REQUEST_MARK
        parameters["msgAuthoritativeEngineTime"] = _UPTIME_MARK
        parameters["msgUserName"] = user.name
        parameters["msgAuthenticationParameters"] = _DIGEST_MARK if self._flags & _AUTHENTICATED else b""
        parameters["msgPrivacyParameters"] = _SALT_MARK if self._flags & _PRIVATE else b""
        message["msgSecurityParameters"] = encoder.encode(parameters)
        data = message.setComponentByPosition(3).getComponentByPosition(3)
        if self._flags & _PRIVATE:
            data["encryptedPDU"] = self._scoped
        else:
            data["plaintext"] = scoped
        self._head = bytes(encoder.encode(message))[: -len(self._scoped)]

    def fill(
        self, uptime: tuple[int, int], request_id: int, clock: _EngineClock, keys: tuple[Any, Any]
    ) -> bytes:
        """A message.

        Args:
            uptime: its stand-in, 0 for none, and what takes its place.
            keys: localised, for authentication and privacy.
        """
        mark, uptime_ticks = uptime
        scoped = self._scoped.replace(_ENGINE_MARK, clock.engine_id, 1)
        scoped = scoped.replace(_REQUEST_MARK.to_bytes(4), request_id.to_bytes(4), 1)
        if mark:
            scoped = scoped.replace(mark.to_bytes(4), uptime_ticks.to_bytes(4), 1)
        head = bytearray(self._head)
        _patch(head, _MESSAGE_MARK.to_bytes(4), request_id.to_bytes(4))
        _patch(head, _ENGINE_MARK, clock.engine_id)
        _patch(head, _REQUEST_MARK.to_bytes(4), clock.boots.to_bytes(4))
        _patch(head, _UPTIME_MARK.to_bytes(4), clock.time_s.to_bytes(4))
        if self._flags & _PRIVATE:
            encrypted, salt = self._cipher.encrypt_data(keys[1], (clock.boots, clock.time_s, None), scoped)
            scoped = bytes(encrypted)
            _patch(head, _SALT_MARK, bytes(salt))
        if self._flags & _AUTHENTICATED:
            at = head.index(_DIGEST_MARK)
            head[at : at + _DIGEST_OCTETS] = bytes(_DIGEST_OCTETS)
            digest = hmac.digest(bytes(keys[0]), bytes(head) + scoped, hashlib.sha1)
            head[at : at + _DIGEST_OCTETS] = digest[:_DIGEST_OCTETS]
        return bytes(head) + scoped


def _scoped(notice: Notice, uptime_ticks: int) -> Any:
    """A scoped PDU as pysnmp has it."""
    message = SNMPv3Message()
    data = message.setComponentByPosition(3).getComponentByPosition(3)
    scoped = data.setComponentByName("plaintext").getComponentByName("plaintext")
    scoped["contextEngineId"] = _ENGINE_MARK
    scoped["contextName"] = b""
    pdu = _pdu(notice, uptime_ticks, is_inform=False)
    scoped["data"].setComponentByType(pdu.tagSet, pdu)
    return scoped


def _patch(octets: bytearray, mark: bytes, value: bytes) -> None:
    at = octets.index(mark)
    octets[at : at + len(mark)] = value


def _pdu(notice: Notice, uptime_ticks: int, *, is_inform: bool) -> Any:
    pdu: Any = v2c.InformRequestPDU() if is_inform else v2c.SNMPv2TrapPDU()
    v2c.apiPDU.set_defaults(pdu)
    v2c.apiPDU.set_request_id(pdu, _REQUEST_MARK)
    said = [(value.name, _SYNTAXES[value.syntax](value.value)) for value in notice.values]
    head = [(_UPTIME, v2c.TimeTicks(uptime_ticks)), (_TRAP_OID, v2c.ObjectIdentifier(notice.trap_oid))]
    v2c.apiPDU.set_varbinds(pdu, [*head, *said])
    return pdu


def _v1_message(notice: Notice, uptime_ticks: int, address: str, community: str) -> bytes:
    pdu = v1.TrapPDU()
    v1.apiTrapPDU.set_defaults(pdu)
    if notice.trap_oid.startswith(_GENERIC):
        enterprise, generic, specific = _GENERIC[:-1], int(notice.trap_oid[len(_GENERIC) :]) - 1, 0
    else:
        enterprise, _, number = notice.trap_oid.rpartition(".0.")
        generic, specific = 6, int(number)
    v1.apiTrapPDU.set_enterprise(pdu, enterprise)
    v1.apiTrapPDU.set_agent_address(pdu, address)
    v1.apiTrapPDU.set_generic_trap(pdu, generic)
    v1.apiTrapPDU.set_specific_trap(pdu, specific)
    v1.apiTrapPDU.set_timestamp(pdu, uptime_ticks)
    said = [(value.name, _V1_SYNTAXES[value.syntax](value.value)) for value in notice.values]
    v1.apiTrapPDU.set_varbinds(pdu, said)
    message = v1.Message()
    v1.apiMessage.set_defaults(message)
    v1.apiMessage.set_community(message, community)
    v1.apiMessage.set_pdu(message, pdu)
    return bytes(encoder.encode(message))


def acknowledged_request_id(octets: bytes) -> int | None:
    """The request-id of a v2c Response that says that all is well; None for anything else."""
    try:
        message, rest = decoder.decode(octets, asn1Spec=v2c.Message())
        pdu: Any = v2c.apiMessage.get_pdu(message)
        is_well = not rest and isinstance(pdu, v2c.ResponsePDU) and not int(v2c.apiPDU.get_error_status(pdu))
        return int(v2c.apiPDU.get_request_id(pdu)) if is_well else None
    except Exception:  # noqa: BLE001 - a codec raises many things, and all of them mean: this is none
        return None
