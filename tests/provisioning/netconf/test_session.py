"""The session's machine: every state, every event."""

import pytest

from ocs.limits import NETCONF_REQUESTS_MAX
from ocs.provisioning.netconf import operations
from ocs.provisioning.netconf.documents import parse_document
from ocs.provisioning.netconf.framing import frame
from ocs.provisioning.netconf.messages import Hello, Notification, Reply
from ocs.provisioning.netconf.session import Session, SessionError, SessionState

NS = 'xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"'


def hello(*versions: str) -> bytes:
    listed = "".join(
        f"<capability>urn:ietf:params:netconf:base:{version}</capability>" for version in versions
    )
    return f"<hello {NS}><capabilities>{listed}</capabilities><session-id>5</session-id></hello>".encode()


def reply(message_id: str, inside: str = "<ok/>") -> bytes:
    return f"<rpc-reply {NS} message-id='{message_id}'>{inside}</rpc-reply>".encode()


NOTE = b"<notification xmlns='urn:ietf:params:xml:ns:netconf:notification:1.0'><eventTime>t</eventTime></notification>"


def opened(*versions: str) -> Session:
    session = Session()
    assert session.hello().endswith(b"]]>]]>")
    (message,) = session.receive(frame(hello(*versions or ("1.0", "1.1")), is_chunked=False))
    assert isinstance(message, Hello)
    assert session.state is SessionState.OPEN
    return session


@pytest.mark.parametrize(
    ("versions", "is_chunked"), [(("1.0",), False), (("1.1",), True), (("1.0", "1.1"), True)]
)
def test_the_highest_version_that_both_have_is_spoken(versions: tuple[str, ...], is_chunked: bool) -> None:
    session = opened(*versions)
    assert session.is_chunked is is_chunked
    assert session.session_id == 5
    _, octets = session.request(operations.discard_changes())
    assert octets.startswith(b"\n#") is is_chunked
    (answer,) = session.receive(frame(reply("1"), is_chunked=is_chunked))
    assert isinstance(answer, Reply)


@pytest.mark.parametrize("cuts", [1, 2, 5, 10_000])
def test_a_whole_session_is_the_same_however_it_is_cut(cuts: int) -> None:
    session = Session()
    session.hello()
    stream = frame(hello("1.1"), is_chunked=False)
    seen: list[str] = []
    for at in range(0, len(stream), cuts):
        seen += [type(message).__name__ for message in session.receive(stream[at : at + cuts])]
    first, _ = session.request(operations.discard_changes())
    second, _ = session.request(operations.discard_changes())
    stream = b"".join(frame(one, is_chunked=True) for one in (NOTE, reply(second), NOTE, reply(first)))
    for at in range(0, len(stream), cuts):
        seen += [type(message).__name__ for message in session.receive(stream[at : at + cuts])]
    assert seen == ["Hello", "Notification", "Reply", "Notification", "Reply"]
    assert session.end() == ""


def test_hello_and_first_answer_in_one_piece_are_framed_each_in_its_way() -> None:
    session = Session()
    session.hello()
    messages = session.receive(frame(hello("1.1"), is_chunked=False) + frame(NOTE, is_chunked=True))
    assert [type(message) for message in messages] == [Hello, Notification]


def test_each_request_has_a_number_of_its_own() -> None:
    session = opened()
    numbers = [session.request(operations.discard_changes())[0] for _ in range(3)]
    assert len(set(numbers)) == 3
    _, octets = session.request(operations.discard_changes())
    body = octets.split(b"\n", 2)[2].removesuffix(b"\n##\n")
    assert parse_document(body).get("message-id") not in numbers


@pytest.mark.parametrize(
    "octets",
    [
        reply("2"),
        reply("x"),
        f"<rpc-reply {NS}><ok/></rpc-reply>".encode(),
        hello("1.1"),
        b"<rubbish/>",
        b"rubbish",
    ],
    ids=["of no request", "of a strange number", "of no number", "a second hello", "strange XML", "no XML"],
)
def test_what_must_not_come_ends_the_session(octets: bytes) -> None:
    session = opened()
    session.request(operations.discard_changes())
    with pytest.raises(SessionError):
        session.receive(frame(octets, is_chunked=True))
    assert session.state is SessionState.CLOSED
    with pytest.raises(SessionError):
        session.request(operations.discard_changes())


def test_an_answer_that_came_twice_ends_the_session() -> None:
    session = opened()
    session.request(operations.discard_changes())
    session.receive(frame(reply("1"), is_chunked=True))
    with pytest.raises(SessionError):
        session.receive(frame(reply("1"), is_chunked=True))


def test_why_a_message_of_ours_was_malformed_is_told() -> None:
    session = opened()
    error = f"<rpc-reply {NS}><rpc-error><error-tag>malformed-message</error-tag></rpc-error></rpc-reply>".encode()
    with pytest.raises(SessionError, match="malformed-message"):
        session.receive(frame(error, is_chunked=True))


@pytest.mark.parametrize("octets", [reply("1"), NOTE, hello()])
def test_nothing_but_a_hello_with_a_version_that_we_know_comes_first(octets: bytes) -> None:
    session = Session()
    session.hello()
    with pytest.raises(SessionError):
        session.receive(frame(octets, is_chunked=False))
    assert session.state is SessionState.CLOSED


def test_nothing_is_asked_before_the_hello() -> None:
    with pytest.raises(SessionError):
        Session().request(operations.discard_changes())


def test_an_answer_that_is_too_long_ends_the_session() -> None:
    session = Session(octets_max=1_000)
    session.hello()
    session.receive(frame(hello("1.1"), is_chunked=False))
    session.request(operations.discard_changes())
    with pytest.raises(SessionError, match="more than 1000 octets"):
        session.receive(b"\n#104857600\n")


def test_requests_without_answers_are_bounded() -> None:
    session = opened()
    for _ in range(NETCONF_REQUESTS_MAX):
        session.request(operations.discard_changes())
    with pytest.raises(SessionError):
        session.request(operations.discard_changes())


def test_the_end_of_the_stream_says_what_it_interrupts() -> None:
    assert "hello" in Session().end()
    session = opened()
    session.request(operations.discard_changes())
    session.receive(b"\n#100\n<rpc-re")
    assert session.end() == "in the middle of a message"
    session = opened()
    session.request(operations.discard_changes())
    assert session.end() == "before its answer"
    assert session.state is SessionState.CLOSED
