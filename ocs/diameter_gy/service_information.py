"""What charging wants from 3GPP's containers: parties, access point, serving network (TS 32.299 section 7.2).

The containers differ between vendors and releases and are wide; this reads the few AVPs that a price may
depend on, wherever they stand (old GGSNs send them at the top level), and steps over the rest.
"""

from typing import Final

import msgspec

from ocs.diameter_gy import codes
from ocs.diameter_gy.avp import VENDOR_FLAG, Avp, split_tree
from ocs.diameter_gy.dictionary import DEFINITIONS, VENDOR_3GPP, AvpType
from ocs.diameter_gy.errors import AvpUnsupported, DiameterError, InvalidAvpValue
from ocs.diameter_gy.grammar import (
    IGNORED,
    TOLERATED,
    VENDOR,
    ShapeTable,
    ToleratedAvp,
    avp_at,
    describe_code,
    fault_of,
)
from ocs.diameter_gy.subscription import party_of, subscriptions_of
from ocs.limits import AVP_DEPTH_MAX, MEDIA_PER_CALL_MAX
from ocs.messages import NO_CONTEXT, RoleOfNode, UsageContext

# Places for one value each, first come first kept; of _SUBSCRIPTION and _MEDIA all that come; _GROUP and above are
# walked into.
(
    _CALLED,
    _REQUESTED,
    _CALLING,
    _ACCESS_POINT,
    _SGSN_NETWORK,
    _GGSN_NETWORK,
    _LOCATION,
    _IMSI,
    _RAT_TYPE,
    _ROLE_OF_NODE,
    _MMS_MESSAGE_TYPE,
    _SM_MESSAGE_TYPE,
    _APPLICATION,
    _ADDRESS_DATA,
    _SUBSCRIPTION,
    _MEDIA,
    _GROUP,
    _CALLED_GROUP,
    _CALLING_GROUP,
    _RECIPIENT_GROUP,
) = range(20)
_KINDS: Final = {
    (VENDOR_3GPP, codes.SERVICE_INFORMATION): _GROUP,
    (VENDOR_3GPP, codes.PS_INFORMATION): _GROUP,
    (VENDOR_3GPP, codes.IMS_INFORMATION): _GROUP,
    (VENDOR_3GPP, codes.SMS_INFORMATION): _GROUP,
    (VENDOR_3GPP, codes.MMS_INFORMATION): _GROUP,
    (VENDOR_3GPP, codes.SDP_MEDIA_COMPONENT): _GROUP,
    (VENDOR_3GPP, codes.RECIPIENT_INFO): _RECIPIENT_GROUP,
    (VENDOR_3GPP, codes.RECIPIENT_ADDRESS): _CALLED_GROUP,
    (VENDOR_3GPP, codes.RECIPIENT_RECEIVED_ADDRESS): _CALLED_GROUP,
    (VENDOR_3GPP, codes.ORIGINATOR_ADDRESS): _CALLING_GROUP,
    (VENDOR_3GPP, codes.ORIGINATOR_RECEIVED_ADDRESS): _CALLING_GROUP,
    (VENDOR_3GPP, codes.ADDRESS_DATA): _ADDRESS_DATA,
    (VENDOR_3GPP, codes.CALLED_PARTY_ADDRESS): _CALLED,
    (VENDOR_3GPP, codes.REQUESTED_PARTY_ADDRESS): _REQUESTED,
    (VENDOR_3GPP, codes.CALLING_PARTY_ADDRESS): _CALLING,
    (VENDOR_3GPP, codes.TGPP_SGSN_MCC_MNC): _SGSN_NETWORK,
    (VENDOR_3GPP, codes.TGPP_GGSN_MCC_MNC): _GGSN_NETWORK,
    (VENDOR_3GPP, codes.TGPP_USER_LOCATION_INFO): _LOCATION,
    (VENDOR_3GPP, codes.TGPP_IMSI): _IMSI,
    (VENDOR_3GPP, codes.TGPP_RAT_TYPE): _RAT_TYPE,
    (VENDOR_3GPP, codes.ROLE_OF_NODE): _ROLE_OF_NODE,
    (VENDOR_3GPP, codes.MESSAGE_TYPE): _MMS_MESSAGE_TYPE,
    (VENDOR_3GPP, codes.SM_MESSAGE_TYPE): _SM_MESSAGE_TYPE,
    (VENDOR_3GPP, codes.TDF_APPLICATION_IDENTIFIER): _APPLICATION,
    (VENDOR_3GPP, codes.SDP_MEDIA_NAME): _MEDIA,
    (0, codes.CALLED_STATION_ID): _ACCESS_POINT,
    (0, codes.SUBSCRIPTION_ID): _SUBSCRIPTION,
}
# The AVPs of these containers that are also read when they stand at the top level of a request.
LOOSE_AVPS: Final = frozenset(key for key in _KINDS if key != (0, codes.SUBSCRIPTION_ID))

