"""What is put in place of a mistake, so that the rest of its entry can be looked at.

A stand-in never makes a catalogue usable: where one is needed, there is an error to tell.
"""

from difflib import get_close_matches
from typing import Any, Final, cast

import msgspec

from ocs.rating.positions import Path
from ocs.rating.schema import CatalogueFile, ConditionsTable, PriceTable
from ocs.rating.shapes import choices_of, table_at, takes_text

# Texts that are numbers; one is as good as another.
_NUMBERS: Final = frozenset(("amount", "at_least", "percent", "rate"))
# Lists of digits, of which an entry may need one.
_DIGITS: Final = frozenset(("prefixes", "numbers"))
_CONDITIONS: Final = frozenset(field.encode_name for field in msgspec.structs.fields(ConditionsTable))
_UNITS: Final = {"data": "octets", "voice": "seconds"}
_QUOTAS: Final = {"input_octets": "octets", "output_octets": "octets"}
_LAST_RATING_GROUP: Final = 2**32 - 1
_SOME_DIGITS: Final = "999000999"
_STAND_IN_DIGITS: Final = f"['{_SOME_DIGITS}"


def mend(table: dict[str, Any], path: Path, text: str, number: int) -> bool:
    """Take the mistake out of a table; False when it cannot be told what else the table means.

    Args:
        table: as read, with the mistake; changed in place.
        path: of the wrong key in its file, or of one that is missing.
        text: what was told of it.
        number: another one for each mistake.
    """
    struct, key = table_at(CatalogueFile, path[:-1]), path[-1]
    if struct is None or not isinstance(key, str):
        return False
    field = {field.encode_name: field for field in msgspec.structs.fields(struct)}.get(key)
    if field is None:
        table.pop(key, None)
        return True
    value: Any = table.get(key)
    choices = choices_of(field.type)
    is_condition = issubclass(struct, PriceTable) and key in _CONDITIONS
    kept = _without(value, text)
    if kept:
        table[key] = kept
    elif key in _DIGITS and not str(value).startswith(_STAND_IN_DIGITS):
        table[key] = [f"{_SOME_DIGITS}{number:06}"]
    elif isinstance(value, int | float) and not isinstance(value, bool) and takes_text(field.type):
        table[key] = str(value)
    elif choices and not is_condition:
        likely = get_close_matches(str(value), choices, 1) or [_UNITS.get(str(table.get("service")), "")]
        table[key] = likely[0] if likely[0] in choices else choices[0]
    elif not field.required:
        table.pop(key, None)
    elif key in _NUMBERS:
        table[key] = "1"
    else:
        return False
    if (is_condition and not kept) or key == "service":
        # As it stands now it would hold elsewhere and compete with others: so it meets none of them.
        table["rating_groups"] = [_LAST_RATING_GROUP - number]
    return True


def _without(value: Any, text: str) -> list[Any]:
    """What is right of a list, by what was told of the rest of it."""
    items = cast("list[Any]", value) if isinstance(value, list) else []
    kept = [item for item in items if repr(item) not in text]
    return kept if len(kept) < len(items) else []


def stand_in_quota(unit: str, number: int) -> dict[str, Any]:
    """A quota for prices of a unit, where the catalogue has none: a mistake of its own, not of each price."""
    return {
        "id": f"stand-in-{number}",
        "unit": _QUOTAS.get(unit, unit),
        "standard": True,
        "default": 1,
        "minimum": 1,
        "maximum": 1,
        "validity_time": 60,
    }
