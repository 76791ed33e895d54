import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.faults.snmp import ber, usm
from ocs.faults.snmp.discard import DiscardReason, SnmpError
from ocs.faults.snmp.usm import Envelope, SecuredMessage, UsmUser, encode_scoped, encode_secured
from ocs.faults.snmp.usm_keys import NO_KEYS, LocalKeys
from tests.support.net_snmp import PROTECTIONS, Protection

ENGINE_ID = b"\x80\0\0\0\1engine"
SALT = bytes(range(8))
PDU = ber.encode(0xA7, b"a PDU")
LEVEL_FLAGS = {1: 0, 2: usm.FLAG_AUTHENTICATION, 3: usm.FLAG_AUTHENTICATION | usm.FLAG_PRIVACY}


def envelope(flags: int = 0, user: bytes = b"user") -> Envelope:
    return Envelope(77, flags, ENGINE_ID, 5, 1_000, user, SALT)


def read(octets: bytes) -> SecuredMessage:
    at, end = ber.expect(octets, 0, len(octets), ber.SEQUENCE)
    version, at = ber.expect_integer(octets, at, end)
    assert version == 3
    return usm.read_secured(octets, at, end)


def keys_of(protection: Protection) -> LocalKeys:
    return protection.user().keys_at(ENGINE_ID)


def refused(call, *arguments) -> DiscardReason:
    with pytest.raises(SnmpError) as caught:
        call(*arguments)
    return caught.value.reason


@pytest.mark.parametrize("protection", PROTECTIONS, ids=lambda protection: protection.user_name)
def test_message_is_read_proved_and_opened_as_it_was_written(protection: Protection) -> None:
    keys = keys_of(protection)
    octets = encode_secured(
        envelope(LEVEL_FLAGS[protection.level]), encode_scoped(b"context", b"name", PDU), keys
    )
    message = read(octets)
    assert (message.message_id, message.engine_id, message.boots, message.time_s) == (77, ENGINE_ID, 5, 1_000)
    assert (message.user, message.is_reportable) == (b"user", False)
    if message.is_authenticated:
        usm.authenticate(message, keys)
    scoped = usm.open_scoped(message, keys)
    assert (scoped.context_engine_id, scoped.context_name) == (b"context", b"name")
    assert scoped.octets[scoped.pdu_at : scoped.pdu_end] == PDU


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_any_changed_octet_breaks_the_digest_or_the_message(at: int, change: int) -> None:
    keys = KEYS
    octets = OCTETS
    at %= len(octets)
    changed = octets[:at] + bytes((octets[at] ^ change,)) + octets[at + 1 :]
    with pytest.raises((SnmpError, AssertionError)):
        usm.authenticate(read(changed), keys)


KEYS = keys_of(Protection("sha256"))
OCTETS = encode_secured(envelope(usm.FLAG_AUTHENTICATION), encode_scoped(b"context", b"name", PDU), KEYS)


def test_digest_cut_short_left_out_or_of_zeros_is_wrong() -> None:
    message = read(OCTETS)
    for end in (message.digest_at, message.digest_at + 12):
        assert refused(usm.authenticate, message._replace(digest_end=end), KEYS) is DiscardReason.WRONG_DIGEST
    zeros = OCTETS[: message.digest_at] + bytes(24) + OCTETS[message.digest_end :]
    assert refused(usm.authenticate, read(zeros), KEYS) is DiscardReason.WRONG_DIGEST


def test_nobody_is_authentic_without_a_key() -> None:
    message = read(encode_secured(envelope(), encode_scoped(b"", b"", PDU), NO_KEYS))
    assert refused(usm.authenticate, message, NO_KEYS) is DiscardReason.WRONG_DIGEST


@pytest.mark.parametrize("privacy", ["des", "aes128"])
def test_what_another_key_makes_of_it_is_a_decryption_error(privacy: str) -> None:
    scoped = encode_scoped(b"context", b"name", PDU)
    octets = encode_secured(envelope(3), scoped, keys_of(Protection("sha1", privacy)))
    other = UsmUser(
        "u",
        authentication="sha1",
        authentication_password=b"other pass",
        privacy=privacy,
        privacy_password=b"other pass",
    )
    assert refused(usm.open_scoped, read(octets), other.keys_at(ENGINE_ID)) is DiscardReason.DECRYPTION


def parts(
    message_id: int = 77, model: int = 3, flags: bytes = b"\0", parameters: bytes | None = None
) -> bytes:
    header = (
        ber.encode_number(2, message_id)
        + ber.encode_number(2, 65_507)
        + ber.encode(4, flags)
        + ber.encode_number(2, model)
    )
    if parameters is None:
        parameters = (
            ber.encode(4, ENGINE_ID)
            + bytes.fromhex("020105020101")
            + ber.encode(4, b"u")
            + bytes(0)
            + b"\4\0\4\0"
        )
    security = ber.encode(4, ber.encode(0x30, parameters))
    return ber.encode(0x30, b"\2\1\3" + ber.encode(0x30, header) + security + encode_scoped(b"", b"", PDU))


def test_message_put_together_by_hand_is_read() -> None:
    assert read(parts()).user == b"u"


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (parts(model=1), DiscardReason.UNKNOWN_SECURITY_MODEL),
        (parts(message_id=-1), DiscardReason.MALFORMED),
        (parts(flags=b"\2"), DiscardReason.MALFORMED),
        (parts(flags=b""), DiscardReason.MALFORMED),
        (parts(flags=b"\0\0"), DiscardReason.MALFORMED),
        (parts(parameters=b""), DiscardReason.MALFORMED),
        (parts(parameters=b"\4\0\2\1\xff\2\1\1\4\0\4\0\4\0"), DiscardReason.MALFORMED),
        (parts(parameters=b"\4\0\2\1\1\2\1\xff\4\0\4\0\4\0"), DiscardReason.MALFORMED),
        (parts(parameters=b"\4\0\2\1\1\2\1\1\4\0\4\0\4\0\5\0"), DiscardReason.MALFORMED),
    ],
)
def test_message_that_is_none_is_refused(octets: bytes, reason: DiscardReason) -> None:
    assert refused(read, octets) is reason


def test_unknown_protocol_or_privacy_without_authentication_or_a_missing_password_is_no_user() -> None:
    with pytest.raises(ValueError, match="needs authentication"):
        UsmUser("u", privacy="des", privacy_password=b"long enough")
    with pytest.raises(ValueError, match="no protocol"):
        UsmUser("u", authentication="sha3", authentication_password=b"long enough")
    with pytest.raises(ValueError, match="missing"):
        UsmUser("u", authentication="md5")
    with pytest.raises(ValueError, match="missing"):
        UsmUser("u", authentication="md5", authentication_password=b"long enough", privacy="des")


def test_passwords_are_not_shown() -> None:
    assert "long" not in repr(UsmUser("u", authentication="md5", authentication_password=b"long enough"))
