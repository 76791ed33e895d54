"""RFC 6242 section 4, whole and byte by byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocs.provisioning.netconf.framing import FramingError, MessageReader, frame

HELLO = b"<hello/>"


def read(stream: bytes, cuts: int, *, is_chunked: bool, octets_max: int = 1_000_000) -> list[bytes]:
    """The messages after the hello, when the stream comes in pieces of so many octets."""
    reader = MessageReader(octets_max)
    stream = frame(HELLO, is_chunked=False) + stream
    messages: list[bytes] = []
    for at in range(0, len(stream), cuts):
        reader.feed(stream[at : at + cuts])
        while (message := reader.next_message()) is not None:
            messages.append(message)
            if is_chunked and len(messages) == 1:
                reader.use_chunks()
    assert reader.is_between_messages
    assert messages[0] == HELLO
    return messages[1:]


@given(
    st.lists(st.binary(min_size=1, max_size=40).filter(lambda octets: b"]" not in octets), max_size=5),
    st.booleans(),
    st.integers(1, 200),
)
def test_what_was_framed_is_read_however_it_was_cut(
    messages: list[bytes], is_chunked: bool, cuts: int
) -> None:
    stream = b"".join(frame(message, is_chunked=is_chunked) for message in messages)
    assert read(stream, cuts, is_chunked=is_chunked) == messages


@pytest.mark.parametrize("cuts", [1, 2, 3, 7, 1000])
def test_the_example_of_RFC_6242_section_4_2_is_read(cuts: int) -> None:
    stream = (
        b'\n#4\n<rpc\n#18\n message-id="102"\n\n#79\n     xmlns="urn:ietf:params:xml:ns:netconf:base:1.0">\n'
        b"  <close-session/>\n</rpc>\n##\n"
    )
    (message,) = read(stream, cuts, is_chunked=True)
    assert message == (
        b'<rpc message-id="102"\n     xmlns="urn:ietf:params:xml:ns:netconf:base:1.0">\n  <close-session/>\n</rpc>'
    )


def test_a_chunk_may_hold_what_ends_messages_in_the_old_framing() -> None:
    assert read(frame(b"<a>]]>]]></a>\n##\n", is_chunked=True), 1, is_chunked=True) == [
        b"<a>]]>]]></a>\n##\n"
    ]


@pytest.mark.parametrize(
    "stream",
    [
        b"<rpc-reply/>]]>]]>", b"\n\n#3\nabc", b"\n#0\n", b"\n#03\nabc\n##\n", b"\n#-1\n", b"\n#4294967296\n",
        b"\n#99999999999999", b"\n#abc\n", b"\n##\n", b"\n#3\nabcd", b"\n#\n", b"\n###\n", b"\n#+3\nabc",
        "\n#٣\nabc".encode(),
    ],
)  # fmt: skip
@pytest.mark.parametrize("cuts", [1, 1000])
def test_what_is_no_chunk_is_refused(stream: bytes, cuts: int) -> None:
    with pytest.raises(FramingError):
        read(stream, cuts, is_chunked=True)


@pytest.mark.parametrize("is_chunked", [True, False])
def test_a_message_that_is_too_long_is_refused_before_it_is_kept(is_chunked: bool) -> None:
    reader = MessageReader(octets_max=1_000)
    reader.feed(frame(HELLO, is_chunked=False))
    assert reader.next_message() == HELLO
    if is_chunked:
        reader.use_chunks()
        # Announced is enough: not one octet of it need come.
        reader.feed(b"\n#1001\n")
    else:
        reader.feed(b"x" * 1_001)
    with pytest.raises(FramingError, match="more than 1000 octets"):
        reader.next_message()


def test_many_small_chunks_are_one_message_and_bounded_together() -> None:
    reader = MessageReader(octets_max=1_000)
    reader.feed(frame(HELLO, is_chunked=False))
    assert reader.next_message() == HELLO
    reader.use_chunks()
    reader.feed(b"\n#1\nx" * 1_000)
    assert reader.next_message() is None
    reader.feed(b"\n#1\nx")
    with pytest.raises(FramingError):
        reader.next_message()


def test_a_hello_is_bounded_more_narrowly_than_what_follows() -> None:
    reader = MessageReader()
    reader.feed(b" " * 1_048_577)
    with pytest.raises(FramingError):
        reader.next_message()


@given(st.binary(max_size=60), st.booleans())
def test_garbage_is_refused_or_waited_on_and_never_crashes(garbage: bytes, is_chunked: bool) -> None:
    reader = MessageReader(octets_max=50)
    if is_chunked:
        reader.use_chunks()
    reader.feed(garbage)
    try:
        while reader.next_message() is not None:
            pass
    except FramingError:
        pass
