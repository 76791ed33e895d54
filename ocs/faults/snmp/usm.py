"""The message of version 3 and its User-based Security Model: read, prove, decrypt, and write.

Source: RFC 3412 section 6, RFC 3414 sections 2.4, 3.1 and 3.2.
"""

import functools
import hmac
from typing import Final, NamedTuple

from ocs.faults.snmp import ber, usm_keys
from ocs.faults.snmp.discard import DiscardReason, SnmpError, malformed
from ocs.faults.snmp.usm_keys import (
    AUTHENTICATIONS,
    NO_KEYS,
    PRIVACIES,
    Authentication,
    LocalKeys,
    Privacy,
)
from ocs.limits import SNMP_DATAGRAM_OCTETS_MAX

FLAG_AUTHENTICATION: Final = 1
FLAG_PRIVACY: Final = 2
FLAG_REPORTABLE: Final = 4

_SECURITY_MODEL: Final = 3
_VERSION: Final = ber.encode_number(ber.INTEGER, 3)
_MAX_SIZE: Final = ber.encode_number(ber.INTEGER, SNMP_DATAGRAM_OCTETS_MAX)
_MODEL: Final = ber.encode_number(ber.INTEGER, _SECURITY_MODEL)


class UsmUser:
    """A user of the User-based Security Model, and how its messages are protected.

    Args:
        authentication, privacy: by their names in ``[[snmp.users]]``; ``none`` for neither.
        authentication_password, privacy_password: octets as the sender has them; never shown.

    Raises:
        ValueError: a protocol of another name, privacy without authentication (RFC 3411 section 3.4.3), or a
            password that is missing.
    """

    def __init__(
        self,
        name: str,
        *,
        authentication: str = "none",
        authentication_password: bytes = b"",
        privacy: str = "none",
        privacy_password: bytes = b"",
    ) -> None:
        if authentication not in {"none", *AUTHENTICATIONS} or privacy not in {"none", *PRIVACIES}:
            raise ValueError(f"user {name}: no protocol is called {authentication} or {privacy}")
        self.name = name
        self.authentication: Authentication | None = AUTHENTICATIONS.get(authentication)
        self.privacy: Privacy | None = PRIVACIES.get(privacy)
        if self.privacy and not self.authentication:
            raise ValueError(f"user {name}: privacy needs authentication")
        if (self.authentication and not authentication_password) or (self.privacy and not privacy_password):
            raise ValueError(f"user {name}: a password is missing")
        self._authentication_password = authentication_password
        self._privacy_password = privacy_password

    def __repr__(self) -> str:
        return f"UsmUser({self.name!r})"

    def keys_at(self, engine_id: bytes) -> LocalKeys:
        """The user's keys at one engine: microseconds, but for the first time, which takes milliseconds."""
        if self.authentication is None:
            return NO_KEYS
        authentication_master, privacy_master = self._masters
        hash_name = self.authentication.hash
        privacy_key = b""
        if self.privacy is not None:
            privacy_key = usm_keys.localise(hash_name, privacy_master, engine_id)
            privacy_key = usm_keys.extend(hash_name, privacy_key, self.privacy.key_octets)
        key = usm_keys.localise(hash_name, authentication_master, engine_id)
        return LocalKeys(self.authentication, key, self.privacy, privacy_key)

    @functools.cached_property
    def _masters(self) -> tuple[bytes, bytes]:
        if self.authentication is None:
            return b"", b""
        authentication = usm_keys.master_key(self.authentication, self._authentication_password)
        if self.privacy is None:
            return authentication, b""
        return authentication, usm_keys.master_key(self.authentication, self._privacy_password)


