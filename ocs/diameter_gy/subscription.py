"""Who is charged and who talks to whom: identities out of Subscription-Id, User-Name and party addresses.

Identities come out as ``"kind:value"`` with kind ``e164`` (digits without "+"), ``imsi``, ``sip``, ``nai`` or
``private``, so that one subscriber is one text however a gateway writes it.
"""

import re
from typing import Final

from ocs.diameter_gy import codes
from ocs.diameter_gy.avp import Avp, decode_enumerated, decode_utf8_string, split_avps
from ocs.diameter_gy.errors import DiameterError, InvalidAvpValue
from ocs.diameter_gy.grammar import missing
from ocs.diameter_gy.service_units import within

# Subscription-Id-Type (RFC 8506 section 8.47).
_E164, _IMSI, _SIP_URI, _NAI, _PRIVATE = range(5)
_KIND_OF_TYPE: Final = ("e164", "imsi", "sip", "nai", "private")
_TYPE_OF_EXTENSION: Final = {
    codes.SUBSCRIPTION_ID_E164: _E164,
    codes.SUBSCRIPTION_ID_IMSI: _IMSI,
    codes.SUBSCRIPTION_ID_SIP_URI: _SIP_URI,
    codes.SUBSCRIPTION_ID_NAI: _NAI,
    codes.SUBSCRIPTION_ID_PRIVATE: _PRIVATE,
}
_SCHEME: Final = re.compile(r"(?:sips?|tel|im|pres):", re.ASCII | re.IGNORECASE)
# Visual separators of a tel URI (RFC 3966 section 3) and the sign of a global number.
_SEPARATORS: Final = str.maketrans("", "", "-.() ")
_NUMBER: Final = re.compile(r"\+?\d+", re.ASCII)
# An IMSI has 15 digits, in old networks 14; a subscriber's E.164 number of that length is hardly in use.
_IMSI_DIGITS_MIN: Final = 14
_IMSI_DIGITS_MAX: Final = 15


def subscriptions_of(avps: bytes) -> tuple[str, ...]:
    """Read Subscription-Id and Subscription-Id-Extension AVPs, in order, each identity once.

    A SIP URI whose user is a telephone number is followed by that number.

    Raises:
        DiameterError: type or data missing, an unknown type, or text that is not UTF-8.
    """
    identities: dict[str, None] = {}
    for avp in split_avps(avps):
        try:
            read = _of_subscription_id if avp.code == codes.SUBSCRIPTION_ID else _of_extension
            found = read(avp)
        except DiameterError as error:
            raise within(avp.code, error) from None
        identities.update(dict.fromkeys(found))
    return tuple(identities)


def _of_subscription_id(group: Avp) -> list[str]:
    parts = {avp.code: avp for avp in split_avps(group.data)}
    if codes.SUBSCRIPTION_ID_TYPE not in parts:
        raise missing(codes.SUBSCRIPTION_ID_TYPE)
    if codes.SUBSCRIPTION_ID_DATA not in parts:
        raise missing(codes.SUBSCRIPTION_ID_DATA)
    kind = decode_enumerated(parts[codes.SUBSCRIPTION_ID_TYPE])
    if not 0 <= kind < len(_KIND_OF_TYPE):
        raise InvalidAvpValue(
            f"Subscription-Id-Type {kind} is unknown", parts[codes.SUBSCRIPTION_ID_TYPE].encoded
        )
    return _identities(kind, decode_utf8_string(parts[codes.SUBSCRIPTION_ID_DATA]))


def _of_extension(group: Avp) -> list[str]:
    found: list[str] = []
    for avp in split_avps(group.data):
        kind = _TYPE_OF_EXTENSION.get(avp.code) if avp.vendor_id == 0 else None
        if kind is not None:
            found += _identities(kind, decode_utf8_string(avp))
    return found


def _identities(kind: int, text: str) -> list[str]:
    text = text.strip()
    if not text:
        return []
    if kind == _E164:
        return [f"e164:{telephone_digits(text)}"]
    if kind == _SIP_URI:
        user, has_host, _ = _without_scheme(text).partition("@")
        number = user.translate(_SEPARATORS)
        if text[:4].lower() == "tel:" or not has_host:
            is_number = _NUMBER.fullmatch(number) is not None
            return [f"e164:{number.lstrip('+')}" if is_number else f"sip:{user}"]
        identities = [f"sip:{_without_scheme(text)}"]
        if _NUMBER.fullmatch(number) is not None:
            identities.append(f"e164:{number.lstrip('+')}")
        return identities
    return [f"{_KIND_OF_TYPE[kind]}:{text}"]


def subscriptions_of_user_name(text: str) -> tuple[str, ...]:
    """Read a User-Name that stands in for Subscription-Id: an NAI, an IMSI or a telephone number."""
    text = text.strip()
    if not text:
        return ()
    if _NUMBER.fullmatch(text) is None:
        return (f"nai:{text}",)
    if text[0] != "+" and _IMSI_DIGITS_MIN <= len(text) <= _IMSI_DIGITS_MAX:
        return (f"imsi:{text}",)
    return (f"e164:{text.lstrip('+')}",)


def telephone_digits(text: str) -> str:
    """A telephone number's digits, without "+" and visual separators; other text is left as it is."""
    number = text.translate(_SEPARATORS)
    return number.lstrip("+") if _NUMBER.fullmatch(number) is not None else text


def party_of(text: str) -> str:
    """The number (digits without "+") or SIP user of a party address such as ``tel:+49-30-1`` or a SIP URI."""
    return telephone_digits(_without_scheme(text.strip()).partition("@")[0])


def _without_scheme(uri: str) -> str:
    """A URI without scheme, parameters and headers: ``user@host``."""
    match = _SCHEME.match(uri)
    address = uri[match.end() :] if match else uri
    user, at, host = address.partition("@")
    return user.partition(";")[0] + at + host.partition(";")[0].partition("?")[0]
