"""The catalogue as a pure function: a use in, a rate out, and the arithmetic of that rate (RF of TS 32.296)."""

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
from ocs.rating.offers import AllowanceGrant, Offer
from ocs.rating.rate import QuotaRule, Rate
from ocs.rating.trace import explain

__all__ = [
    "UNLIMITED_UNITS",
    "AllowanceGrant",
    "Catalogue",
    "CatalogueError",
    "Offer",
    "QuotaRule",
    "Rate",
    "affordable_units",
    "billable_units",
    "explain",
    "grantable_units",
    "load_catalogue",
    "price_micro",
    "wanted_units",
]
