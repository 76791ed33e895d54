"""What the ``diameter`` package knows of AVPs, corrected and completed: the origin of ``avps.txt``.

No process loads it. After a new version of the package, or another correction here, write the file anew:
``python -m ocs.diameter_gy.package_tables``. A test fails until that is done.
"""

from typing import Final

from diameter.message.avp import avp as package_avp
from diameter.message.avp import dictionary as package_dictionary

from ocs.diameter_gy.dictionary import AVPS_FILE, MANDATORY_MARK, VENDOR_3GPP, AvpDefinition, AvpType

_PACKAGE_TYPES: Final[dict[type, AvpType]] = {
    package_avp.AvpAddress: AvpType.ADDRESS,
    package_avp.AvpEnumerated: AvpType.ENUMERATED,
    package_avp.AvpFloat32: AvpType.FLOAT32,
    package_avp.AvpFloat64: AvpType.FLOAT64,
    package_avp.AvpGrouped: AvpType.GROUPED,
    package_avp.AvpInteger32: AvpType.INTEGER32,
    package_avp.AvpInteger64: AvpType.INTEGER64,
    package_avp.AvpOctetString: AvpType.OCTET_STRING,
    package_avp.AvpTime: AvpType.TIME,
    package_avp.AvpUnsigned32: AvpType.UNSIGNED32,
    package_avp.AvpUnsigned64: AvpType.UNSIGNED64,
    package_avp.AvpUtf8String: AvpType.UTF8_STRING,
}

# --- What the package has wrong or lacks ---------------------------------------------------------------
# The package makes no difference between Enumerated and Integer32, nor between OctetString and the types
# derived from it. These are the ones of the base protocol and of charging.
_ENUMERATED: Final = {
    0: (
        {261, 270, 271, 273, 274, 277, 285, 295, 301, 480, 483}  # RFC 6733, RFC 7944
        | {416, 418, 422, 426, 427, 428, 433, 436, 449, 450, 452, 454, 455, 459}  # RFC 8506
        | {6, 7, 10, 13, 15, 29, 40, 45, 61, 64, 65, 72, 76, 403, 406, 408}  # RFC 7155
    ),
    VENDOR_3GPP: {
        3, 829, 862, 864, 867, 870, 872, 898, 899, 1032, 1211, 1268, 1271, 1417, 1469, 2007, 2020, 2047, 2051,
        2055, 3912, 4406,
    },
}  # fmt: skip
_DIAMETER_IDENTITY: Final = {
    0: {264, 275, 280, 282, 283, 293, 294, 296, 620, 649},
    VENDOR_3GPP: {316, 317, 318, 3340, 3341, 3342, 3343},
}
_DIAMETER_URI: Final = {0: {292}}
_IP_FILTER_RULE: Final = {0: {400, 438}, VENDOR_3GPP: {312, 507}}

# Without the M bit: RFC 6733 section 4.5 and RFC 8506 section 8, where the package has it set.
_NOT_MANDATORY: Final = {
    0: {267, 269, 281, 294, 411, 440, 441, 442, 458, 459, 460, *range(653, 670)},
}

_RENAMED: Final = {(VENDOR_3GPP, 872): "Reporting-Reason"}

_ADDED: Final = (
    AvpDefinition(268, 0, "Result-Code", AvpType.UNSIGNED32, mandatory=True),
    AvpDefinition(299, 0, "Inband-Security-Id", AvpType.UNSIGNED32, mandatory=True),
    AvpDefinition(291, 0, "Authorization-Lifetime", AvpType.UNSIGNED32, mandatory=True),
    AvpDefinition(659, 0, "Subscription-Id-Extension", AvpType.GROUPED, mandatory=False),
    AvpDefinition(660, 0, "Subscription-Id-E164", AvpType.UTF8_STRING, mandatory=False),
    AvpDefinition(661, 0, "Subscription-Id-IMSI", AvpType.UTF8_STRING, mandatory=False),
    AvpDefinition(662, 0, "Subscription-Id-SIP-URI", AvpType.UTF8_STRING, mandatory=False),
    AvpDefinition(663, 0, "Subscription-Id-NAI", AvpType.UTF8_STRING, mandatory=False),
    AvpDefinition(664, 0, "Subscription-Id-Private", AvpType.UTF8_STRING, mandatory=False),
    AvpDefinition(23, 0, "Framed-IPX-Network", AvpType.UTF8_STRING, mandatory=True),
    AvpDefinition(10, VENDOR_3GPP, "3GPP-NSAPI", AvpType.UTF8_STRING, mandatory=True),
    AvpDefinition(3423, VENDOR_3GPP, "ISUP-Cause-Location", AvpType.INTEGER32, mandatory=True),
)


def _corrected_type(vendor_id: int, code: int, package_type: AvpType) -> AvpType:
    for corrected, codes in (
        (AvpType.ENUMERATED, _ENUMERATED),
        (AvpType.DIAMETER_IDENTITY, _DIAMETER_IDENTITY),
        (AvpType.DIAMETER_URI, _DIAMETER_URI),
        (AvpType.IP_FILTER_RULE, _IP_FILTER_RULE),
    ):
        if code in codes.get(vendor_id, ()):
            return corrected
    return package_type


def package_definitions() -> dict[tuple[int, int], AvpDefinition]:
    """The package's AVPs by vendor and code, corrected and completed."""
    tables = package_dictionary.AVP_VENDOR_DICTIONARY | {0: package_dictionary.AVP_DICTIONARY}
    definitions: dict[tuple[int, int], AvpDefinition] = {}
    for vendor_id, table in tables.items():
        for code, entry in table.items():
            name = _RENAMED.get((vendor_id, code), entry["name"])
            avp_type = _corrected_type(vendor_id, code, _PACKAGE_TYPES[entry["type"]])
            mandatory = bool(entry.get("mandatory")) and code not in _NOT_MANDATORY.get(vendor_id, ())
            definitions[vendor_id, code] = AvpDefinition(code, vendor_id, name, avp_type, mandatory)
    for definition in _ADDED:
        definitions[definition.vendor_id, definition.code] = definition
    return definitions


def avps_text() -> str:
    """The text of ``avps.txt``."""
    return "".join(
        f"{one.vendor_id}\t{one.code}\t{one.name}\t{one.type.name}\t{MANDATORY_MARK if one.mandatory else ''}\n"
        for one in package_definitions().values()
    )


if __name__ == "__main__":
    AVPS_FILE.write_text(avps_text(), encoding="ascii")
