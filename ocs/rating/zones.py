"""Destinations: which zone a called number lies in."""

from collections.abc import Iterable
from typing import Final

from ocs.limits import CALLED_NUMBERS_REMEMBERED
from ocs.rating.errors import ExpectationError
from ocs.rating.schema import CatalogueTable, ZoneTable


class Destinations:
    """Finds the zone of a number: a whole number first, then the longest prefix."""

    def __init__(self, zones: Iterable[ZoneTable], dialling: CatalogueTable) -> None:
        """Index the zones.

        Raises:
            ExpectationError: a prefix or number is not digits, or stands in two zones; the key begins with the
                zone's ``zones[id]``.
        """
        self._numbers: dict[str, str] = {}
        self._prefixes: dict[str, str] = {}
        for zone in zones:
            if not zone.prefixes and not zone.numbers:
                raise ExpectationError(f"zones[{zone.id}]", "expected at least one of prefixes and numbers")
            self._add(zone.id, "numbers", zone.numbers, self._numbers)
            self._add(zone.id, "prefixes", zone.prefixes, self._prefixes)
        # Longest first, so that the first hit is the most specific one.
        self._lengths = sorted({len(prefix) for prefix in self._prefixes}, reverse=True)
        self._country_code = dialling.country_code
        self._international_prefix = dialling.international_prefix
        self._national_prefix = dialling.national_prefix
        self._remembered: Final[dict[str, str | None]] = {}

    @staticmethod
    def _add(zone_id: str, key: str, written: tuple[str, ...], index: dict[str, str]) -> None:
        for digits in written:
            if not (digits.isascii() and digits.isdigit()):
                raise ExpectationError(
                    f"zones[{zone_id}].{key}", f"expected digits without '+', got {digits!r}"
                )
            other = index.setdefault(digits, zone_id)
            if other != zone_id:
                raise ExpectationError(
                    f"zones[{zone_id}].{key}",
                    f"expected each of the {key} in one zone, but {digits!r} is in {other} too",
                )

    def zone_of(self, called_party: str) -> str | None:
        """Name the zone of a called number, None when it is no number or in no zone.

        Args:
            called_party: digits, with country code or as dialled in the own country, with or without "+".
        """
        if not called_party:
            return None
        try:
            return self._remembered[called_party]
        except KeyError:
            pass
        # Numbers come from the network, so remembering them needs a bound; refilling an emptied memory is cheap.
        if len(self._remembered) >= CALLED_NUMBERS_REMEMBERED:
            self._remembered.clear()
        zone = self._remembered[called_party] = self._find(called_party)
        return zone

    def _find(self, called_party: str) -> str | None:
        if called_party in self._numbers:
            return self._numbers[called_party]
        number = self.international_form(called_party)
        for length in self._lengths:
            zone = self._prefixes.get(number[:length])
            if zone is not None:
                return zone
        return None

    def international_form(self, called_party: str) -> str:
        """Bring a number as dialled into the form that prefixes have: country code first, no "+"."""
        if called_party.startswith("+"):
            return called_party[1:]
        if self._international_prefix and called_party.startswith(self._international_prefix):
            return called_party[len(self._international_prefix) :]
        if self._national_prefix and called_party.startswith(self._national_prefix):
            return self._country_code + called_party[len(self._national_prefix) :]
        return called_party
