"""Command lines of the shipped types, and boxes that speak them."""

import logging
from collections.abc import Generator

import pytest

from simulators.element.park import Park


@pytest.fixture(autouse=True)
def _quiet_clients() -> None:
    """What a client logs about connections that end is expected here."""
    logging.getLogger("asyncssh").setLevel(logging.CRITICAL)


@pytest.fixture
def park() -> Generator[Park]:
    with Park() as opened:
        yield opened
