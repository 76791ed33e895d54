"""Numbers of RADIUS: packet codes, attributes and the values of theirs that mean something to us.

``dictionary.txt`` beside this file says the same in the form that other programs read; a test holds both together.
"""

from enum import IntEnum
from typing import Final


class Code(IntEnum):
    """Packet types (RFC 2865 section 3, RFC 2866 section 3, RFC 5176 section 2.3, RFC 5997 section 3)."""

    ACCESS_REQUEST = 1
    ACCESS_ACCEPT = 2
    ACCESS_REJECT = 3
    ACCOUNTING_REQUEST = 4
    ACCOUNTING_RESPONSE = 5
    STATUS_SERVER = 12
    DISCONNECT_REQUEST = 40
    DISCONNECT_ACK = 41
    DISCONNECT_NAK = 42
    COA_REQUEST = 43
    COA_ACK = 44
    COA_NAK = 45


# RFC 2865 section 5.
USER_NAME: Final = 1
USER_PASSWORD: Final = 2
CHAP_PASSWORD: Final = 3
NAS_IP_ADDRESS: Final = 4
NAS_PORT: Final = 5
SERVICE_TYPE: Final = 6
FRAMED_IP_ADDRESS: Final = 8
REPLY_MESSAGE: Final = 18
CLASS: Final = 25
VENDOR_SPECIFIC: Final = 26
SESSION_TIMEOUT: Final = 27
CALLED_STATION_ID: Final = 30
CALLING_STATION_ID: Final = 31
NAS_IDENTIFIER: Final = 32
PROXY_STATE: Final = 33
NAS_PORT_TYPE: Final = 61
# RFC 2866 section 5.
ACCT_STATUS_TYPE: Final = 40
ACCT_DELAY_TIME: Final = 41
ACCT_INPUT_OCTETS: Final = 42
ACCT_OUTPUT_OCTETS: Final = 43
ACCT_SESSION_ID: Final = 44
ACCT_SESSION_TIME: Final = 46
# RFC 2869 section 5.
ACCT_INPUT_GIGAWORDS: Final = 52
ACCT_OUTPUT_GIGAWORDS: Final = 53
EVENT_TIMESTAMP: Final = 55
EAP_MESSAGE: Final = 79
MESSAGE_AUTHENTICATOR: Final = 80
ACCT_INTERIM_INTERVAL: Final = 85
# RFC 4372, RFC 3162, RFC 5176.
CHARGEABLE_USER_IDENTITY: Final = 89
NAS_IPV6_ADDRESS: Final = 95
ERROR_CAUSE: Final = 101

# Vendor-Specific (RFC 2865 section 5.26): (vendor, attribute).
THREE_GPP_IMSI: Final = (10415, 1)  # TS 29.061 section 16.4.7
CHILLISPOT_MAX_TOTAL_OCTETS: Final = (14559, 3)
CHILLISPOT_MAX_TOTAL_GIGAWORDS: Final = (14559, 23)
MIKROTIK_TOTAL_LIMIT: Final = (14988, 17)
MIKROTIK_TOTAL_LIMIT_GIGAWORDS: Final = (14988, 18)


class AcctStatusType(IntEnum):
    """Acct-Status-Type (RFC 2866 section 5.1)."""

    START = 1
    STOP = 2
    INTERIM_UPDATE = 3
    ACCOUNTING_ON = 7
    ACCOUNTING_OFF = 8


# Service-Type: the NAS, or the proxy before us, has done what authentication there is (RFC 2865 section 5.6).
CALL_CHECK: Final = 10
AUTHORIZE_ONLY: Final = 17
# NAS-Port-Type (RFC 2865 section 5.41).
WIRELESS_802_11: Final = 19
# Error-Cause (RFC 5176 section 3.5).
SESSION_CONTEXT_NOT_FOUND: Final = 503
