"""What is read at one go is what stepping through finds."""

from hypothesis import given
from hypothesis import strategies as st

from ocs.diameter_gy.avp import encode_avp, enumerated, grouped, octet_string, unsigned32, unsigned64, utf8
from ocs.diameter_gy.ccr_decoder import CreditControlRequestDecoder
from ocs.diameter_gy.message import encode_message
from ocs.limits import LAYOUTS_MAX, LAYOUTS_PER_LENGTH_MAX

TGPP = 10415
PARTS = st.one_of(
    st.builds(utf8, st.sampled_from([1, 263, 264, 283, 293, 296, 461]), st.text(max_size=6)),
    st.builds(unsigned32, st.sampled_from([258, 415, 278, 439, 455]), st.integers(0, 2**32 - 1)),
    st.builds(enumerated, st.sampled_from([416, 436]), st.integers(1, 4)),
    st.builds(octet_string, st.sampled_from([55, 282, 284, 443, 659]), st.binary(max_size=8)),
    st.builds(lambda units: grouped(456, grouped(446, unsigned64(421, units))), st.integers(0, 9)),
    st.builds(lambda units: grouped(446, unsigned64(421, units)), st.integers(0, 9)),
    st.builds(lambda data: encode_avp(873, data, TGPP), st.binary(max_size=8)),
    st.builds(lambda data: encode_avp(18, data, TGPP), st.binary(max_size=8)),
    st.builds(lambda data: encode_avp(4711, data, 99, flags=0), st.binary(max_size=8)),
)


def decoder() -> CreditControlRequestDecoder:
    return CreditControlRequestDecoder(frozenset(), "", None)


def message_of(parts) -> bytes:
    return encode_message(272, 4, 0xC0, 1, 2, b"".join(parts))


def same(one, other):
    return (
        list(one.places) == list(other.places)
        and list(one.services) == list(other.services)
        and list(one.used) == list(other.used)
        and one.fingerprint == other.fingerprint
    )


@given(st.lists(PARTS, max_size=12), st.randoms(use_true_random=False))
def test_layout_finds_what_stepping_through_finds(parts, random):
    reader = decoder()
    message = message_of(parts)
    stepped = reader._step_through(message)
    if stepped.fault is not None:
        return
    reader._layouts.learn(message)
    found = reader._layouts.read(message)
    if found is None:  # AVPs of one kind stand apart: such a layout is not learnt
        return
    assert same(found, stepped)
    # Other values in the same layout, or a changed header: read alike, or not at all.
    changed = bytearray(message)
    changed[random.randrange(len(message))] ^= 1 << random.randrange(8)
    found = reader._layouts.read(bytes(changed))
    if found is not None:
        assert same(found, reader._step_through(bytes(changed)))


def test_each_changed_octet_of_a_header_ends_the_layout():
    reader = decoder()
    message = message_of([utf8(263, "abcd"), encode_avp(873, b"", TGPP)])
    reader._layouts.learn(message)
    assert reader._layouts.read(message) is not None
    headers = [*range(20, 28), *range(32, 44)]
    for at in range(20, len(message)):
        changed = bytearray(message)
        changed[at] ^= 1
        assert (reader._layouts.read(bytes(changed)) is None) == (at in headers)


def test_layouts_of_one_length_are_bounded_and_the_oldest_goes():
    reader = decoder()
    messages = [message_of([utf8(100 + number, "x")]) for number in range(LAYOUTS_PER_LENGTH_MAX + 1)]
    for message in messages:
        reader._layouts._unknown = 0
        reader._layouts.learn(message)
    known = [reader._layouts.read(message) is not None for message in messages]
    assert known == [False] + [True] * LAYOUTS_PER_LENGTH_MAX


def test_all_layouts_are_forgotten_when_full():
    reader = decoder()
    for number in range(LAYOUTS_MAX + 1):
        reader._layouts._unknown = 0
        reader._layouts.learn(message_of([octet_string(263, bytes(4 * number))]))
    assert sum(map(len, reader._layouts._layouts.values())) == 1


def test_one_of_many_unknown_messages_is_learnt():
    reader = decoder()
    for number in range(32):
        reader._layouts.learn(message_of([octet_string(263, bytes(4 * number))]))
    assert sum(map(len, reader._layouts._layouts.values())) == 2
