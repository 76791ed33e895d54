"""Passwords to keys, keys to one engine's keys, and what is done with them: digests and encryption.

Source: RFC 3414 sections 6, 7, 8 and appendix A; RFC 7860 (SHA-2); RFC 3826 (AES-128); for AES-192 and AES-256 the
draft-blumenthal-aes-usm-04, which net-snmp and most elements speak.
"""

import hashlib
import hmac
from typing import Final, NamedTuple

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB

from ocs.faults.snmp.discard import DiscardReason, SnmpError

_PASSWORD_STRETCHED_OCTETS: Final = 1_048_576  # RFC 3414 appendix A.2
_DES_BLOCK_OCTETS: Final = 8
_AES_BLOCK_OCTETS: Final = 16
SALT_OCTETS: Final = 8


class Authentication(NamedTuple):
    """An authentication protocol: the hash beneath its HMAC, and how many octets of it go on the wire."""

    hash: str
    digest_octets: int


class Privacy(NamedTuple):
    """A privacy protocol: its cipher, and how many octets of key it needs (DES: half of them its pre-IV)."""

    is_aes: bool
    key_octets: int


# By their names in [[snmp.users]].
AUTHENTICATIONS: Final = {
    "md5": Authentication("md5", 12),
    "sha1": Authentication("sha1", 12),
    "sha224": Authentication("sha224", 16),
    "sha256": Authentication("sha256", 24),
    "sha384": Authentication("sha384", 32),
    "sha512": Authentication("sha512", 48),
}
PRIVACIES: Final = {
    "des": Privacy(is_aes=False, key_octets=16),
    "aes128": Privacy(is_aes=True, key_octets=16),
    "aes192": Privacy(is_aes=True, key_octets=24),
    "aes256": Privacy(is_aes=True, key_octets=32),
}