# Geographic-Location-Types whose octets 1 to 3 are a PLMN (TS 29.061 section 16.4.7.2, TS 29.274 section 8.21).
_LOCATION_TYPES_WITH_PLMN: Final = frozenset({0, 1, 2, 128, 129, 130, 135, 136, 137})
CONTAINER: Final = "Service-Information"

# 3GPP-RAT-Type (TS 29.061 section 16.4.7.2, TS 29.274 section 8.17).
_RAT_TYPES: Final = {
    1: "utran",
    2: "geran",
    3: "wlan",
    4: "gan",
    5: "hspa-evolution",
    6: "eutran",
    7: "virtual",
    8: "nb-iot",
    9: "lte-m",
    10: "nr",
    51: "nr",
    101: "wimax",
    102: "ehrpd",
    103: "hrpd",
    104: "cdma2000-1x",
    105: "umb",
}
# TS 32.299: Message-Type of MMS names the PDU of the MMS protocol.
_MMS_MESSAGE_TYPES: Final = (
    "", "m-send-req", "m-send-conf", "m-notification-ind", "m-notifyresp-ind", "m-retrieve-conf", "m-acknowledge-ind",
    "m-delivery-ind", "m-read-rec-ind", "m-read-orig-ind", "m-forward-req", "m-forward-conf", "m-mbox-store-conf",
    "m-mbox-view-conf", "m-mbox-upload-conf", "m-mbox-delete-conf",
)  # fmt: skip
_SM_MESSAGE_TYPES: Final = (
    "submission",
    "delivery-report",
    "service-request",
    "t4-device-trigger",
    "sm-device-trigger",
    "mo-sms-t4-submission",
)
_ROLES: Final = {role.value: role for role in RoleOfNode}


class ServiceInformation(msgspec.Struct, frozen=True):
    """The findings; empty where the request does not say."""

    context: UsageContext = NO_CONTEXT
    subscription_ids: tuple[str, ...] = ()
    tolerated: tuple[ToleratedAvp, ...] = ()


NOTHING: Final = ServiceInformation()


class ServiceInformationDecoder:
    """Reads Service-Information, and what belongs into it but stands beside it.

    Args:
        tolerates_unknown: let unknown AVPs with the M bit pass; otherwise every group is searched for them.
    """

    def __init__(self, *, tolerates_unknown: bool) -> None:
        self._tolerates_unknown = tolerates_unknown
        self._table = ShapeTable(CONTAINER, _KINDS, tolerates_unknown=tolerates_unknown)

    def decode(self, avps: bytes) -> ServiceInformation:
        """Read encoded AVPs.

        Raises:
            DiameterError: the containers cannot be taken apart, a party's address is not text, a
                Subscription-Id in them is wrong, or an AVP with the M bit is unknown and not tolerated.
        """
        found = _Found()
        tolerated: list[ToleratedAvp] = []
        self._collect(avps, found, tolerated, _ADDRESS_DATA, 1)
        if not self._tolerates_unknown:
            split_tree(avps, _check_known)
        places = found.places
        return ServiceInformation(
            context=UsageContext(
                called_party=_party(codes.CALLED_PARTY_ADDRESS, places[_CALLED] or places[_REQUESTED]),
                calling_party=_party(codes.CALLING_PARTY_ADDRESS, places[_CALLING]),
                access_point_name=places[_ACCESS_POINT].decode("utf-8", "replace").lower(),
                serving_network=_serving_network(places),
                rat_type=_RAT_TYPES.get(places[_RAT_TYPE][0], "") if places[_RAT_TYPE] else "",
                user_location=places[_LOCATION].hex(),
                role_of_node=_ROLES.get(_number(places[_ROLE_OF_NODE])),
                recipients=found.recipients or found.recipient_addresses or 1,
                media=tuple(found.media),
                message_type=_message_type(places),
                application=places[_APPLICATION].decode("utf-8", "replace"),
            ),
            subscription_ids=subscriptions_of(found.subscriptions) or _imsi(places[_IMSI]),
            tolerated=tuple(tolerated),
        )

    def _collect(
        self, data: bytes, found: "_Found", tolerated: list[ToleratedAvp], address_place: int, depth: int
    ) -> None:
        """Walk one level; ``address_place`` is where Address-Data of this level goes."""
        table, places = self._table, found.places
        start, end = 0, len(data)
        while start < end:
            kind, header_octets, length, step = table[data[start : start + 8]]
            if kind == VENDOR:
                kind, header_octets, length, step = table[data[start : start + 12]]
            stop = start + length
            if stop > end or kind > TOLERATED:
                raise fault_of(data, start, end, kind)
            if kind == TOLERATED:
                avp = avp_at(data, start)
                tolerated.append(ToleratedAvp(CONTAINER, avp.vendor_id, avp.code))
            elif kind == IGNORED:
                pass
            elif kind == _SUBSCRIPTION:
                found.subscriptions += avp_at(data, start).encoded
            elif kind == _MEDIA:
                found.add_media(data[start + header_octets : stop])
            elif kind >= _GROUP:
                found.count(kind)
                self._enter(data[start:stop], header_octets, found, tolerated, depth, kind)
            else:
                place = address_place if kind == _ADDRESS_DATA else kind
                if not places[place]:
                    places[place] = data[start + header_octets : stop]
            start += step

    def _enter(
        self,
        group: bytes,
        header_octets: int,
        found: "_Found",
        tolerated: list[ToleratedAvp],
        depth: int,
        kind: int,
    ) -> None:
        avp = avp_at(group, 0)
        if depth >= AVP_DEPTH_MAX:
            raise InvalidAvpValue(
                f"groups are nested deeper than {AVP_DEPTH_MAX}", avp._replace(data=b"").encoded
            )
        address_place = {_CALLED_GROUP: _CALLED, _CALLING_GROUP: _CALLING}.get(kind, _ADDRESS_DATA)
        try:
            self._collect(group[header_octets:], found, tolerated, address_place, depth + 1)
        except DiameterError as error:
            error.failed_avp = avp._replace(data=error.failed_avp).encoded
            raise


