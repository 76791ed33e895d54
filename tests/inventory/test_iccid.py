"""Which digits are an ICCID and an IMSI."""

import pytest

from ocs.inventory.errors import InventoryError
from ocs.inventory.iccid import check_iccid, check_imsi, luhn_digit


def test_check_digit_is_that_of_published_examples() -> None:
    assert luhn_digit("7992739871") == "3"
    assert luhn_digit("1789372997") == "4"
    check_iccid("8991101200003204514")


@pytest.mark.parametrize(
    "iccid",
    [
        "8991101200003204515",
        "8991101200003204541",
        "7991101200003204514",
        "89911",
        "899110120000320451x",
        "٨٩" * 10,
    ],
)
def test_mistyped_iccid_is_refused(iccid: str) -> None:
    with pytest.raises(InventoryError):
        check_iccid(iccid)


def test_imsi_has_fourteen_or_fifteen_digits() -> None:
    check_imsi("262011234567890")
    for imsi in ("2620112345678", "2620112345678901", "26201123456789x"):
        with pytest.raises(InventoryError):
            check_imsi(imsi)
