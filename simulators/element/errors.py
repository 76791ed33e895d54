"""What goes wrong in an element, in the words of the standard and of two servers that are in use.

One condition has different error-tags on different servers (measured); a client that matches one tag of one server
is found out by switching an element's dialect.
"""

from enum import Enum
from typing import Final


class Condition(Enum):
    """Conditions for which servers are known to have different words."""

    BAD_VALUE = "bad-value"
    MISSING_AT_VALIDATE = "missing-at-validate"
    LOCKED_BY_OTHER = "locked-by-other"
    COMMIT_DURING_CONFIRMED = "commit-during-confirmed"
    DIRTY_CANDIDATE = "dirty-candidate"
    UNKNOWN_NAMESPACE = "unknown-namespace"
    DATA_EXISTS = "data-exists"


class Dialect(Enum):
    """Whose words an element uses."""

    STANDARD = "standard"  # RFC 6241 appendix A, RFC 7950 section 15
    YUMA = "yuma"
    NETOPEER = "netopeer"


# Words are error-type, error-tag and error-app-tag.
_WORDS: Final[dict[Condition, dict[Dialect, tuple[str, str, str]]]] = {
    Condition.BAD_VALUE: {
        Dialect.STANDARD: ("application", "invalid-value", ""),
        Dialect.YUMA: ("application", "invalid-value", ""),
        Dialect.NETOPEER: ("application", "bad-element", ""),
    },
    Condition.MISSING_AT_VALIDATE: {
        Dialect.STANDARD: ("application", "missing-element", ""),
        Dialect.YUMA: ("application", "data-missing", "instance-required"),
        Dialect.NETOPEER: ("application", "missing-element", ""),
    },
    Condition.LOCKED_BY_OTHER: {
        Dialect.STANDARD: ("protocol", "in-use", ""),
        Dialect.YUMA: ("protocol", "in-use", ""),
        Dialect.NETOPEER: ("protocol", "lock-denied", ""),
    },
    Condition.COMMIT_DURING_CONFIRMED: {
        Dialect.STANDARD: ("protocol", "in-use", ""),
        Dialect.YUMA: ("protocol", "in-use", ""),
        Dialect.NETOPEER: ("protocol", "invalid-value", ""),
    },
    Condition.DIRTY_CANDIDATE: {
        Dialect.STANDARD: ("protocol", "lock-denied", ""),
        Dialect.YUMA: ("protocol", "resource-denied", ""),
        Dialect.NETOPEER: ("application", "operation-failed", ""),
    },
    Condition.UNKNOWN_NAMESPACE: {
        Dialect.STANDARD: ("protocol", "unknown-namespace", ""),
        Dialect.YUMA: ("rpc", "unknown-namespace", ""),
        Dialect.NETOPEER: ("application", "operation-failed", ""),
    },
    Condition.DATA_EXISTS: {
        Dialect.STANDARD: ("application", "data-exists", ""),
        Dialect.YUMA: ("application", "data-exists", ""),
        Dialect.NETOPEER: ("protocol", "data-exists", ""),
    },
}


class RpcError(Exception):
    """An rpc-error to be.

    Attributes:
        tag, error_type, app_tag: as RFC 6241 section 4.3 names them. path: an instance identifier with modules' names.
        info: children of error-info by name, such as ``session-id`` and ``bad-element``.
    """

    def __init__(
        self,
        tag: str,
        message: str = "",
        *,
        error_type: str = "application",
        app_tag: str = "",
        path: str = "",
        info: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message or tag)
        self.tag = tag
        self.message = message
        self.error_type = error_type
        self.app_tag = app_tag
        self.path = path
        self.info = info or {}


class ConditionError(Exception):
    """A condition whose words depend on the element's dialect."""

    def __init__(
        self, condition: Condition, message: str, *, path: str = "", info: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.condition = condition
        self.message = message
        self.path = path
        self.info = info or {}

    def in_words_of(self, dialect: Dialect) -> RpcError:
        """The error as a server of that dialect tells it."""
        error_type, tag, app_tag = _WORDS[self.condition][dialect]
        return RpcError(
            tag, self.message, error_type=error_type, app_tag=app_tag, path=self.path, info=self.info
        )
