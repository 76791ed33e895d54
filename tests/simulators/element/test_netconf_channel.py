"""What a NETCONF session does with bytes that are wrong, and with faults."""

from typing import Any

import paramiko
import pytest
from ncclient.operations import RPCError
from ncclient.operations.errors import TimeoutExpiredError
from ncclient.transport import SessionCloseError
from ncclient.transport.errors import SSHError

from simulators.element.faults import ALWAYS, Fault, FaultKind
from simulators.element.netconf_element import NetconfElement
from simulators.element.park import Park
from tests.support.element_clients import (
    BASE,
    FIRST,
    HOSTNAME,
    STEP_S,
    client,
    hostname,
    read_until,
    subsystem,
    wait_until,
)

END = b"]]>]]>"
HELLO = f'<hello xmlns="{BASE}"><capabilities><capability>urn:ietf:params:netconf:base:1.{{}}</capability></capabilities></hello>'
GONE = (SessionCloseError, SSHError, EOFError, OSError)


@pytest.fixture
def element(park: Park) -> NetconfElement:
    return park.netconf("pe1", running=FIRST)


def fault(kind: str, on: str, **options: Any) -> Fault:
    return Fault(kind=FaultKind(kind), on=on, **options)


def rpc(inside: str, message_id: str = "1") -> bytes:
    return f'<rpc xmlns="{BASE}" message-id="{message_id}">{inside}</rpc>'.encode()


def chunked(message: bytes) -> bytes:
    return b"\n#%d\n%b\n##\n" % (len(message), message)


# --- bytes -------------------------------------------------------------------------------------------------------


def test_requests_that_come_with_the_hello_are_answered_in_order(element: NetconfElement) -> None:
    with subsystem(element) as channel:
        channel.sendall(
            HELLO.format(1).encode() + END + chunked(rpc("<get/>", "a")) + chunked(rpc("<get/>", "b"))
        )
        assert b"<session-id>1</session-id>" in read_until(channel, END)
        assert b'message-id="a"' in read_until(channel, b"\n##\n")
        assert b'message-id="b"' in read_until(channel, b"\n##\n")


def test_a_message_that_is_no_xml_is_told_and_the_session_goes_on(element: NetconfElement) -> None:
    with subsystem(element) as channel:
        read_until(channel, END)
        channel.sendall(HELLO.format(0).encode() + END + b"<rpc" + END)
        assert b"malformed-message" in read_until(channel, END)
        channel.sendall(rpc("<get-config><source><running/></source></get-config>") + END)
        assert b"pe1" in read_until(channel, END)


@pytest.mark.parametrize(
    "data",
    [
        b"<no-hello/>" + END,
        HELLO.format(1).encode() + END + b"no chunk" + b" " * 20,
        f'<hello xmlns="{BASE}"><session-id>1</session-id></hello>'.encode() + END,
    ],
)
def test_what_breaks_the_protocol_ends_the_connection(element: NetconfElement, data: bytes) -> None:
    with subsystem(element) as channel:
        read_until(channel, END)
        channel.sendall(data)
        assert read_until(channel, b"never") == b""


def test_another_subsystem_is_refused(element: NetconfElement) -> None:
    with pytest.raises(paramiko.SSHException, match=r"(?i)channel|request"), subsystem(element, "sftp"):
        pass


