"""A park of simulated elements."""

import logging
from collections.abc import Generator

import pytest

from simulators.element.model import Model, load_model
from simulators.element.park import Park


@pytest.fixture(scope="session")
def model() -> Model:
    return load_model()


@pytest.fixture(autouse=True)
def _quiet_clients() -> None:
    """What clients log about connections that end is expected here."""
    for name in ("paramiko", "ncclient", "asyncssh"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


@pytest.fixture
def park(model: Model) -> Generator[Park]:
    with Park(model=model) as opened:
        yield opened
