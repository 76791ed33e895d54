"""The digits on a voucher: drawn at random, with a check digit, kept as a keyed digest only.

A code is 15 random digits and one of Damm's check digits, which finds every single wrong digit and every swap of two
neighbours, so that a slip of the finger is no guess. With a million vouchers in circulation a guess hits one in a
thousand million.

The store keeps HMAC-SHA-256 of the code under a secret from a file. Without the key whoever copied the store could
try all 10^15 codes in days; with it they are of no use to him.
"""

import hmac
import re
from collections.abc import Callable
from typing import Final

CODE_DIGITS: Final = 16
_SEPARATORS: Final = re.compile(r"[\s-]")
# A totally anti-symmetric quasigroup: H. M. Damm, 2004.
_DAMM: Final = (
    (0, 3, 1, 7, 5, 9, 8, 6, 4, 2),
    (7, 0, 9, 2, 1, 5, 4, 8, 6, 3),
    (4, 2, 0, 6, 8, 7, 1, 3, 5, 9),
    (1, 7, 5, 0, 9, 8, 3, 4, 2, 6),
    (6, 1, 2, 3, 0, 4, 5, 9, 7, 8),
    (3, 6, 7, 4, 2, 0, 9, 5, 8, 1),
    (5, 8, 6, 9, 7, 2, 0, 1, 3, 4),
    (8, 9, 4, 5, 3, 6, 2, 0, 1, 7),
    (9, 4, 3, 8, 6, 1, 7, 2, 0, 5),
    (2, 5, 8, 1, 4, 3, 6, 7, 9, 0),
)


def check_digit(digits: str) -> str:
    """Damm's check digit of some digits."""
    interim = 0
    for digit in digits:
        interim = _DAMM[interim][int(digit)]
    return str(interim)


def draw_code(randbelow: Callable[[int], int]) -> str:
    """Draw a code.

    Args:
        randbelow: a number from 0 and below its argument that nobody can foretell, such as ``secrets.randbelow``.
    """
    digits = f"{randbelow(10 ** (CODE_DIGITS - 1)):0{CODE_DIGITS - 1}d}"
    return digits + check_digit(digits)


def read_code(text: str) -> str | None:
    """The digits of a code as a person typed it, None when they cannot be one: a slip, which is no guess."""
    digits = _SEPARATORS.sub("", text)
    if len(digits) != CODE_DIGITS or not (digits.isascii() and digits.isdigit()):
        return None
    return digits if check_digit(digits) == "0" else None


def digest_of(code: str, secret: str) -> str:
    """What the store knows a code by."""
    return hmac.digest(secret.encode(), code.encode(), "sha256").hex()