def master_key(authentication: Authentication, password: bytes) -> bytes:
    """The user's key before it is localised: the password over and over, a mebibyte of it, hashed; milliseconds.

    Source: RFC 3414 appendix A.2, RFC 7860 section 9.3.
    """
    repeats = -(-_PASSWORD_STRETCHED_OCTETS // len(password))
    return hashlib.new(authentication.hash, (password * repeats)[:_PASSWORD_STRETCHED_OCTETS]).digest()


def localise(hash_name: str, key: bytes, engine_id: bytes) -> bytes:
    """The key at one engine (RFC 3414 section 2.6)."""
    return hashlib.new(hash_name, key + engine_id + key).digest()


def extend(hash_name: str, key: bytes, octets: int) -> bytes:
    """A localised key made as long as a cipher needs, each further part hashed from all before it.

    Source: draft-blumenthal-aes-usm-04 section 3.1.2.1; where the hash is long enough nothing is added.
    """
    while len(key) < octets:
        key += hashlib.new(hash_name, key).digest()
    return key[:octets]


class LocalKeys:
    """One user's keys at one engine, made ready so that a message costs no preparation. Never written anywhere.

    Args:
        authentication, privacy: the user's protocols; None where there is none, and then its key is empty.
        authentication_key, privacy_key: localised, and as long as the protocol needs.

    Attributes:
        digest_octets: how long a digest is on the wire.
    """

    __slots__ = ("_authenticator", "_cipher", "_privacy", "_privacy_key", "digest_octets")

    def __init__(
        self,
        authentication: Authentication | None,
        authentication_key: bytes,
        privacy: Privacy | None,
        privacy_key: bytes,
    ) -> None:
        self.digest_octets = authentication.digest_octets if authentication else 0
        self._authenticator = (
            hmac.new(authentication_key, None, authentication.hash) if authentication else None
        )
        self._privacy = privacy
        self._privacy_key = privacy_key
        self._cipher: CipherContext | None = None

    def digest(self, message: bytes) -> bytes:
        """The digest of a whole message whose msgAuthenticationParameters are zeros; empty without a protocol.

        Source: RFC 3414 sections 6.3.1 and 7.3.1, RFC 7860 section 4.2.1.
        """
        if self._authenticator is None:
            return b""
        authenticator = self._authenticator.copy()
        authenticator.update(message)
        return authenticator.digest()[: self.digest_octets]

    def decrypt(self, octets: bytes, *, salt: bytes, boots: int, time_s: int) -> bytes:
        """The plaintext of a scoped PDU; with DES there may be padding behind it.

        Args:
            salt: msgPrivacyParameters. boots, time_s: of the authoritative engine, as the message has them.

        Raises:
            SnmpError: there is no protocol, or salt or ciphertext have a length that none can have.

        Source: RFC 3414 section 8.3.2, RFC 3826 section 3.3.2.
        """
        if self._privacy is None or len(salt) != SALT_OCTETS:
            raise SnmpError(DiscardReason.DECRYPTION, f"msgPrivacyParameters of {len(salt)} octets")
        if self._privacy.is_aes:
            # Cipher feedback: each block is mixed with the encrypted ciphertext before it, all of which is known here.
            # One call on a cipher made once takes a fifth of the time of a cipher made for each message.
            return _mixed(
                octets, self._encrypted_blocks(_aes_vector(salt, boots, time_s) + octets, len(octets))
            )
        if len(octets) % _DES_BLOCK_OCTETS:
            raise SnmpError(DiscardReason.DECRYPTION, f"{len(octets)} octets are no whole blocks of DES")
        return self._des(salt).decryptor().update(octets)

    def encrypt(self, octets: bytes, *, salt: bytes, boots: int, time_s: int) -> bytes:
        """The ciphertext of a scoped PDU; for DES it is padded with zeros to whole blocks.

        Args:
            salt: eight octets that were never used with this key (RFC 3414 section 8.1.1.1, RFC 3826 section 3.1.3).
        """
        if self._privacy is None or not self._privacy.is_aes:
            return self._des(salt).encryptor().update(octets + bytes(-len(octets) % _DES_BLOCK_OCTETS))
        feedback = _aes_vector(salt, boots, time_s)
        blocks: list[bytes] = []
        for at in range(0, len(octets), _AES_BLOCK_OCTETS):
            block = octets[at : at + _AES_BLOCK_OCTETS]
            feedback = _mixed(block, self._encrypted_blocks(feedback, len(block)))
            blocks.append(feedback)
        return b"".join(blocks)

    def _encrypted_blocks(self, octets: bytes, length: int) -> bytes:
        """The first ``length`` octets of what AES makes of each block by itself."""
        if self._cipher is None:
            self._cipher = Cipher(AES(self._privacy_key), ECB()).encryptor()  # noqa: S305 - a step of CFB
        return self._cipher.update(octets[: -(-length // _AES_BLOCK_OCTETS) * _AES_BLOCK_OCTETS])[:length]

    def _des(self, salt: bytes) -> Cipher[CBC]:
        # RFC 3414 section 8.1.1.1: the second half of the key, the pre-IV, is mixed with the salt. Three times the
        # same key makes of triple DES the single one, which the library no longer has by itself.
        key, pre_vector = self._privacy_key[:_DES_BLOCK_OCTETS], self._privacy_key[_DES_BLOCK_OCTETS:]
        return Cipher(TripleDES(key * 3), CBC(_mixed(pre_vector, salt)))


NO_KEYS: Final = LocalKeys(None, b"", None, b"")


def _aes_vector(salt: bytes, boots: int, time_s: int) -> bytes:
    """The initialisation vector of RFC 3826 section 3.1.2.1."""
    return boots.to_bytes(4) + time_s.to_bytes(4) + salt


def _mixed(octets: bytes, others: bytes) -> bytes:
    """Exclusive or of two equally long strings."""
    return (int.from_bytes(octets) ^ int.from_bytes(others)).to_bytes(len(octets))
