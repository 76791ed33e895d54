"""Messages in and out."""

import pytest

from ocs.provisioning.netconf import operations
from ocs.provisioning.netconf.capabilities import BASE_1_1
from ocs.provisioning.netconf.documents import names_of, parse_document
from ocs.provisioning.netconf.messages import (
    Hello,
    MessageError,
    Notification,
    Reply,
    read_message,
    write_hello,
    write_rpc,
)

NS = 'xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"'


def hello(inside: str) -> bytes:
    return f"<hello {NS}>{inside}</hello>".encode()


LISTED = f"<capabilities><capability> {BASE_1_1} </capability></capabilities>"


def test_a_hello_has_capabilities_and_a_session_id() -> None:
    message = read_message(hello(f"{LISTED}<session-id>4</session-id>"))
    assert isinstance(message, Hello)
    assert message.session_id == 4
    assert message.capabilities.base == {"1.1"}


@pytest.mark.parametrize(
    "octets",
    [
        hello(LISTED),  # ours has no session-id, an element's must
        hello(f"{LISTED}<session-id>0</session-id>"),
        hello(f"{LISTED}<session-id>x</session-id>"),
        hello(f"{LISTED}<session-id>4294967296</session-id>"),
        hello("<session-id>4</session-id>"),
        b"<hello><session-id>4</session-id></hello>",
        f"<rpc {NS} message-id='1'/>".encode(),
        b"Welcome to router1",
        b"",
    ],
)
def test_what_is_no_message_is_refused(octets: bytes) -> None:
    with pytest.raises(MessageError):
        read_message(octets)


def test_our_hello_has_no_session_id_and_a_request_has_its_number() -> None:
    root = parse_document(write_hello([BASE_1_1]))
    assert [names_of(item)[1] for item in root] == ["capabilities"]
    rpc = parse_document(write_rpc(7, operations.discard_changes()))
    assert rpc.get("message-id") == "7"
    assert rpc[0].tag == "{urn:ietf:params:xml:ns:netconf:base:1.0}discard-changes"


def test_a_reply_tells_errors_from_warnings() -> None:
    message = read_message(
        f"<rpc-reply {NS} message-id='3'><rpc-error><error-tag>a</error-tag><error-severity>warning</error-severity>"
        "</rpc-error><rpc-error><error-tag>b</error-tag><error-severity>error</error-severity></rpc-error>"
        "<rpc-error><error-tag>c</error-tag></rpc-error></rpc-reply>".encode()
    )
    assert isinstance(message, Reply)
    assert message.message_id == "3"
    assert [error.tag for error in message.errors] == ["b", "c"]
    assert [error.tag for error in message.warnings] == ["a"]
    assert message.data is None


def test_data_stands_in_the_namespace_of_who_asked() -> None:
    for namespace in (
        "urn:ietf:params:xml:ns:netconf:base:1.0",
        "urn:ietf:params:xml:ns:yang:ietf-netconf-nmda",
    ):
        message = read_message(f"<rpc-reply {NS}><data xmlns='{namespace}'><x/></data></rpc-reply>".encode())
        assert isinstance(message, Reply)
        assert message.data is not None
        assert message.message_id == ""


def test_a_notification_has_its_time_and_what_happened() -> None:
    message = read_message(
        b"<notification xmlns='urn:ietf:params:xml:ns:netconf:notification:1.0'><eventTime>2026-01-01T00:00:00Z"
        b"</eventTime><happened xmlns='urn:x'/></notification>"
    )
    assert isinstance(message, Notification)
    assert message.event_time == "2026-01-01T00:00:00Z"
    assert message.content is not None
    assert message.content.tag == "{urn:x}happened"


def test_digits_of_other_scripts_are_no_session_id() -> None:
    hello = f"<hello {NS}><capabilities/><session-id>²</session-id></hello>".encode()
    with pytest.raises(MessageError, match="without a session-id"):
        read_message(hello)
    told = f"<rpc-reply {NS}><rpc-error><error-info><session-id>²</session-id></error-info></rpc-error></rpc-reply>"
    message = read_message(told.encode())
    assert isinstance(message, Reply)
    assert message.errors[0].session_id is None
