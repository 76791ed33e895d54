"""Our numbers and the dictionary that we ship say the same."""

from pyrad import packet as pyrad

from ocs.radius import codes
from tests.radius.access_server import DICTIONARY

_UNLISTED = {"VENDOR_SPECIFIC"}  # a container, which dictionaries imply
_VALUES = {
    "CALL_CHECK": ("Service-Type", "Call-Check"),
    "AUTHORIZE_ONLY": ("Service-Type", "Authorize-Only"),
    "WIRELESS_802_11": ("NAS-Port-Type", "Wireless-802.11"),
    "SESSION_CONTEXT_NOT_FOUND": ("Error-Cause", "Session-Context-Not-Found"),
}


def spelled(name: str) -> str:
    return name.replace("_", "-").upper().replace("THREE-GPP", "3GPP")


def test_each_attribute_has_the_number_that_the_dictionary_gives_it():
    listed = {}
    for name, found in DICTIONARY.attributes.items():
        vendor = DICTIONARY.vendors.GetForward(found.vendor) if found.vendor else None
        listed[name.upper()] = (vendor, found.code) if vendor else found.code
    ours = {
        spelled(name): value
        for name, value in vars(codes).items()
        if name.isupper() and name not in _UNLISTED and name not in _VALUES
    }
    assert ours == listed


def test_each_value_has_the_number_that_the_dictionary_gives_it():
    for name, (attribute, value) in _VALUES.items():
        encoded = DICTIONARY.attributes[attribute].values.GetForward(value)
        assert int.from_bytes(encoded) == getattr(codes, name)
    for status in codes.AcctStatusType:
        value = "-".join(word.capitalize() for word in status.name.split("_"))
        assert int.from_bytes(DICTIONARY.attributes["Acct-Status-Type"].values.GetForward(value)) == status


def test_packet_codes_are_those_of_pyrad():
    assert {code.value for code in codes.Code} <= {
        value for value in vars(pyrad).values() if isinstance(value, int)
    }
    assert pyrad.DisconnectRequest == codes.Code.DISCONNECT_REQUEST
    assert pyrad.CoANAK == codes.Code.COA_NAK
