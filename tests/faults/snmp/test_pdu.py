import pytest

from ocs.faults.notification import Syntax, Varbind
from ocs.faults.snmp import ber, pdu
from ocs.faults.snmp.discard import DiscardReason, SnmpError
from ocs.faults.snmp.pdu import INFORM, REPORT, RESPONSE, V1_TRAP, V2_TRAP, Pdu, PduReader
from ocs.limits import SNMP_VARBINDS_MAX

LINK_DOWN = bytes.fromhex("2b060106030101050 3".replace(" ", ""))
NULL = ber.encode(ber.NULL, b"")
REQUEST_ID = ber.encode_number(ber.INTEGER, 77)


def varbind(name: str, value: bytes) -> bytes:
    return ber.encode(ber.SEQUENCE, ber.encode(ber.OBJECT_IDENTIFIER, bytes.fromhex(name)) + value)


UPTIME = varbind("2b06010201010300", ber.encode_number(Syntax.TIME_TICKS, 500))
TRAP_OID = varbind("2b060106030101040100", ber.encode(ber.OBJECT_IDENTIFIER, LINK_DOWN))
INDEX = varbind("2b060102010202010107", ber.encode_number(ber.INTEGER, 7))
TRAP_ADDRESS = "2b06010603120103 00".replace(" ", "")
NO_ERROR = bytes.fromhex("020100020100")


def notification(
    *varbinds: bytes, tag: int = V2_TRAP, errors: bytes = NO_ERROR, head: bytes = UPTIME + TRAP_OID
) -> bytes:
    return ber.encode(tag, REQUEST_ID + errors + ber.encode(ber.SEQUENCE, head + b"".join(varbinds)))


def read(octets: bytes) -> Pdu:
    return PduReader().read(octets, 0, len(octets))


def refused(octets: bytes) -> SnmpError:
    with pytest.raises(SnmpError) as caught:
        read(octets)
    return caught.value


def v1_trap(
    *varbinds: bytes,
    generic: int = 6,
    specific: int = 17,
    agent: bytes = bytes((10, 0, 0, 7)),
    tail: bytes = b"",
) -> bytes:
    contents = (
        ber.encode(ber.OBJECT_IDENTIFIER, bytes.fromhex("2b0601040109"))
        + ber.encode(Syntax.IP_ADDRESS, agent)
        + ber.encode_number(ber.INTEGER, generic)
        + ber.encode_number(ber.INTEGER, specific)
        + ber.encode_number(Syntax.TIME_TICKS, 500)
        + ber.encode(ber.SEQUENCE, b"".join(varbinds))
        + tail
    )
    return ber.encode(V1_TRAP, contents)


def test_trap_is_read_without_what_it_says_of_itself() -> None:
    said = read(notification(INDEX))
    assert (said.tag, said.trap_oid, said.uptime_ticks) == (V2_TRAP, "1.3.6.1.6.3.1.1.5.3", 500)
    assert said.varbinds == (Varbind("1.3.6.1.2.1.2.2.1.1.7", 2, 7),)
    assert said.request_id == REQUEST_ID
    assert said.varbind_list == UPTIME + TRAP_OID + INDEX


def test_order_of_varbinds_does_not_matter_and_the_first_of_two_counts() -> None:
    other = varbind("2b06010201010300", ber.encode_number(Syntax.TIME_TICKS, 999))
    said = read(notification(TRAP_OID, UPTIME, other, head=INDEX))
    assert (said.uptime_ticks, said.trap_oid) == (500, "1.3.6.1.6.3.1.1.5.3")
    assert len(said.varbinds) == 1


@pytest.mark.parametrize("head", [b"", UPTIME, TRAP_OID, UPTIME + varbind("2b060106030101040100", NULL)])
def test_notification_without_uptime_or_trap_oid_is_refused(head: bytes) -> None:
    assert refused(notification(INDEX, head=head)).reason is DiscardReason.MALFORMED


def test_uptime_of_another_type_is_refused() -> None:
    head = varbind("2b06010201010300", ber.encode_number(ber.INTEGER, 500)) + TRAP_OID
    assert refused(notification(head=head)).reason is DiscardReason.MALFORMED


def test_what_rfc_3584_adds_is_no_varbind_and_the_address_is_told() -> None:
    added = (
        varbind(TRAP_ADDRESS, ber.encode(Syntax.IP_ADDRESS, bytes((10, 0, 0, 9)))),
        varbind("2b0601060312010400", ber.encode(ber.OCTET_STRING, b"secret")),
        varbind("2b060106030101040300", ber.encode(ber.OBJECT_IDENTIFIER, b"\x2b\x06")),
    )
    said = read(notification(INDEX, *added))
    assert said.address == "10.0.0.9"
    assert len(said.varbinds) == 1


