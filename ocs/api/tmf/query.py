"""What a TM Forum query asks for: chosen fields, equality filters, comparisons, a page. Pure.

    GET /bucket?partyAccount.id=A1&usageType=data,"voice"&fields=remainingValue&offset=20&limit=10

Values of one parameter, and of a parameter that is repeated, are alternatives; different parameters must all hold. A
value in double quotes may contain commas; in it a backslash takes the next character as it is. A path leads through
objects and into the elements of lists, of which one must match. ``.gt``, ``.gte``, ``.lt`` and ``.lte`` behind a path
compare numbers and times.

``sort=-requestedDate,id`` sorts a list, falling where a minus stands.

Source: TMF630 part 1, sections on attribute selection, filtering, sorting and paging.
"""

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, cast
from urllib.parse import parse_qsl

import msgspec

from ocs.limits import HTTP_PAGE_ITEMS_MAX, HTTP_PARAMETERS_MAX

# Kept whatever is asked for, so that a part of a resource can still be followed to the whole.
ALWAYS_KEPT: Final = ("id", "href")
PAGE_ITEMS: Final = 50
_OFFSET_MAX: Final = 10**9
COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le,
}  # fmt: skip
# One value of a list: in quotes, or up to the next comma.
_VALUE: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|([^",]*)', re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)

Resource = Mapping[str, Any]


class QueryError(ValueError):
    """A query asks for what there is not; ``str()`` names the parameter and says what is expected."""


class Filter(msgspec.Struct, frozen=True):
    """One condition.

    Attributes:
        path: names of attributes, from the resource inwards.
        values: alternatives, as text.
        comparison: empty for equality, else ``gt``, ``gte``, ``lt`` or ``lte``.
    """

    path: tuple[str, ...]
    values: tuple[str, ...]
    comparison: str = ""

    def matches(self, resource: Resource) -> bool:
        """Whether one of the values at the path is (or compares to) one of ours."""
        test = COMPARISONS.get(self.comparison)
        found = list(_leaves(resource, self.path))
        return any(
            _is_equal(leaf, value) if test is None else _compares(test, leaf, value)
            for leaf in found
            for value in self.values
        )


class Query(msgspec.Struct, frozen=True):
    """What was asked for.

    Attributes:
        fields: attributes to show beside id and href; None for all.
        order: paths by which a list is sorted, each with whether it falls; empty for the server's own order.
    """

    fields: frozenset[str] | None = None
    filters: tuple[Filter, ...] = ()
    offset: int = 0
    limit: int = PAGE_ITEMS
    order: tuple[tuple[tuple[str, ...], bool], ...] = ()

    def sorted(self, resources: Sequence[Resource]) -> Sequence[Resource]:
        """Resources in the order that was asked for; what has nothing at a path comes behind what has."""
        for path, falls in reversed(self.order):
            having = [(next(_leaves(resource, path), None), resource) for resource in resources]
            known = sorted(
                ((_rank(leaf), resource) for leaf, resource in having if leaf is not None),
                key=operator.itemgetter(0),
                reverse=falls,
            )
            resources = [resource for _, resource in known]
            resources += [resource for leaf, resource in having if leaf is None]
        return resources

    def matches(self, resource: Resource) -> bool:
        """Whether a resource fulfils every condition."""
        return all(condition.matches(resource) for condition in self.filters)

    def shown(self, resource: Resource) -> dict[str, Any]:
        """The chosen fields of a resource."""
        if self.fields is None:
            return dict(resource)
        return {name: value for name, value in resource.items() if name in self.fields or name in ALWAYS_KEPT}

    def only_values(self, *path: str) -> tuple[str, ...]:
        """The alternatives that an equality filter leaves for a path; empty when there is no such filter."""
        for condition in self.filters:
            if condition.path == path and not condition.comparison:
                return condition.values
        return ()


def parse_query(raw: bytes, attributes: frozenset[str], *, is_list: bool) -> Query:
    """Read a query string.

    Args:
        raw: as it was sent, percent-encoded.
        attributes: what the resource has at its first level.
        is_list: whether filters and paging make sense; of one resource only fields can be chosen.

    Raises:
        QueryError: a parameter is unknown or its value is none.
    """
    fields: frozenset[str] | None = None
    order: tuple[tuple[tuple[str, ...], bool], ...] = ()
    paging = {"offset": 0, "limit": PAGE_ITEMS}
    conditions: dict[tuple[str, ...], list[str]] = {}
    for name, value in _parameters(raw):
        if name == "fields":
            fields = _parse_fields(value, attributes).union(fields or ())
        elif not is_list:
            raise QueryError(f"{name}: one resource is asked for, so `fields` is all that can be chosen")
        elif name in paging:
            paging[name] = _parse_count(name, value)
        elif name == "sort":
            order += tuple(_parse_order(part, attributes) for part in value.split(","))
        else:
            path = _parse_path(name, name, attributes)
            conditions.setdefault(path, []).extend(split_values(name, value))
    filters = tuple(_filter(path, values) for path, values in conditions.items())
    return Query(fields, filters, order=order, **paging)


def split_values(name: str, text: str) -> list[str]:
    """Split alternatives at their commas, taking quotes away.

    Raises:
        QueryError: a quote without its other half.
    """
    values: list[str] = []
    at = 0
    while True:
        match = _VALUE.match(text, at)
        if match is None or (match.end() < len(text) and text[match.end()] != ","):
            raise QueryError(f'{name}: a value with a quote or a comma is written "so", all of it')
        quoted, bare = match.groups()
        values.append(bare if quoted is None else _ESCAPED.sub(r"\1", quoted))
        if match.end() == len(text):
            return values
        at = match.end() + 1


def _parameters(raw: bytes) -> list[tuple[str, str]]:
    try:
        text = raw.decode("ascii")
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=HTTP_PARAMETERS_MAX)
    except UnicodeDecodeError:
        raise QueryError("the query: percent-encoded UTF-8 is expected") from None
    except ValueError:
        raise QueryError(f"the query: {HTTP_PARAMETERS_MAX} parameters at most") from None


def _parse_fields(text: str, attributes: frozenset[str]) -> frozenset[str]:
    if text == "none":
        return frozenset()
    names = frozenset(text.split(","))
    unknown = sorted(names - attributes)
    if unknown:
        raise QueryError(f"fields: there is no attribute {unknown[0]!r}")
    return names


def _parse_path(name: str, text: str, attributes: frozenset[str]) -> tuple[str, ...]:
    path = tuple(text.split("."))
    if path[0] not in attributes or "" in path:
        raise QueryError(f"{name}: there is no such attribute")
    return path


def _parse_order(text: str, attributes: frozenset[str]) -> tuple[tuple[str, ...], bool]:
    """One path of ``sort=-raisedTime,+id``; a plus that was not percent-encoded arrives as a space."""
    return _parse_path("sort", text.lstrip("+- "), attributes), text.startswith("-")


def _rank(leaf: Any) -> tuple[int, Any]:
    """Where a value stands among others, which may be of other kinds."""
    if isinstance(leaf, bool | int | Decimal):
        return 0, leaf
    moment = moment_of(leaf)
    return (2, str(leaf)) if moment is None else (1, moment)


def _parse_count(name: str, text: str) -> int:
    least, most = (0, _OFFSET_MAX) if name == "offset" else (1, HTTP_PAGE_ITEMS_MAX)
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and least <= int(text) <= most):
        raise QueryError(f"{name}: a number from {least} to {most} is expected")
    return int(text)


