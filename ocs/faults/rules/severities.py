"""Perceived severities in the codings that devices use.

The codings disagree, so a number is read by its coding, never as it is.
"""

from collections.abc import Mapping
from typing import Final

from ocs.faults.alarm import Severity

# ITU-ALARM-TC-MIB ItuPerceivedSeverity (RFC 3877).
_ITU: Final = {
    1: Severity.CLEARED,
    2: Severity.INDETERMINATE,
    3: Severity.CRITICAL,
    4: Severity.MAJOR,
    5: Severity.MINOR,
    6: Severity.WARNING,
}
# X.721 PerceivedSeverity, which most vendors of transmission equipment took over.
_X721: Final = {
    0: Severity.INDETERMINATE,
    1: Severity.CRITICAL,
    2: Severity.MAJOR,
    3: Severity.MINOR,
    4: Severity.WARNING,
    5: Severity.CLEARED,
}
CODINGS: Final[Mapping[str, Mapping[int, Severity]]] = {
    "itu": _ITU,
    "x721": _X721,
    "rfc8632": {int(severity): severity for severity in Severity},
}


def severity_named(name: str) -> Severity:
    """The severity that a rule writes as ``major``."""
    return Severity[name.upper()]
