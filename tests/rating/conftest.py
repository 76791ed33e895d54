"""Catalogues written as an operator writes them, small enough to see what decides."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ocs.rating import Catalogue, load_catalogue

HEADER = """
[catalogue]
name = "test"
currency = "EUR"
time_zone = "Europe/Berlin"
effective = 2026-11-01
country_code = "49"
national_prefix = "0"
international_prefix = "00"
holidays = [2026-12-25]

[[quotas]]
id = "octets"
unit = "octets"
standard = true
default = "1 MiB"
minimum = "1 KiB"
maximum = "10 MiB"
validity_time = "1 h"

[[quotas]]
id = "seconds"
unit = "seconds"
standard = true
default = 60
minimum = 10
maximum = "1 h"
validity_time = 600

[[quotas]]
id = "events"
unit = "events"
standard = true
default = 1
minimum = 1
maximum = 10
validity_time = 60
"""

Loader = Callable[..., Catalogue]


@pytest.fixture(scope="session")
def header() -> str:
    """What all test catalogues share, for a test that spoils a part of it."""
    return HEADER


@pytest.fixture
def load(tmp_path: Path) -> Loader:
    """Loads a catalogue of the header above and the given text; `header=` replaces the former."""

    def load_text(text: str, *, header: str = HEADER) -> Catalogue:
        (tmp_path / "lab.toml").write_text(header + text, encoding="utf-8")
        return load_catalogue(tmp_path)

    return load_text


@pytest.fixture(scope="session")
def shipped() -> Catalogue:
    """The lab operator's catalogue as it is delivered."""
    return load_catalogue(Path(__file__).resolve().parents[2] / "config" / "catalogue")