class _Found:
    """What was found in the containers so far.

    Attributes:
        places: single values by kind, empty where there is none. subscriptions: encoded, with their headers.
        recipients: Recipient-Infos of a short message, each of one recipient under one or more addresses.
        recipient_addresses: recipient addresses, of which a multimedia message has one for each recipient.
    """

    __slots__ = ("media", "places", "recipient_addresses", "recipients", "subscriptions")

    def __init__(self) -> None:
        self.places = [b""] * _SUBSCRIPTION
        self.subscriptions = b""
        self.media: list[str] = []
        self.recipients = self.recipient_addresses = 0

    def count(self, kind: int) -> None:
        """Take note of a group that stands for a recipient."""
        if kind == _RECIPIENT_GROUP:
            self.recipients += 1
        elif kind == _CALLED_GROUP:
            self.recipient_addresses += 1

    def add_media(self, name: bytes) -> None:
        """Add the media of an SDP line ``m=audio 49170 RTP/AVP 0``, each once (RFC 4566 section 5.14)."""
        words = name.decode("utf-8", "replace").lower().removeprefix("m=").split(maxsplit=1)
        if words and words[0] not in self.media and len(self.media) < MEDIA_PER_CALL_MAX:
            self.media.append(words[0])


def _check_known(avp: Avp) -> bool:
    """Tell whether an AVP is a group; refuse one that is unknown with the M bit."""
    definition = DEFINITIONS.get((avp.vendor_id, avp.code))
    if definition is None and avp.is_mandatory:
        name = describe_code(avp.vendor_id, avp.code)
        raise AvpUnsupported(f"{name} has the M bit and is unknown", avp.encoded)
    return definition is not None and definition.type == AvpType.GROUPED


def _party(code: int, data: bytes) -> str:
    try:
        return party_of(data.decode())
    except UnicodeDecodeError:
        failed = Avp(code, VENDOR_3GPP, VENDOR_FLAG, data).encoded
        raise InvalidAvpValue(f"{describe_code(VENDOR_3GPP, code)} is not UTF-8", failed) from None


def _imsi(data: bytes) -> tuple[str, ...]:
    return (f"imsi:{data.decode()}",) if data.isdigit() else ()


def _number(data: bytes) -> int:
    """The value of an Enumerated; one of another length is none that we know."""
    return int.from_bytes(data, "big") if len(data) == 4 else -1


def _message_type(places: list[bytes]) -> str:
    for place, names in ((_SM_MESSAGE_TYPE, _SM_MESSAGE_TYPES), (_MMS_MESSAGE_TYPE, _MMS_MESSAGE_TYPES)):
        number = _number(places[place])
        if 0 <= number < len(names):
            return names[number]
    return ""


def _serving_network(found: list[bytes]) -> str:
    """MCC and MNC of the serving node, else of the cell; the GGSN may stand at home and comes last."""
    if _is_network(found[_SGSN_NETWORK]):
        return found[_SGSN_NETWORK].decode()
    location = found[_LOCATION]
    if len(location) >= 4 and location[0] in _LOCATION_TYPES_WITH_PLMN:
        nibbles = location[1:4].hex()
        # Octets hold digits in swapped order; the third digit of MNC stands before it, F when it has two.
        mcc, mnc = nibbles[1] + nibbles[0] + nibbles[3], nibbles[5] + nibbles[4] + nibbles[2].rstrip("f")
        if (mcc + mnc).isdigit():
            return mcc + mnc
    return found[_GGSN_NETWORK].decode() if _is_network(found[_GGSN_NETWORK]) else ""


def _is_network(data: bytes) -> bool:
    return len(data) in (5, 6) and data.isdigit()