class SecuredMessage(NamedTuple):
    """A message of version 3 taken apart, nothing of it proved.

    Attributes:
        octets: the whole message. digest_at, digest_end: where its msgAuthenticationParameters stand.
        data_at, data_end: msgData with its header: plaintext or encrypted scoped PDU.
    """

    octets: bytes
    message_id: int
    flags: int
    engine_id: bytes
    boots: int
    time_s: int
    user: bytes
    digest_at: int
    digest_end: int
    salt: bytes
    data_at: int
    data_end: int

    @property
    def is_reportable(self) -> bool:
        """Whether the sender wants to hear why it was refused (RFC 3412 section 6.4)."""
        return bool(self.flags & FLAG_REPORTABLE)

    @property
    def is_authenticated(self) -> bool:
        """Whether it claims to be authentic."""
        return bool(self.flags & FLAG_AUTHENTICATION)

    @property
    def is_private(self) -> bool:
        """Whether its scoped PDU is encrypted."""
        return bool(self.flags & FLAG_PRIVACY)


class ScopedPdu(NamedTuple):
    """A scoped PDU in plaintext: ``octets[pdu_at:pdu_end]`` is the PDU."""

    octets: bytes
    context_engine_id: bytes
    context_name: bytes
    pdu_at: int
    pdu_end: int


def read_secured(octets: bytes, at: int, end: int) -> SecuredMessage:
    """Take a message apart, from behind msgVersion to its end.

    Raises:
        SnmpError: malformed, or of another security model.
    """
    header_at, at = ber.expect(octets, at, end, ber.SEQUENCE)
    message_id, header_at = ber.expect_integer(octets, header_at, at)
    _, header_at = ber.expect_integer(octets, header_at, at)
    flags_at, header_at = ber.expect(octets, header_at, at, ber.OCTET_STRING)
    model, model_end = ber.expect_integer(octets, header_at, at)
    if model_end != at or header_at - flags_at != 1 or message_id < 0:
        raise malformed("msgGlobalData")
    flags = octets[flags_at]
    if model != _SECURITY_MODEL:
        raise SnmpError(DiscardReason.UNKNOWN_SECURITY_MODEL, f"security model {model}")
    if flags & FLAG_PRIVACY and not flags & FLAG_AUTHENTICATION:
        raise malformed("msgFlags have privacy without authentication")

    start, data_at = ber.expect(octets, at, end, ber.OCTET_STRING)
    start, parameters_end = ber.expect(octets, start, data_at, ber.SEQUENCE)
    engine_at, at = ber.expect(octets, start, parameters_end, ber.OCTET_STRING)
    engine_id = octets[engine_at:at]
    boots, at = ber.expect_integer(octets, at, parameters_end)
    time_s, at = ber.expect_integer(octets, at, parameters_end)
    user_at, at = ber.expect(octets, at, parameters_end, ber.OCTET_STRING)
    user = octets[user_at:at]
    digest_at, digest_end = ber.expect(octets, at, parameters_end, ber.OCTET_STRING)
    salt_at, at = ber.expect(octets, digest_end, parameters_end, ber.OCTET_STRING)
    if at != parameters_end or at != data_at or boots < 0 or time_s < 0:
        raise malformed("msgSecurityParameters")
    return SecuredMessage(
        octets,
        message_id,
        flags,
        engine_id,
        boots,
        time_s,
        user,
        digest_at,
        digest_end,
        octets[salt_at:at],
        data_at,
        end,
    )


def authenticate(message: SecuredMessage, keys: LocalKeys) -> None:
    """Prove that somebody who has the user's key wrote the message, every octet of it.

    Raises:
        SnmpError: the digest is another.

    Source: RFC 3414 sections 3.2 (6) and 6.3.2.
    """
    octets, at, end = message.octets, message.digest_at, message.digest_end
    expected = keys.digest(octets[:at] + bytes(end - at) + octets[end:])
    # A digest that was cut short is unequal too, and one of a user without key (empty) is never asked for.
    if not expected or not hmac.compare_digest(expected, octets[at:end]):
        raise SnmpError(DiscardReason.WRONG_DIGEST, "the digest is not that of our key")


