"""The catalogue as a pure function: a use in, a rate out, and the arithmetic of that rate (RF of TS 32.296)."""

from ocs.rating.amounts import tax_within
from ocs.rating.catalogue import Catalogue
from ocs.rating.catalogue_file import load_catalogue
from ocs.rating.errors import CatalogueError
from ocs.rating.meter import (
    UNLIMITED_UNITS,
    affordable_units,
    billable_units,
    grantable_units,
    price_micro,
    wanted_units,
)
from ocs.rating.offers import AllowanceGrant, Bonus, ChargeKind, Offer, OfferCharge
from ocs.rating.rate import AfterCap, Cap, CounterRule, CountingPeriod, QuotaRule, Rate, TariffSwitch, Tier
from ocs.rating.tiers import Meter, PricedUse, affordable, dearest_price_of, moved, price_in_parts, price_of
from ocs.rating.trace import explain

__all__ = [
    "UNLIMITED_UNITS",
    "AfterCap",
    "AllowanceGrant",
    "Bonus",
    "Cap",
    "Catalogue",
    "CatalogueError",
    "ChargeKind",
    "CounterRule",
    "CountingPeriod",
    "Meter",
    "Offer",
    "OfferCharge",
    "PricedUse",
    "QuotaRule",
    "Rate",
    "TariffSwitch",
    "Tier",
    "affordable",
    "affordable_units",
    "billable_units",
    "dearest_price_of",
    "explain",
    "grantable_units",
    "load_catalogue",
    "moved",
    "price_in_parts",
    "price_micro",
    "price_of",
    "tax_within",
    "wanted_units",
]
