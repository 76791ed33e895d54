"""Bodies as they are read: JSON, exact numbers, one clear refusal."""

import json
from decimal import Decimal
from typing import Any, Final, TypeVar

import msgspec
from litestar import Request
from litestar.exceptions import ClientException, HTTPException, InternalServerException

from ocs.units import Money, parse_micro

T = TypeVar("T")

# TMF630: application/json; RFC 7396 for PATCH. The order is that of the error text.
JSON_TYPES: Final = ("application/json", "application/merge-patch+json")
_NAME_CHARACTERS_SHOWN: Final = 64


async def read_json(request: Request[Any, Any, Any], kind: type[T]) -> T:
    """A request's JSON body as a record. Decimals keep their digits: no float stands between.

    Raises:
        HTTPException: 400, naming the attribute; 415 for another kind of content; 413 for too much of it.
    """
    content_type, _, _ = request.headers.get("content-type", "").partition(";")
    if content_type.strip().lower() not in JSON_TYPES:
        raise HTTPException(status_code=415, detail=f"Content-Type: {' or '.join(JSON_TYPES)} is expected")
    try:
        octets = await request.body()
        found = msgspec.json.decode(octets, type=kind)
        json.loads(octets, object_pairs_hook=_named_once, parse_float=_passed_over, parse_int=_passed_over)
    except msgspec.DecodeError as error:
        raise ClientException(f"the body: {error}") from None
    except UnicodeDecodeError:
        raise ClientException("the body: it is not UTF-8") from None
    except RecursionError:
        raise ClientException("the body: it is nested too deeply") from None
    except InternalServerException:  # Litestar's word for a client that has gone, which is no fault of ours
        raise ClientException("the body: it broke off") from None
    return found


def _named_once(pairs: list[tuple[str, object]]) -> None:
    """Refuse an object that names an attribute twice: who looked at it before us may have read the other one.

    Source: RFC 7493 section 2.3.
    """
    names: set[str] = set()
    for name, _ in pairs:
        if name in names:
            raise ClientException(f"the body: {name[:_NAME_CHARACTERS_SHOWN]!r} stands there twice")
        names.add(name)


def _passed_over(_number: str) -> None:
    """Numbers have been read already."""


class MoneyBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An amount: a decimal as text or number, such as ``"5.00"``, and its currency."""

    amount: Decimal
    currency: str

    def money(self) -> Money:
        """The same in micro-units.

        Raises:
            AmountError: finer than a micro-unit, or no plain number.
        """
        is_plain = self.amount.is_finite() and abs(self.amount.adjusted()) <= 30
        return Money(parse_micro(f"{self.amount:f}" if is_plain else str(self.amount)), self.currency)
