"""What changed between two catalogues, in the words of whoever writes them: entries by id, keys from what to what."""

from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal, cast

import msgspec

from ocs.rating.schema import CatalogueSource

_ONE_OF: Final = {
    "allowances": "allowance",
    "bonuses": "bonus",
    "charges": "charge",
    "discounts": "discount",
    "groups": "group",
    "networks": "network group",
    "offers": "offer",
    "periods": "period",
    "prices": "price",
    "quotas": "quota",
    "taxes": "tax",
    "tiers": "tier",
    "zones": "zone",
}
_AMOUNTS: Final = {"amount", "connection_fee", "opening_balance", "credit_limit"}

Kind = Literal["added", "removed", "changed"]


class Change(msgspec.Struct, frozen=True):
    """One difference.

    Attributes:
        entry: what it is about: ``offer prepaid-basic, price voice``.
        key: which of its keys; empty where the whole entry came or went.
        before: what stood there; None where there was nothing. after: likewise.
    """

    kind: Kind
    entry: str
    key: str = ""
    before: Any = None
    after: Any = None

    def __str__(self) -> str:
        if not self.key:
            return f"{self.entry}: {self.kind}{_summary(self.before or self.after)}"
        before, after = self.before, self.after
        if isinstance(before, list) and isinstance(after, list):
            return f"{self.entry}: {self.key}: {_list_change(_items(before), _items(after))}"
        shown = f"{self.entry}: {self.key}: {_said(before)} -> {_said(after)}"
        return shown + (_percentage(before, after) if self.key in _AMOUNTS else "")


def difference(one: CatalogueSource, other: CatalogueSource) -> tuple[Change, ...]:
    """Tell what one would change to make the other of it; nothing when they price everything alike and are named alike.

    The order is that of the tables and, within one, of the ids.
    """
    return tuple(_table_changes(_plain(one), _plain(other), ""))


def _plain(source: CatalogueSource) -> dict[str, Any]:
    return cast("dict[str, Any]", msgspec.json.decode(msgspec.json.encode(source)))


def _table_changes(one: dict[str, Any], other: dict[str, Any], entry: str) -> list[Change]:
    """The changes of a table's keys and of the tables in it."""
    changes: list[Change] = []
    inner: list[Change] = []
    for key in dict.fromkeys((*one, *other)):
        before, after = one.get(key), other.get(key)
        if before == after:
            continue
        if _are_tables(before) or _are_tables(after):
            inner += _list_changes(before or [], after or [], key, entry)
        elif isinstance(before, dict) and isinstance(after, dict) and not entry:
            inner += _table_changes(cast("dict[str, Any]", before), cast("dict[str, Any]", after), key)
        else:
            changes.append(Change("changed", entry, key, before, after))
    return changes + inner


def _are_tables(value: Any) -> bool:
    """Whether a value is a list of tables with names of their own."""
    if not isinstance(value, list):
        return False
    items = cast("list[Any]", value)
    return bool(items) and all(isinstance(item, dict) and _name_of(item) is not None for item in items)


def _name_of(table: Any) -> str | None:
    return next(
        (table[key] for key in ("id", "allowance", "tax_class") if isinstance(table.get(key), str)), None
    )


def _list_changes(before: list[Any], after: list[Any], table: str, entry: str) -> list[Change]:
    """Entries that came, went or changed."""
    changes: list[Change] = []
    old = {str(_name_of(item)): item for item in before}
    new = {str(_name_of(item)): item for item in after}
    for name in sorted(old.keys() | new.keys()):
        place = f"{entry}, " if entry else ""
        called = f"{place}{_ONE_OF.get(table, table)} {name}"
        if name not in new:
            changes.append(Change("removed", called, before=old[name]))
        elif name not in old:
            changes.append(Change("added", called, after=new[name]))
        else:
            changes += _table_changes(old[name], new[name], called)
    return changes


def _summary(table: dict[str, Any]) -> str:
    """What an entry that came or went is, in a few words."""
    parts = [str(table["name"])] if table.get("name") else []
    if "amount" in table:
        per = "" if table.get("per", 1) == 1 else f" per {table['per']}"
        parts.append(f"{table['amount']}{per}")
    for key in ("prices", "allowances"):
        if table.get(key):
            count = len(table[key])
            parts.append(f"{count} {_ONE_OF[key] if count == 1 else key}")
    return f" ({', '.join(parts)})" if parts else ""


def _items(value: Any) -> list[Any]:
    return cast("list[Any]", value)


def _list_change(before: list[Any], after: list[Any]) -> str:
    gone = [_said(item) for item in before if item not in after]
    come = [_said(item) for item in after if item not in before]
    parts = [f"{verb} {', '.join(items)}" for verb, items in (("without", gone), ("with", come)) if items]
    return " and ".join(parts) or "in another order"


def _said(value: Any) -> str:
    """A value as it would be written in the file, more or less."""
    if value is None or value in ("", []):
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value).items()
        return (
            "{"
            + ", ".join(f"{key} = {_said(inner)}" for key, inner in pairs if inner not in (None, "", []))
            + "}"
        )
    if isinstance(value, list):
        return ", ".join(_said(item) for item in _items(value))
    return str(value)


def _percentage(before: Any, after: Any) -> str:
    """By how much an amount of money changed, in per cent to a tenth."""
    try:
        old, new = Decimal(str(before)), Decimal(str(after))
    except InvalidOperation:
        return ""
    if not old:
        return ""
    percent = ((new - old) * 100 / old).quantize(Decimal("0.1"))
    return f" ({percent:+} %)"
