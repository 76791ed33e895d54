"""Identities on a SIM: which digits are an ICCID (ITU-T E.118) and an IMSI (ITU-T E.212). Pure."""

import re
from typing import Final

from ocs.inventory.errors import InventoryError

_ICCID: Final = re.compile(r"89[0-9]{16,18}")
_IMSI: Final = re.compile(r"[0-9]{14,15}")


def luhn_digit(digits: str) -> str:
    """The check digit that follows some digits (ISO/IEC 7812-1 annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 - place % 2)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def check_iccid(iccid: str) -> None:
    """Accept an ICCID.

    Raises:
        InventoryError: it is none; says what is wrong. Source: ITU-T E.118 section 4.1.
    """
    if not iccid.isascii() or not _ICCID.fullmatch(iccid):
        raise InventoryError(f"{iccid:.40}: expected an ICCID: 18 to 20 digits, beginning with 89")
    if luhn_digit(iccid[:-1]) != iccid[-1]:
        raise InventoryError(f"{iccid}: its last digit, the check digit, does not fit: is one of them wrong?")


def check_imsi(imsi: str) -> None:
    """Accept an IMSI.

    Raises:
        InventoryError: it is none.
    """
    if not imsi.isascii() or not _IMSI.fullmatch(imsi):
        raise InventoryError(f"{imsi:.40}: expected an IMSI: 14 or 15 digits")