def open_scoped(message: SecuredMessage, keys: LocalKeys) -> ScopedPdu:
    """The scoped PDU, decrypted if it is encrypted.

    Raises:
        SnmpError: it cannot be decrypted (also: what comes out is none, since the key was another), or is malformed.
    """
    if not message.is_private:
        return read_scoped(message.octets, message.data_at, message.data_end)
    start, stop = ber.expect(message.octets, message.data_at, message.data_end, ber.OCTET_STRING)
    if stop != message.data_end:
        raise malformed("msgData")
    plaintext = keys.decrypt(
        message.octets[start:stop], salt=message.salt, boots=message.boots, time_s=message.time_s
    )
    try:
        # DES pads to whole blocks; AES does not, but some senders do (net-snmp takes it).
        return read_scoped(plaintext, 0, ber.expect(plaintext, 0, len(plaintext), ber.SEQUENCE)[1])
    except SnmpError as error:
        detail = f"what was decrypted is no scoped PDU: {error}"
        raise SnmpError(DiscardReason.DECRYPTION, detail) from error


def read_scoped(octets: bytes, at: int, end: int) -> ScopedPdu:
    """Take a scoped PDU in plaintext apart (RFC 3412 section 6.8).

    Raises:
        SnmpError: malformed.
    """
    start, stop = ber.expect(octets, at, end, ber.SEQUENCE)
    if stop != end:
        raise malformed(f"{end - stop} octets behind the scoped PDU")
    engine_at, engine_end = ber.expect(octets, start, stop, ber.OCTET_STRING)
    name_at, name_end = ber.expect(octets, engine_end, stop, ber.OCTET_STRING)
    return ScopedPdu(octets, octets[engine_at:engine_end], octets[name_at:name_end], name_end, stop)


def encode_scoped(context_engine_id: bytes, context_name: bytes, pdu: bytes) -> bytes:
    """A scoped PDU in plaintext."""
    engine = ber.encode(ber.OCTET_STRING, context_engine_id)
    return ber.encode(ber.SEQUENCE, engine + ber.encode(ber.OCTET_STRING, context_name) + pdu)


class Envelope(NamedTuple):
    """What a message of ours says around its scoped PDU; we are its authoritative engine.

    Attributes:
        flags: its level; a user with these protocols has the keys for it.
        salt: never used before.
    """

    message_id: int
    flags: int
    engine_id: bytes
    boots: int
    time_s: int
    user: bytes
    salt: bytes


def encode_secured(envelope: Envelope, scoped: bytes, keys: LocalKeys) -> bytes:
    """Write a message, encrypted and authenticated as its flags say (RFC 3414 section 3.1).

    Args:
        keys: of its user at our engine; the flags ask for no more than they can do.
    """
    data, salt = scoped, b""
    if envelope.flags & FLAG_PRIVACY:
        salt = envelope.salt
        data = keys.encrypt(scoped, salt=salt, boots=envelope.boots, time_s=envelope.time_s)
        data = ber.encode(ber.OCTET_STRING, data)
    if not envelope.flags & FLAG_AUTHENTICATION:
        return _assemble(envelope, b"", salt, data)
    zeroed = _assemble(envelope, bytes(keys.digest_octets), salt, data)
    return _assemble(envelope, keys.digest(zeroed), salt, data)


def _assemble(envelope: Envelope, digest: bytes, salt: bytes, data: bytes) -> bytes:
    """The message with these authentication and privacy parameters; all digests of a protocol are equally long."""
    header = (
        ber.encode_number(ber.INTEGER, envelope.message_id)
        + _MAX_SIZE
        + ber.encode(ber.OCTET_STRING, bytes((envelope.flags,)))
        + _MODEL
    )
    parameters = (
        ber.encode(ber.OCTET_STRING, envelope.engine_id)
        + ber.encode_number(ber.INTEGER, envelope.boots)
        + ber.encode_number(ber.INTEGER, envelope.time_s)
        + ber.encode(ber.OCTET_STRING, envelope.user)
        + ber.encode(ber.OCTET_STRING, digest)
        + ber.encode(ber.OCTET_STRING, salt)
    )
    security = ber.encode(ber.OCTET_STRING, ber.encode(ber.SEQUENCE, parameters))
    return ber.encode(ber.SEQUENCE, _VERSION + ber.encode(ber.SEQUENCE, header) + security + data)
