"""Why a datagram is no notification for us."""

import enum


class DiscardReason(enum.StrEnum):
    """The one reason for which a datagram went no further; names are stable, metrics and alarms carry them."""

    MALFORMED = "malformed"
    TOO_LONG = "too_long"
    UNKNOWN_VERSION = "unknown_version"
    BAD_COMMUNITY = "bad_community"
    UNKNOWN_SECURITY_MODEL = "unknown_security_model"
    UNKNOWN_ENGINE = "unknown_engine"
    UNKNOWN_USER = "unknown_user"
    UNSUPPORTED_LEVEL = "unsupported_level"
    WRONG_DIGEST = "wrong_digest"
    NOT_IN_TIME_WINDOW = "not_in_time_window"
    DECRYPTION = "decryption"
    NOT_A_NOTIFICATION = "not_a_notification"


class SnmpError(Exception):
    """A datagram that is refused: the only error of the decoder; ``str()`` says why in words."""

    def __init__(self, reason: DiscardReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def malformed(detail: str) -> SnmpError:
    """The error for octets that no sender may write."""
    return SnmpError(DiscardReason.MALFORMED, detail)
