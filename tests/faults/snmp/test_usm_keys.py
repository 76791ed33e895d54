import pytest
from pysnmp.proto.secmod.rfc3414 import localkey

from ocs.faults.snmp.discard import DiscardReason, SnmpError
from ocs.faults.snmp.usm_keys import (
    AUTHENTICATIONS,
    PRIVACIES,
    LocalKeys,
    extend,
    localise,
    master_key,
)

ENGINE_ID = bytes.fromhex("000000000000000000000002")
PASSWORD = b"maplesyrup"
SALT = bytes(range(8))


def keys(privacy: str) -> LocalKeys:
    octets = PRIVACIES[privacy].key_octets
    return LocalKeys(AUTHENTICATIONS["sha1"], bytes(20), PRIVACIES[privacy], bytes(range(100, 100 + octets)))


@pytest.mark.parametrize(
    ("name", "master", "local"),
    [  # RFC 3414 appendix A.3.1 and A.3.2
        ("md5", "9faf3283884e92834ebc9847d8edd963", "526f5eed9fcce26f8964c2930787d82b"),
        ("sha1", "9fb5cc0381497b3793528939ff788d5d79145211", "6695febc9288e36282235fc7151f128497b38f3f"),
    ],
)
def test_keys_of_rfc_3414_appendix_a_3(name: str, master: str, local: str) -> None:
    key = master_key(AUTHENTICATIONS[name], PASSWORD)
    assert key.hex() == master
    assert localise(name, key, ENGINE_ID).hex() == local


@pytest.mark.parametrize("name", AUTHENTICATIONS)
@pytest.mark.parametrize("password", [b"8 octets", b"a" * 64, b"a longer one that goes into no power of two"])
def test_keys_are_those_of_pysnmp(name: str, password: bytes) -> None:
    import hashlib

    key = master_key(AUTHENTICATIONS[name], password)
    assert key == localkey.hash_passphrase(password, getattr(hashlib, name)).asOctets()
    expected = localkey.localize_key(key, localkey.univ.OctetString(ENGINE_ID), getattr(hashlib, name))
    assert localise(name, key, ENGINE_ID) == expected.asOctets()


def test_key_is_extended_only_as_far_as_it_is_short() -> None:
    assert extend("sha256", bytes(32), 32) == bytes(32)
    assert extend("sha512", bytes(64), 16) == bytes(16)
    short = extend("md5", bytes(16), 32)
    assert len(short) == 32
    assert short[:16] == bytes(16)
    assert extend("md5", short, 48)[:32] == short


@pytest.mark.parametrize("privacy", PRIVACIES)
@pytest.mark.parametrize("length", [0, 1, 7, 8, 15, 16, 17, 33, 300])
def test_what_is_encrypted_is_decrypted_and_looks_like_something_else(privacy: str, length: int) -> None:
    octets = bytes(range(256)) * 2
    octets = octets[:length]
    secret = keys(privacy).encrypt(octets, salt=SALT, boots=3, time_s=1_000)
    assert len(secret) == (-(-length // 8) * 8 if privacy == "des" else length)
    opened = keys(privacy).decrypt(secret, salt=SALT, boots=3, time_s=1_000)
    assert opened[:length] == octets
    if length > 7:
        assert secret[:length] != octets
        assert keys(privacy).encrypt(octets, salt=SALT[::-1], boots=3, time_s=1_000) != secret


def test_aes_is_cipher_feedback_as_the_library_has_it() -> None:
    from cryptography.hazmat.decrepit.ciphers.modes import CFB
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES

    octets = bytes(range(100))
    vector = (3).to_bytes(4) + (1_000).to_bytes(4) + SALT
    expected = Cipher(AES(bytes(range(100, 116))), CFB(vector)).encryptor().update(octets)
    assert keys("aes128").encrypt(octets, salt=SALT, boots=3, time_s=1_000) == expected


@pytest.mark.parametrize(
    ("privacy", "salt", "length"),
    [("des", SALT, 7), ("des", b"", 8), ("aes128", SALT[1:], 8), ("aes256", b"", 0)],
)
def test_salt_or_ciphertext_of_an_impossible_length_cannot_be_decrypted(
    privacy: str, salt: bytes, length: int
) -> None:
    with pytest.raises(SnmpError) as caught:
        keys(privacy).decrypt(bytes(length), salt=salt, boots=3, time_s=1_000)
    assert caught.value.reason is DiscardReason.DECRYPTION


def test_without_a_protocol_nothing_is_decrypted_or_digested() -> None:
    plain = LocalKeys(None, b"", None, b"")
    assert plain.digest(b"message") == b""
    with pytest.raises(SnmpError):
        plain.decrypt(bytes(16), salt=SALT, boots=3, time_s=1_000)


@pytest.mark.parametrize(
    ("name", "octets"),
    [("md5", 12), ("sha1", 12), ("sha224", 16), ("sha256", 24), ("sha384", 32), ("sha512", 48)],
)
def test_digest_has_as_many_octets_as_its_protocol_says(name: str, octets: int) -> None:
    own = LocalKeys(AUTHENTICATIONS[name], b"key", None, b"")
    assert len(own.digest(b"message")) == own.digest_octets == octets
    assert own.digest(b"message") == own.digest(b"message"), (
        "one message leaves no trace in the next one's digest"
    )


def test_keys_are_not_shown() -> None:
    assert "666" not in repr(LocalKeys(AUTHENTICATIONS["md5"], b"fff", None, b""))
    assert "fff" not in repr(LocalKeys(AUTHENTICATIONS["md5"], b"fff", None, b""))