@pytest.mark.parametrize(
    "value", [ber.encode(Syntax.IP_ADDRESS, bytes(4)), ber.encode(ber.OCTET_STRING, b"abcd"), NULL]
)
def test_trap_address_that_says_nothing_is_none(value: bytes) -> None:
    assert read(notification(varbind(TRAP_ADDRESS, value))).address == ""


@pytest.mark.parametrize("generic", range(6))
def test_generic_v1_trap_has_the_number_after_its_own(generic: int) -> None:
    assert read(v1_trap(generic=generic)).trap_oid == f"1.3.6.1.6.3.1.1.5.{generic + 1}"


def test_specific_v1_trap_is_its_enterprise_zero_and_its_number() -> None:
    said = read(v1_trap(INDEX))
    assert (said.trap_oid, said.uptime_ticks) == ("1.3.6.1.4.1.9.0.17", 500)
    assert said.varbinds == (Varbind("1.3.6.1.2.1.2.2.1.1.7", 2, 7),)
    assert said.address == "10.0.0.7"


def test_agent_address_of_zeros_says_nothing_and_a_proxy_s_word_goes_before_it() -> None:
    assert read(v1_trap(agent=bytes(4))).address == ""
    proxied = varbind(TRAP_ADDRESS, ber.encode(Syntax.IP_ADDRESS, bytes((10, 0, 0, 9))))
    assert read(v1_trap(proxied)).address == "10.0.0.9"


@pytest.mark.parametrize(
    "octets",
    [
        v1_trap(generic=7),
        v1_trap(generic=-1),
        v1_trap(specific=-1),
        v1_trap(agent=bytes(16)),
        v1_trap(tail=NULL),
        notification(INDEX) + b"\0",
        notification(INDEX, errors=b""),
        notification(INDEX, errors=NULL * 2),
        notification(INDEX[:-1]),
        notification(NULL),
        notification(ber.encode(ber.SEQUENCE, b"")),
        notification(ber.encode(ber.SEQUENCE, INDEX[2:] + NULL)),
        notification(varbind("2b06", b"")),
        notification(varbind("2b06", ber.encode(Syntax.NO_SUCH_OBJECT, b"x"))),
        notification(varbind("2b06", ber.encode(ber.NULL, b"x"))),
        notification(varbind("2b06", ber.encode(Syntax.IP_ADDRESS, bytes(16)))),
        notification(varbind("2b06", ber.encode(ber.SEQUENCE, NULL))),
        notification(varbind("2b06", ber.encode(0x47, b"\1"))),
        notification(INDEX)[:-1],
        ber.encode(V2_TRAP, notification(INDEX)[2:] + NULL),
        b"",
    ],
    ids=lambda octets: octets.hex()[-24:],
)
def test_what_no_sender_may_write_is_malformed(octets: bytes) -> None:
    assert refused(octets).reason is DiscardReason.MALFORMED


@pytest.mark.parametrize("tag", [0xA0, 0xA1, RESPONSE, 0xA3, 0xA5, REPORT, ber.SEQUENCE])
def test_what_is_no_notification_is_refused_as_such(tag: int) -> None:
    assert refused(notification(tag=tag)).reason is DiscardReason.NOT_A_NOTIFICATION


def test_varbind_never_reaches_past_its_list_into_what_pads_the_datagram() -> None:
    long = bytes((INDEX[0], INDEX[1] + 1)) + INDEX[2:-2] + bytes((2, 7))
    octets = notification(long)
    with pytest.raises(SnmpError, match="longer than what holds it"):
        PduReader().read(octets + bytes(9), 0, len(octets))


def test_unsigned_numbers_without_their_leading_zero_are_read_by_the_width_of_their_type() -> None:
    syntaxes = (Syntax.COUNTER32, Syntax.GAUGE32, Syntax.TIME_TICKS)
    narrow = [varbind("2b06", ber.encode(syntax, b"\xff" * 4)) for syntax in syntaxes]
    wide = varbind("2b06", ber.encode(Syntax.COUNTER64, b"\xff" * 8))
    uptime = varbind("2b06010201010300", ber.encode(Syntax.TIME_TICKS, b"\xff" * 4))
    said = read(notification(*narrow, wide, head=uptime + TRAP_OID))
    assert said.uptime_ticks == 2**32 - 1
    assert [found.value for found in said.varbinds] == [2**32 - 1] * 3 + [2**64 - 1]


def test_exceptions_instead_of_values_are_read() -> None:
    syntaxes = (Syntax.NO_SUCH_OBJECT, Syntax.NO_SUCH_INSTANCE, Syntax.END_OF_MIB_VIEW, Syntax.NULL)
    said = read(notification(*[varbind("2b06", ber.encode(syntax, b"")) for syntax in syntaxes]))
    assert [(found.syntax, found.value) for found in said.varbinds] == [(syntax, None) for syntax in syntaxes]


def test_varbinds_have_a_bound() -> None:
    assert len(read(notification(*[INDEX] * SNMP_VARBINDS_MAX)).varbinds) == SNMP_VARBINDS_MAX
    assert refused(notification(*[INDEX] * (SNMP_VARBINDS_MAX + 1))).reason is DiscardReason.TOO_LONG


