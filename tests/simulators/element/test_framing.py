"""Messages over SSH (RFC 6242)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.element.framing import Framing, FramingError


def received(framing: Framing, data: bytes, piece: int) -> list[bytes]:
    got: list[bytes] = []
    for at in range(0, len(data), piece):
        framing.receive(data[at : at + piece])
        while (message := framing.next_message()) is not None:
            got.append(message)
    return got


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=5), st.booleans(), st.integers(1, 50))
def test_messages_come_out_as_they_went_in_whatever_the_pieces(
    messages: list[bytes], chunked: bool, piece: int
) -> None:
    messages = [message.replace(b"]", b"") or b"x" for message in messages]
    framing = Framing()
    framing.is_chunked = chunked
    data = b"".join(framing.frame(message) for message in messages)
    assert received(framing, data, piece) == messages


def test_the_example_of_rfc_6242_section_4_2() -> None:
    framing = Framing()
    framing.is_chunked = True
    data = b'\n#4\n<rpc\n#18\n message-id="102"\n\n#79\n' + b"x" * 79 + b"\n##\n"
    assert received(framing, data, 7) == [b'<rpc message-id="102"\n' + b"x" * 79]


@pytest.mark.parametrize(
    "data", [b"<rpc/>", b"\n#0\n", b"\n#04\nabcd", b"\n#x\n", b"\n##\n", b"\n#12345678901\n", b"\nabc"]
)
def test_what_is_no_chunk_ends_the_session(data: bytes) -> None:
    framing = Framing()
    framing.is_chunked = True
    with pytest.raises(FramingError):
        received(framing, data + b" " * 20, 100)


def test_a_message_without_end_is_not_collected_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulators.element.framing.MESSAGE_BYTES_MAX", 1000)
    with pytest.raises(FramingError, match="more than"):
        received(Framing(), b"x" * 2000, 100)
