"""What all TM Forum resources share: identity, references, quantities, times. Pure.

Numbers are decimals from the first octet to the last: no float ever holds an amount.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

import msgspec

_PATH_SAFE: Final = (
    ":@!$&'()*+,;="  # with letters, digits and -._~ what a segment may hold (RFC 3986 section 3.3)
)
_LATEST_MS: Final = 253_402_300_799_000  # 9999-12-31T23:59:59Z

Attributes = dict[str, Any]

_encode_json: Final = msgspec.json.Encoder(decimal_format="number").encode


class ResourceType(msgspec.Struct, frozen=True):
    """One resource of an API.

    Attributes:
        name: as ``@type`` shows it: ``TopupBalance``.
        path: under the API's base, which is also its name in events: ``topupBalance``.
        base: of the API: ``/tmf-api/prepayBalanceManagement/v4``. domain: as its events name it.
        attributes: every name at its first level.
        written: what a client may write of it, from which its description takes the types.
    """

    name: str
    path: str
    base: str
    domain: str
    attributes: frozenset[str]
    written: type[msgspec.Struct] | None = None

    def href(self, identifier: str) -> str:
        """Where one resource is found, from the server's root; what a path does not take is percent-encoded."""
        return f"{self.base}/{self.path}/{quote(identifier, safe=_PATH_SAFE)}"


class TimePeriod(msgspec.Struct, frozen=True, omit_defaults=True):
    """From when until when; an end that is missing is never."""

    startDateTime: datetime | None = None  # noqa: N815 - the API's spelling
    endDateTime: datetime | None = None  # noqa: N815 - likewise


class Quantity(msgspec.Struct, frozen=True):
    """An amount of something."""

    amount: Decimal
    units: str = ""


class Reference(msgspec.Struct, frozen=True, omit_defaults=True):
    """A pointer to another resource."""

    id: str
    href: str = ""
    name: str = ""
    role: str = ""
    referred_type: str = msgspec.field(name="@referredType", default="")


def identified(kind: ResourceType, identifier: str, attributes: Attributes) -> Attributes:
    """Give a resource its id, href and type; attributes that are None are left out."""
    body: Attributes = {"id": identifier, "href": kind.href(identifier), "@type": kind.name}
    body |= {name: value for name, value in attributes.items() if value is not None}
    return body


def encode_body(body: Any) -> bytes:
    """A resource as JSON; decimals become numbers with exactly their digits."""
    return _encode_json(body)


def date_time(epoch_ms: int) -> str:
    """Epoch milliseconds as RFC 3339 in UTC: ``2026-01-31T23:59:59.000Z``."""
    moment = datetime.fromtimestamp(min(epoch_ms, _LATEST_MS) / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def period(start_ms: int, end_ms: int) -> Attributes | None:
    """A ``TimePeriod``; 0 is for ever, and None is from always until never."""
    bounds = {"startDateTime": start_ms, "endDateTime": end_ms}
    shown = {name: date_time(value) for name, value in bounds.items() if value}
    return shown or None
