"""A request that is read as one before was is read as if it were the first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.diameter_gy import familiar
from ocs.diameter_gy.avp import encode_avp, enumerated, grouped, unsigned32, unsigned64, utf8
from ocs.diameter_gy.ccr_decoder import CreditControlRequestDecoder
from ocs.diameter_gy.errors import DiameterError
from ocs.diameter_gy.message import encode_message, parse_header
from ocs.limits import LAYOUTS_MAX, LAYOUTS_PER_LENGTH_MAX, UNITS_PER_REPORT_MAX
from ocs.messages import ServiceUnit

TGPP = 10415
U32 = st.integers(0, 2**32 - 1)
ANY_UNITS = st.one_of(st.integers(0, 9), st.just(UNITS_PER_REPORT_MAX + 1))

USED = st.lists(
    st.one_of(
        st.builds(unsigned64, st.sampled_from([421, 412, 414, 417]), ANY_UNITS),
        st.builds(unsigned32, st.sampled_from([420, 872]), U32),
        st.builds(unsigned32, st.just(452), st.integers(0, 3)),
        st.builds(unsigned32, st.sampled_from([872, 1258]), st.integers(0, 3), st.just(TGPP)),
        st.builds(lambda digits: grouped(413, grouped(445, unsigned64(447, digits))), st.integers(0, 9)),
    ),
    max_size=3,
).map(lambda avps: grouped(446, *avps))
SERVICES = st.lists(
    st.one_of(
        USED,
        st.builds(unsigned32, st.sampled_from([432, 439]), st.integers(0, 3)),
        st.builds(lambda units: grouped(437, unsigned64(421, units)), st.integers(0, 9)),
        st.builds(unsigned32, st.just(872), st.integers(0, 3), st.just(TGPP)),
        st.builds(lambda number: encode_avp(1264, unsigned32(870, number, TGPP), TGPP), st.integers(0, 3)),
        st.builds(lambda code: encode_avp(1266, unsigned32(code, 0, TGPP), TGPP), st.integers(1268, 1269)),
        st.builds(lambda data: encode_avp(4711, data, 99, flags=0), st.binary(max_size=8)),
    ),
    max_size=4,
).map(lambda avps: grouped(456, *avps))
REST = st.lists(
    st.one_of(
        SERVICES,
        USED,
        st.builds(unsigned32, st.sampled_from([55, 278, 455, 295]), U32),
        st.builds(lambda data: encode_avp(55, data), st.binary(max_size=5)),
        st.builds(lambda state: grouped(284, utf8(280, "relay"), utf8(33, state)), st.text(max_size=3)),
        st.builds(utf8, st.sampled_from([282, 293, 1]), st.sampled_from(["a.example", "b.example"])),
        st.builds(lambda data: encode_avp(873, utf8(30, data), TGPP), st.text(max_size=3)),
        st.builds(lambda data: encode_avp(4711, data, 99, flags=0), st.binary(max_size=8)),
    ),
    max_size=5,
)
SESSION = (
    utf8(263, "pgw.example;1;2"),
    utf8(264, "pgw.example"),
    utf8(296, "example"),
    utf8(283, "lab.example"),
    unsigned32(258, 4),
    utf8(461, "32251@3gpp.org"),
)
SUBSCRIPTION = grouped(443, enumerated(450, 0), utf8(444, "4915112345"))


def update(*more: bytes, number: int = 7, kind: int = 2, session: tuple[bytes, ...] = SESSION) -> bytes:
    body = b"".join((*session, enumerated(416, kind), unsigned32(415, number), SUBSCRIPTION, *more))
    return encode_message(272, 4, 0xC0, 5, 99, body)


def service(used: int, *more: bytes) -> bytes:
    return grouped(456, grouped(446, unsigned64(421, used), *more), unsigned32(432, 10))


def a_decoder() -> CreditControlRequestDecoder:
    return CreditControlRequestDecoder(frozenset({"Multiple-Services-Credit-Control"}), "EUR", None)


def outcome(decoder: CreditControlRequestDecoder, message: bytes):
    """What a message is read as, or why it is refused."""
    try:
        return decoder.decode(message, parse_header(message))
    except DiameterError as error:
        return type(error), error.result_code, error.failed_avp, str(error)


def is_familiar(decoder: CreditControlRequestDecoder, message: bytes) -> bool:
    return decoder._familiar.read(message, parse_header(message)) is not None


@pytest.fixture(autouse=True)
def _learns_at_once(monkeypatch: pytest.MonkeyPatch):
    # Counted from 1, so the first strange message is learnt.
    monkeypatch.setattr(familiar, "_LEARN_EVERY", 1 << 62)


@given(REST, st.randoms(use_true_random=False))
def test_whatever_was_read_before_a_message_is_read_alike(parts, random):
    first = update(*parts)
    decoder = a_decoder()
    outcome(decoder, first)
    for _ in range(15):
        changed = bytearray(first)
        for _ in range(random.choice([0, 1, 1, 2])):
            changed[random.randrange(5, len(changed))] ^= 1 << random.randrange(8)
        message = bytes(changed)
        assert outcome(decoder, message) == outcome(a_decoder(), message)


@given(st.lists(REST, min_size=2, max_size=6))
def test_requests_of_one_length_are_told_apart(messages):
    decoder = a_decoder()
    for parts in messages * 2:
        message = update(*parts)
        assert outcome(decoder, message) == outcome(a_decoder(), message)


def test_next_update_of_a_session_is_familiar():
    decoder = a_decoder()
    proxy = grouped(284, utf8(280, "relay"), utf8(33, "abc"))
    other_proxy = grouped(284, utf8(280, "relay"), utf8(33, "xyz"))
    outcome(decoder, update(unsigned32(55, 1), proxy, service(5, unsigned64(412, 2), unsigned64(414, 3))))
    message = update(
        unsigned32(55, 2), other_proxy, service(70, unsigned64(412, 30), unsigned64(414, 40)), number=8
    )
    assert is_familiar(decoder, message)
    request = decoder.decode(message, parse_header(message))
    assert request.charging.request_number == 8
    assert request.charging.services[0].used == (ServiceUnit(70, 30, 40),)
    assert request.proxy_info == other_proxy
    assert request.message == message
    assert request == outcome(a_decoder(), message)


@pytest.mark.parametrize("kind", [1, 3])
def test_only_updates_are_remembered(kind):
    decoder = a_decoder()
    outcome(decoder, update(service(1), kind=kind))
    assert not is_familiar(decoder, update(service(1), kind=kind))


@pytest.mark.parametrize(
    "other",
    [
        update(service(1), session=(utf8(263, "pgw.example;1;3"), *SESSION[1:])),
        update(grouped(456, grouped(446, unsigned64(412, 1)), unsigned32(432, 10))),
        update(grouped(456, grouped(446, unsigned64(421, 1)), unsigned32(432, 11))),
        update(service(UNITS_PER_REPORT_MAX + 1)),
        update(service(1), unsigned32(55, 1)),
    ],
    ids=["session", "kind of units", "rating group", "impossible units", "one AVP more"],
)
def test_what_says_anything_new_is_strange(other):
    decoder = a_decoder()
    outcome(decoder, update(service(1)))
    assert is_familiar(decoder, update(service(2), number=8))
    assert not is_familiar(decoder, other)
    assert outcome(decoder, other) == outcome(a_decoder(), other)


def in_used(code: int, vendor: int = TGPP):
    """A service whose report holds an AVP of 32 bits beside its units; from units and value."""
    return lambda units, value: service(units, unsigned32(code, value, vendor))


def beside(code: int):
    return lambda units, value: grouped(
        456, grouped(446, unsigned64(421, units)), unsigned32(432, 10), unsigned32(code, value, TGPP)
    )


def triggered(units: int, value: int) -> bytes:
    trigger = encode_avp(1264, unsigned32(870, value, TGPP), TGPP)
    return grouped(456, grouped(446, unsigned64(421, units)), unsigned32(432, 10), trigger)


@pytest.mark.parametrize(
    "make",
    [in_used(452, 0), in_used(1258), in_used(872), beside(872), triggered],
    ids=["tariff change", "time of use", "reason of the report", "reason of the service", "trigger"],
)
def test_what_says_more_than_units_is_kept_and_another_of_it_is_strange(make):
    decoder = a_decoder()
    outcome(decoder, update(make(1, 1)))
    alike, other = update(make(2, 1), number=8), update(make(2, 2), number=9)
    assert is_familiar(decoder, alike)
    assert not is_familiar(decoder, other)
    for message in (alike, other):
        assert outcome(decoder, message) == outcome(a_decoder(), message)


def test_other_money_used_is_strange():
    decoder = a_decoder()
    for digits in (5, 6, 6):
        money = grouped(413, grouped(445, unsigned64(447, digits)))
        message = update(service(1, money))
        assert outcome(decoder, message) == outcome(a_decoder(), message)
    assert not is_familiar(decoder, update(service(1, grouped(413, grouped(445, unsigned64(447, 7))))))


def test_every_changed_octet_of_a_header_makes_a_message_strange():
    decoder = a_decoder()
    message = update(service(1), encode_avp(4711, b"abcd", 99, flags=0))
    outcome(decoder, message)
    loose = {20 + message[20:].index(unsigned32(415, 7)) + 8 + at for at in range(4)}  # CC-Request-Number
    loose |= {message.index(unsigned64(421, 1)) + 8 + at for at in range(8)}
    loose |= {len(message) - 4 + at for at in range(4)}
    for at in range(20, len(message)):
        changed = bytearray(message)
        changed[at] ^= 1
        # The highest octet of the units makes a number that nobody can have used.
        known = is_familiar(decoder, bytes(changed))
        assert known == (at in loose) or at == message.index(unsigned64(421, 1)) + 8


def test_requests_are_bounded_and_the_oldest_goes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(familiar, "FAMILIAR_REQUESTS_MAX", 2)
    decoder = a_decoder()
    sessions = [
        update(service(1), session=(utf8(263, f"pgw.example;1;{number}"), *SESSION[1:]))
        for number in range(3)
    ]
    for message in sessions:
        outcome(decoder, message)
    assert [is_familiar(decoder, message) for message in sessions] == [False, True, True]


def test_forms_are_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(familiar, "_LEARN_EVERY", 2)
    decoder = a_decoder()
    for number in range(4 * LAYOUTS_PER_LENGTH_MAX):
        outcome(decoder, update(encode_avp(4711 + number, b"", 99, flags=0)))
    assert [len(forms) for forms in decoder._familiar._forms.values()] == [LAYOUTS_PER_LENGTH_MAX]
    for number in range(2 * LAYOUTS_MAX):
        outcome(decoder, update(encode_avp(4711, bytes(4 * number), 99, flags=0)))
        assert sum(map(len, decoder._familiar._forms.values())) <= LAYOUTS_MAX


def test_survey_tells_places_of_what_moves_on():
    message = update(unsigned32(55, 3), service(5))
    survey = a_decoder()._survey(message)
    assert survey is not None
    assert message[survey.number :][:4] == (7).to_bytes(4, "big")
    assert message[survey.event_time :][:4] == (3).to_bytes(4, "big")
    assert [message[start:stop][-1] for start, stop in survey.varying] == [7, 3, 5]
    assert [[len(unit) for unit in units] for units in survey.used] == [[1]]


def test_message_with_proxy_info_in_two_places_has_no_survey():
    proxy = grouped(284, utf8(280, "relay"), utf8(33, "abc"))
    assert a_decoder()._survey(update(proxy, service(1), proxy)) is None


def test_remembered_request_keeps_no_message():
    decoder = a_decoder()
    outcome(decoder, update(service(1)))
    assert [known.request.message for known in decoder._familiar._known.values()] == [b""]
