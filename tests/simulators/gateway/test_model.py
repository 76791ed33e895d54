"""Units count what their service is charged for."""

import pytest

from ocs.messages import Service
from simulators.gateway.model import CreditAnswer, ServiceResult, Units


@pytest.mark.parametrize(
    ("units", "service", "amount"),
    [
        (Units(total_octets=7, input_octets=1), Service.DATA, 7),
        (Units(input_octets=1, output_octets=2), Service.DATA, 3),
        (Units(), Service.DATA, 0),
        (Units(time_s=60), Service.VOICE, 60),
        (Units(time_s=60), Service.SMS, 0),
        (Units(service_specific_units=2), Service.SMS, 2),
    ],
)
def test_amount_is_that_of_the_service(units: Units, service: Service, amount: int) -> None:
    assert units.amount(service) == amount


def test_result_of_a_rating_group_is_found() -> None:
    answer = CreditAnswer("g;1", 2001, 1, 0, services=(ServiceResult(1), ServiceResult(2, 4012)))
    assert answer.service(2) == ServiceResult(2, 4012)
    assert answer.service(3) is None
    assert ServiceResult(1).succeeded
    assert not ServiceResult(2, 4012).succeeded
