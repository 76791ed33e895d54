"""What can go wrong with an element: one error that names element, operation and path, and says what to do about it."""

import enum


class ElementFault(enum.Enum):
    """What the caller may do; servers give one and the same fault different error-tags (RFC 6241 appendix A)."""

    BUSY = "busy"  # somebody else holds it: try again later
    REQUEST = "request"  # what was asked for is wrong: do not try again
    ACCESS = "access"  # our credentials do not suffice, or its host key is not the one that we know
    UNSUPPORTED = "unsupported"  # the element cannot do that
    UNREACHABLE = (
        "unreachable"  # no connection, or it broke, or no answer in time: the outcome may be unknown
    )
    PROTOCOL = "protocol"  # what came is no NETCONF, or too much of it: the session is over
    UNTRUE = "untrue"  # it said that it did, and reading back says that it did not
    ELEMENT = "element"  # the element failed for a reason of its own


class ElementError(Exception):
    """An operation on an element did not succeed.

    Attributes:
        element: its name. operation: such as ``edit-config``. fault: what kind of fault. reason: in words.
        path: where in the configuration; empty when it is about the whole. holder: who holds a lock: NETCONF's
            session-id, 0 for somebody outside NETCONF; None when it is not about a lock.
        tag: the error-tag or the line that the element gave; empty without one.
    """

    def __init__(
        self,
        *,
        element: str,
        operation: str,
        fault: ElementFault,
        reason: str,
        path: str = "",
        tag: str = "",
        holder: int | None = None,
    ) -> None:
        where = f" at {path}" if path else ""
        super().__init__(f"{element}: {operation}{where}: {reason}")
        self.element = element
        self.operation = operation
        self.fault = fault
        self.reason = reason
        self.path = path
        self.tag = tag
        self.holder = holder

    @property
    def is_retryable(self) -> bool:
        """Whether the same may succeed later, unchanged."""
        return self.fault in {ElementFault.BUSY, ElementFault.UNREACHABLE}

    @property
    def is_outcome_known(self) -> bool:
        """Whether nothing was done for certain; otherwise reading tells."""
        return self.fault not in {ElementFault.UNREACHABLE, ElementFault.PROTOCOL, ElementFault.UNTRUE}
