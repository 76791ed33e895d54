"""Messages of NETCONF: hello, rpc, rpc-reply, notification (RFC 6241 section 4, RFC 5277 section 4). Pure."""

from collections.abc import Sequence
from typing import Final, TypeAlias

import msgspec

from ocs.provisioning.netconf.capabilities import Capabilities, read_capabilities
from ocs.provisioning.netconf.documents import (
    NETCONF,
    DocumentError,
    XmlElement,
    child,
    element,
    find,
    is_number,
    names_of,
    parse_document,
    text_of,
    write_document,
)
from ocs.provisioning.netconf.rpc_error import RpcError, read_rpc_error

# RFC 5277 section 4.
NOTIFICATION: Final = "urn:ietf:params:xml:ns:netconf:notification:1.0"
_SESSION_ID_MAX: Final = 4_294_967_295


class MessageError(Exception):
    """A message is none of NETCONF's."""


class Hello(msgspec.Struct, frozen=True):
    """The element's first message."""

    session_id: int
    capabilities: Capabilities


class Reply(msgspec.Struct, frozen=True, eq=False):
    """The answer to a request.

    Attributes:
        message_id: of the request; empty when the element could not read it.
        errors: without the warnings; what was asked for was done when there are none. warnings: what it minds.
        body: the whole ``rpc-reply``.
    """

    message_id: str
    errors: tuple[RpcError, ...]
    warnings: tuple[RpcError, ...]
    body: XmlElement

    @property
    def data(self) -> XmlElement | None:
        """What was asked for: ``data``, in the namespace of the operation that asked."""
        return next((item for item in self.body if names_of(item)[1] == "data"), None)


class Notification(msgspec.Struct, frozen=True, eq=False):
    """Something happened.

    Attributes:
        event_time: as the element wrote it. content: what; None when it says nothing.
    """

    event_time: str
    content: XmlElement | None


Message: TypeAlias = Hello | Reply | Notification


def write_hello(capabilities: Sequence[str]) -> bytes:
    """Our hello; a client's has no session-id (RFC 6241 section 8.1)."""
    hello = element(NETCONF, "hello")
    listed = child(hello, NETCONF, "capabilities")
    for capability in capabilities:
        child(listed, NETCONF, "capability", capability)
    return write_document(hello)


def write_rpc(message_id: int, operation: XmlElement) -> bytes:
    """A request."""
    rpc = element(NETCONF, "rpc")
    rpc.set("message-id", str(message_id))
    rpc.append(operation)
    return write_document(rpc)


def read_message(octets: bytes) -> Message:
    """Read a message of an element.

    Raises:
        MessageError: it is none, or lacks what it must have.
    """
    try:
        root = parse_document(octets)
    except DocumentError as error:
        raise MessageError(str(error)) from None
    match names_of(root):
        case (namespace, "hello") if namespace == NETCONF:
            return _read_hello(root)
        case (namespace, "rpc-reply") if namespace == NETCONF:
            errors = [read_rpc_error(item) for item in root if names_of(item) == (NETCONF, "rpc-error")]
            return Reply(
                root.get("message-id", ""),
                tuple(error for error in errors if not error.is_warning),
                tuple(error for error in errors if error.is_warning),
                root,
            )
        case (namespace, "notification") if namespace == NOTIFICATION:
            time = root.find(f"{{{NOTIFICATION}}}eventTime")
            content = next((item for item in root if item is not time), None)
            return Notification(text_of(time), content)
        case (namespace, name):
            raise MessageError(f"expected a message of NETCONF, found {name[:64]!r} of {namespace[:64]!r}")


def _read_hello(root: XmlElement) -> Hello:
    listed, session_id = find(root, "capabilities"), text_of(find(root, "session-id"))
    if listed is None:
        raise MessageError("a hello without capabilities")
    if not (is_number(session_id) and 0 < int(session_id) <= _SESSION_ID_MAX):
        raise MessageError(f"a hello without a session-id: found {session_id[:32]!r}")
    try:
        capabilities = read_capabilities(
            text_of(item) for item in listed if names_of(item) == (NETCONF, "capability")
        )
    except ValueError as error:
        raise MessageError(f"a hello with {error}") from None
    return Hello(int(session_id), capabilities)