def _filter(path: tuple[str, ...], values: list[str]) -> Filter:
    if len(path) > 1 and path[-1] in COMPARISONS:
        return Filter(path[:-1], tuple(values), path[-1])
    return Filter(path, tuple(values))


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for element in cast("list[Any]", value):
            yield from _leaves(element, path)
    elif not path:
        yield value
    elif isinstance(value, Mapping):
        inner = cast("Mapping[str, Any]", value)
        if path[0] in inner:
            yield from _leaves(inner[path[0]], path[1:])


def _is_equal(leaf: Any, text: str) -> bool:
    if isinstance(leaf, bool):
        return text == str(leaf).lower()
    if isinstance(leaf, int | Decimal):
        return _number(text) == leaf
    if isinstance(leaf, str) and leaf != text:
        moment = moment_of(leaf)
        return moment is not None and moment == moment_of(text)
    return leaf == text


def _compares(test: Callable[[Any, Any], bool], leaf: Any, text: str) -> bool:
    is_number = isinstance(leaf, int | Decimal) and not isinstance(leaf, bool)
    mine, other = (leaf, _number(text)) if is_number else (moment_of(leaf), moment_of(text))
    return mine is not None and other is not None and test(mine, other)


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def moment_of(text: Any) -> datetime | None:
    """A time as RFC 3339 writes it, also without an offset (UTC then); None when it is none."""
    if not isinstance(text, str) or len(text) < 10 or not text[:4].isdigit():
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
