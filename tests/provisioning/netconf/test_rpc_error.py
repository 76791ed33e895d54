"""RFC 6241 appendix A, and what two real servers make of it."""

import pytest

from ocs.provisioning.errors import ElementFault
from ocs.provisioning.netconf.documents import NETCONF, parse_document
from ocs.provisioning.netconf.rpc_error import RpcError, classify, gravest, read_rpc_error

BUSY, REQUEST, ACCESS = ElementFault.BUSY, ElementFault.REQUEST, ElementFault.ACCESS
UNSUPPORTED, PROTOCOL, ELEMENT = ElementFault.UNSUPPORTED, ElementFault.PROTOCOL, ElementFault.ELEMENT


def test_an_error_is_read_with_the_prefixes_of_its_path() -> None:
    item = parse_document(
        b'<rpc-error xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><error-type>application</error-type>'
        b"<error-tag>bad-element</error-tag><error-severity>error</error-severity><error-app-tag>x</error-app-tag>"
        b'<error-path xmlns:t="urn:t"> /t:top/t:leaf </error-path>'
        b'<error-message xml:lang="en">no\n good</error-message>'
        b"<error-info><bad-element>leaf</bad-element></error-info></rpc-error>"
    )
    error = read_rpc_error(item)
    assert (error.error_type, error.tag, error.app_tag) == ("application", "bad-element", "x")
    assert (error.path, error.namespaces["t"], error.namespaces[""]) == ("/t:top/t:leaf", "urn:t", NETCONF)
    assert str(error) == "no good (bad-element, x) [leaf]"
    assert not error.is_warning


@pytest.mark.parametrize(
    ("text", "expected"), [("7", 7), ("0", 0), ("", None), ("-1", None), ("9" * 99, None)]
)
def test_the_holder_of_a_lock_is_read(text: str, expected: int | None) -> None:
    item = parse_document(
        b'<rpc-error xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><error-tag>lock-denied</error-tag>'
        b"<error-info><session-id>%b</session-id></error-info></rpc-error>" % text.encode()
    )
    assert read_rpc_error(item).session_id == expected


def test_an_error_that_lacks_everything_is_an_error() -> None:
    error = read_rpc_error(parse_document(b'<rpc-error xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"/>'))
    assert classify(error, "get") is ELEMENT


# Type, tag, app-tag, path, operation -> what it is. The same condition at two servers stands in neighbouring rows.
@pytest.mark.parametrize(
    ("error", "operation", "fault"),
    [
        (RpcError(error_type="protocol", tag="lock-denied"), "lock", BUSY),
        (RpcError(error_type="application", tag="in-use"), "edit-config", BUSY),
        (RpcError(error_type="protocol", tag="lock-denied"), "edit-config", BUSY),
        (RpcError(error_type="application", tag="resource-denied"), "get", BUSY),
        (RpcError(error_type="protocol", tag="resource-denied"), "lock", BUSY),  # yuma: a dirty candidate
        (RpcError(error_type="application", tag="operation-failed"), "lock", BUSY),  # netopeer2: likewise
        (RpcError(error_type="protocol", tag="in-use"), "commit", BUSY),  # yuma: a confirmed commit is pending
        (RpcError(error_type="protocol", tag="invalid-value"), "commit", BUSY),  # netopeer2: likewise
        (RpcError(error_type="application", tag="invalid-value", path="/a:b"), "commit", REQUEST),
        (RpcError(error_type="application", tag="invalid-value"), "edit-config", REQUEST),  # yuma: a bad value
        (RpcError(error_type="application", tag="bad-element"), "edit-config", REQUEST),  # netopeer2: likewise
        (RpcError(error_type="application", tag="data-missing", app_tag="instance-required"), "edit-config", REQUEST),
        (RpcError(error_type="application", tag="missing-element"), "validate", REQUEST),
        (RpcError(error_type="rpc", tag="unknown-namespace"), "edit-config", REQUEST),
        (RpcError(error_type="application", tag="operation-failed", app_tag="must-violation"), "validate", REQUEST),
        (RpcError(error_type="application", tag="operation-failed", app_tag="data-not-unique"), "commit", REQUEST),
        (RpcError(error_type="protocol", tag="data-exists"), "edit-config", REQUEST),
        (RpcError(error_type="application", tag="data-exists"), "edit-config", REQUEST),
        (RpcError(error_type="protocol", tag="access-denied"), "get-config", ACCESS),
        (RpcError(error_type="application", tag="access-denied"), "get-config", ACCESS),
        (RpcError(error_type="protocol", tag="operation-not-supported"), "validate", UNSUPPORTED),
        (RpcError(error_type="rpc", tag="malformed-message"), "get", PROTOCOL),
        (RpcError(error_type="rpc", tag="too-big"), "get", PROTOCOL),
        (RpcError(error_type="transport", tag="resource-denied"), "get", PROTOCOL),
        (RpcError(error_type="application", tag="rollback-failed"), "edit-config", ELEMENT),
        (RpcError(error_type="application", tag="operation-failed"), "commit", ELEMENT),
        (RpcError(error_type="application", tag="vendor-says-no"), "commit", ELEMENT),
    ],
)  # fmt: skip
def test_errors_are_told_apart_by_what_can_be_done(
    error: RpcError, operation: str, fault: ElementFault
) -> None:
    assert classify(error, operation) is fault


def test_of_several_errors_the_one_that_no_repetition_mends_decides() -> None:
    busy = RpcError(error_type="protocol", tag="in-use")
    wrong = RpcError(error_type="application", tag="bad-element")
    assert gravest([busy, wrong], "edit-config") == (wrong, REQUEST)
    assert gravest([busy, busy], "edit-config") == (busy, BUSY)
