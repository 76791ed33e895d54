"""What an element says went wrong, and what that means for us (RFC 6241 section 4.3 and appendix A). Pure.

Servers give one and the same fault different tags and types, so nothing here hangs on one pair of them: groups of tags
are told apart, and where servers are known to differ, the operation that failed decides.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from ocs.provisioning.errors import ElementFault
from ocs.provisioning.netconf.documents import NETCONF, XmlElement, find, is_number, names_of, text_of


class RpcError(msgspec.Struct, frozen=True, kw_only=True):
    """One ``rpc-error``.

    Attributes:
        error_type, tag, app_tag, message, path: as the element wrote them. is_warning: nothing failed.
        namespaces: of the prefixes in the path.
        session_id: who holds the lock that was denied; 0 when it is no session of NETCONF; None: not told.
        bad_name: the element, attribute or namespace that the element does not like.
    """

    error_type: str
    tag: str
    is_warning: bool = False
    app_tag: str = ""
    message: str = ""
    path: str = ""
    namespaces: Mapping[str, str] = {}
    session_id: int | None = None
    bad_name: str = ""

    def __str__(self) -> str:
        """For people, one line."""
        parts = [" ".join(self.message.split()) or self.tag]
        parts += [f"({self.tag}{f', {self.app_tag}' if self.app_tag else ''})"] if self.message else []
        parts += [f"[{self.bad_name}]"] if self.bad_name else []
        return " ".join(parts)


def read_rpc_error(item: XmlElement) -> RpcError:
    """Read an ``rpc-error`` element; what it lacks is empty."""
    path, info = find(item, "error-path"), find(item, "error-info")
    session_id = text_of(find(info, "session-id")) if info is not None else ""
    return RpcError(
        error_type=text_of(find(item, "error-type")),
        tag=text_of(find(item, "error-tag")),
        is_warning=text_of(find(item, "error-severity")) == "warning",
        app_tag=text_of(find(item, "error-app-tag")),
        message=text_of(find(item, "error-message")),
        path=text_of(path),
        namespaces={} if path is None else {prefix or "": uri for prefix, uri in path.nsmap.items()},
        session_id=int(session_id) if is_number(session_id) else None,
        bad_name=_bad_name(info),
    )


def _bad_name(info: XmlElement | None) -> str:
    if info is None:
        return ""
    wanted = {"bad-element", "bad-attribute", "bad-namespace", "missing-choice"}
    return ", ".join(
        text_of(one) for one in info if names_of(one)[1] in wanted and names_of(one)[0] in {NETCONF, _YANG}
    )


# RFC 7950 section 15.6: missing-choice is of this namespace.
_YANG: Final = "urn:ietf:params:xml:ns:yang:1"

_FAULTS: Final = {
    "lock-denied": ElementFault.BUSY,
    "in-use": ElementFault.BUSY,
    "resource-denied": ElementFault.BUSY,
    "access-denied": ElementFault.ACCESS,
    "operation-not-supported": ElementFault.UNSUPPORTED,
    "malformed-message": ElementFault.PROTOCOL,
    "too-big": ElementFault.PROTOCOL,
    "invalid-value": ElementFault.REQUEST,
    "missing-attribute": ElementFault.REQUEST,
    "bad-attribute": ElementFault.REQUEST,
    "unknown-attribute": ElementFault.REQUEST,
    "missing-element": ElementFault.REQUEST,
    "bad-element": ElementFault.REQUEST,
    "unknown-element": ElementFault.REQUEST,
    "unknown-namespace": ElementFault.REQUEST,
    "data-exists": ElementFault.REQUEST,
    "data-missing": ElementFault.REQUEST,
    "rollback-failed": ElementFault.ELEMENT,
    "operation-failed": ElementFault.ELEMENT,
    "partial-operation": ElementFault.ELEMENT,
}
# RFC 7950 section 15: what is wrong with the data, whatever the tag beside it.
_DATA_APP_TAGS: Final = frozenset(
    {
        "data-not-unique", "too-many-elements", "too-few-elements", "must-violation", "instance-required",
        "missing-choice", "missing-instance", "not-in-range", "pattern-test-failed", "length-out-of-range",
    }
)  # fmt: skip
# What decides when an element names several: that which no repetition mends comes first.
_SEVERITY: Final = (
    ElementFault.PROTOCOL,
    ElementFault.ACCESS,
    ElementFault.REQUEST,
    ElementFault.UNSUPPORTED,
    ElementFault.ELEMENT,
    ElementFault.BUSY,
)


def classify(error: RpcError, operation: str) -> ElementFault:
    """What kind of fault an error is.

    Args:
        error: what the element said.
        operation: the name of the operation that it answers, such as ``lock``.
    """
    if error.error_type == "transport":
        return ElementFault.PROTOCOL
    fault = _FAULTS.get(error.tag, ElementFault.ELEMENT)
    if fault is ElementFault.ELEMENT and error.app_tag in _DATA_APP_TAGS:
        return ElementFault.REQUEST
    if operation == "lock" and fault in {ElementFault.ELEMENT, ElementFault.REQUEST}:
        # Its only argument is right: the candidate is not clean, which one server calls resource-denied and another
        # operation-failed.
        return ElementFault.BUSY
    if operation in {"commit", "discard-changes"} and error.tag == "invalid-value" and not error.path:
        # Nothing in it has a value: somebody else's confirmed commit is pending, which another server calls in-use.
        return ElementFault.BUSY
    return fault


def gravest(errors: Sequence[RpcError], operation: str) -> tuple[RpcError, ElementFault]:
    """Of several errors the one that decides what can be done, and what kind of fault it is."""
    return min(
        ((error, classify(error, operation)) for error in errors), key=lambda found: _SEVERITY.index(found[1])
    )