def test_what_is_said_of_itself_again_and_again_is_bounded_by_the_datagram_only() -> None:
    assert read(notification(*[UPTIME] * 4_000)).varbinds == ()


def test_varbind_that_comes_again_is_the_one_remembered_until_memory_is_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pdu, "SNMP_VARBINDS_REMEMBERED", 3)
    monkeypatch.setattr(pdu, "SNMP_NAMES_REMEMBERED", 3)
    reader = PduReader()
    octets = notification(INDEX)
    first, again = (reader.read(octets, 0, len(octets)).varbinds[0] for _ in range(2))
    assert first is again
    for number in range(50):
        other = notification(varbind(f"2b0601{number:02x}", ber.encode_number(ber.INTEGER, number)))
        assert reader.read(other, 0, len(other)).varbinds[0].value == number
        assert len(reader._varbinds) <= 3 and len(reader._names) <= 3


def test_numbers_that_always_differ_and_long_values_are_not_remembered() -> None:
    reader = PduReader()
    octets = notification(
        varbind("2b0601", ber.encode_number(Syntax.COUNTER32, 1)),
        varbind("2b0602", ber.encode(ber.OCTET_STRING, b"x" * 200)),
    )
    reader.read(octets, 0, len(octets))
    assert [found.name for found in reader._varbinds.values()] == ["1.3.6.1.6.3.1.1.4.1.0"]


def test_response_has_the_inform_s_request_id_and_varbinds_and_no_error() -> None:
    inform = notification(INDEX, tag=INFORM, errors=bytes.fromhex("020105020102"))
    expected = ber.encode(
        RESPONSE, REQUEST_ID + NO_ERROR + ber.encode(ber.SEQUENCE, UPTIME + TRAP_OID + INDEX)
    )
    assert pdu.response(read(inform)) == expected


def test_report_shows_one_counter_that_wraps() -> None:
    name = bytes.fromhex("2b060106030f01010400")
    expected = varbind(name.hex(), ber.encode_number(Syntax.COUNTER32, 1))
    assert pdu.report(REQUEST_ID, name, 2**32 + 1) == ber.encode(
        REPORT, REQUEST_ID + NO_ERROR + ber.encode(ber.SEQUENCE, expected)
    )


def test_varbinds_that_came_before_are_known_behind_another_uptime() -> None:
    reader = PduReader()
    later = varbind("2b06010201010300", ber.encode_number(Syntax.TIME_TICKS, 1 << 31))
    first, second = notification(INDEX), notification(INDEX, head=later + TRAP_OID)
    fresh = reader.read(first, 0, len(first))
    known = reader.read(second, 0, len(second))
    assert (fresh.content, known.content) == (b"", TRAP_OID + INDEX)
    assert known.uptime_ticks == 1 << 31
    assert known._replace(content=b"") == read(second)


@pytest.mark.parametrize(
    "octets",
    [
        notification(TRAP_OID, UPTIME, head=INDEX),  # the uptime leads not
        notification(INDEX, head=UPTIME + UPTIME + TRAP_OID),
        notification(varbind(TRAP_ADDRESS, ber.encode(Syntax.IP_ADDRESS, bytes((10, 0, 0, 9))))),
        notification(*[INDEX] * 100),  # too long to be remembered
        notification(
            head=bytes((0x30, 0x81, UPTIME[1])) + UPTIME[2:] + TRAP_OID
        ),  # lengths longer than need be
        notification(INDEX, tag=INFORM),
    ],
)
def test_what_came_before_is_read_as_it_was(octets: bytes) -> None:
    reader = PduReader()
    for _ in range(3):
        assert reader.read(octets, 0, len(octets))._replace(content=b"") == read(octets)


@pytest.mark.parametrize(
    "uptime",
    [
        bytes.fromhex("300e06082b060102010103004300"),  # no number
        bytes.fromhex("301806082b06010201010300430a00000000000000000001"),  # of ten octets
        bytes.fromhex("300e06082b0601020101030043020101")[:-1],  # cut off by what follows
        bytes.fromhex("300e06082b060102010103000202") + b"\x01\x01",  # an INTEGER
    ],
)
def test_uptime_that_cannot_be_read_is_refused_before_varbinds_that_are_known(uptime: bytes) -> None:
    reader = PduReader()
    known = notification(INDEX)
    reader.read(known, 0, len(known))
    octets = notification(INDEX, head=uptime + TRAP_OID)
    with pytest.raises(SnmpError):
        reader.read(octets, 0, len(octets))


def test_memory_of_varbinds_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdu, "SNMP_CONTENTS_REMEMBERED", 10)
    reader = PduReader()
    for number in range(25):
        octets = notification(varbind("2b060102010202010107", ber.encode_number(ber.INTEGER, number)))
        reader.read(octets, 0, len(octets))
    assert 0 < len(reader._contents) <= 10