def test_an_exception_in_a_request_is_its_answer_and_the_session_goes_on(
    element: NetconfElement, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(tree: Any) -> None:
        raise ZeroDivisionError(f"{len(tree)} trees")

    with client(element) as session, monkeypatch.context() as broken:
        session.edit_config(target="candidate", config=hostname("new"))
        broken.setattr(element.operations.datastores, "check", fail)
        with pytest.raises(RPCError, match="ZeroDivisionError") as caught:
            session.validate("candidate")
        assert caught.value.tag == "operation-failed"
        broken.undo()
        session.validate("candidate")
        session.commit()
    assert element.running()[HOSTNAME] == "new"
    assert "Traceback" in capfd.readouterr().err


# --- faults ------------------------------------------------------------------------------------------------------


def committed(element: NetconfElement, name: str = "new") -> None:
    with client(element) as session:
        session.edit_config(target="candidate", config=hostname(name))
        session.commit()


@pytest.mark.parametrize(("kind", "done"), [("drop-before", False), ("drop-after", True)])
def test_a_connection_that_breaks_leaves_open_whether_it_was_done(
    element: NetconfElement, kind: str, done: bool
) -> None:
    element.faults.add(fault(kind, "commit"))
    with pytest.raises(GONE):
        committed(element)
    assert (element.running()[HOSTNAME] == "new") == done
    committed(element, "again")
    assert element.running()[HOSTNAME] == "again"


@pytest.mark.parametrize(("kind", "done"), [("die-before", False), ("die-after", True)])
def test_an_element_that_dies_comes_back_at_the_same_place(
    element: NetconfElement, kind: str, done: bool
) -> None:
    port = element.port
    element.faults.add(fault(kind, "commit", seconds=-1))
    with pytest.raises(GONE):
        committed(element)
    with pytest.raises(GONE), client(element):
        pass
    element.start()
    assert element.port == port
    assert (element.running()[HOSTNAME] == "new") == done
    committed(element, "again")


def test_an_element_that_dies_for_a_while_comes_back_by_itself(element: NetconfElement) -> None:
    element.faults.add(fault("die-after", "commit", seconds=0.01))
    with pytest.raises(GONE):
        committed(element)
    element.start()  # does no harm meanwhile
    assert wait_until(lambda: element.is_up)
    committed(element, "again")
    assert element.running()[HOSTNAME] == "again"


def test_a_refusal_has_the_tag_that_was_asked_for(element: NetconfElement) -> None:
    element.faults.add(fault("refuse", "lock", tag="resource-denied"))
    with client(element) as session:
        with pytest.raises(RPCError) as caught:
            session.lock("candidate")
        assert caught.value.tag == "resource-denied"
        session.lock("candidate")


def test_a_lie_says_ok_and_does_nothing_or_something_else(element: NetconfElement) -> None:
    element.faults.add(fault("lie", "commit"))
    committed(element)
    assert element.running()[HOSTNAME] == "pe1"
    element.faults.add(fault("lie-other", "commit", other={HOSTNAME: "mine"}))
    committed(element)
    assert element.running()[HOSTNAME] == "mine"


def test_an_answer_may_be_late_or_never_come(element: NetconfElement) -> None:
    element.faults.add(fault("latency", "get-config", seconds=0.01))
    with client(element) as session:
        assert session.get_config("running").ok
        element.faults.add(fault("stall", "get-config"))
        session.timeout = 0.2
        with pytest.raises(TimeoutExpiredError):
            session.get_config("running")
        session.timeout = STEP_S
        assert session.get_config("running").ok


def test_an_answer_has_somebody_else_s_message_id(element: NetconfElement) -> None:
    element.faults.add(fault("wrong-id", "get-config"))
    with subsystem(element) as channel:
        read_until(channel, END)
        channel.sendall(HELLO.format(0).encode() + END)
        channel.sendall(rpc("<get-config><source><running/></source></get-config>", "7") + END)
        assert b'message-id="7-of-somebody-else"' in read_until(channel, END)


@pytest.mark.parametrize(("kind", "end"), [("garbage", b"<<<" + END), ("stop-mid-reply", b"<data")])
def test_what_comes_is_no_whole_answer(element: NetconfElement, kind: str, end: bytes) -> None:
    element.faults.add(fault(kind, "get-config"))
    with subsystem(element) as channel:
        read_until(channel, END)
        channel.sendall(HELLO.format(0).encode() + END)
        channel.sendall(rpc("<get-config><source><running/></source></get-config>") + END)
        assert read_until(channel, end).endswith(end)


def test_an_answer_without_end_comes_no_faster_than_it_is_read(element: NetconfElement) -> None:
    element.faults.add(fault("huge-reply", "get-config", megabytes=3))
    with subsystem(element) as channel:
        read_until(channel, END)
        channel.sendall(HELLO.format(0).encode() + END)
        channel.sendall(rpc("<get-config><source><running/></source></get-config>") + END)
        got = 0
        while got < 3 * 1_048_576:
            got += len(channel.recv(65_536))


def test_greetings_fail_too(element: NetconfElement) -> None:
    element.faults.add(fault("garbage", "hello"))
    with subsystem(element) as channel:
        assert b"no hello" in read_until(channel, END)
    element.faults.add(fault("drop-before", "hello"))
    with pytest.raises(GONE), client(element):
        pass
    with client(element) as session:
        assert session.connected


def test_what_an_element_was_asked_is_known_step_by_step(element: NetconfElement) -> None:
    committed(element)
    assert list(element.faults.steps) == [
        "connect",
        "login",
        "hello",
        "edit-config",
        "commit plain",
        "close-session",
    ]
    element.faults.add(fault("latency", "*", times=ALWAYS))
    committed(element)
    assert {kind for _, kind in element.faults.fired} == {FaultKind.LATENCY}
