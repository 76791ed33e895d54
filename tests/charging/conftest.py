"""What tests of charging share."""

import pytest

from tests.support.engine_lab import Lab


@pytest.fixture
async def lab() -> Lab:
    return Lab()
