"""Service-Context-Id: the specification that it names says what is charged."""

import pytest

from ocs.diameter_gy.avp import utf8
from ocs.diameter_gy.errors import RatingFailed
from ocs.diameter_gy.service_context import service_of
from ocs.messages import Service


@pytest.mark.parametrize(
    ("context", "service"),
    [
        ("32251@3gpp.org", Service.DATA),
        ("8.32251@3gpp.org", Service.DATA),
        ("data.01.230.10.32251@3gpp.org", Service.DATA),
        ("ext.01.001.8.32260@3gpp.org", Service.VOICE),
        ("32260@3GPP.org", Service.VOICE),
        ("32274@3gpp.org", Service.SMS),
        ("11.32270@3gpp.org", Service.MMS),
    ],
)
def test_service_context_is_told_by_the_specification_it_names(context: str, service: Service) -> None:
    assert service_of(context.encode()) is service


@pytest.mark.parametrize(
    "context", ["32999@3gpp.org", "32251@example.org", "132251@3gpp.org", "32251", "", "@"]
)
def test_unknown_service_context_cannot_be_rated(context: str) -> None:
    with pytest.raises(RatingFailed) as caught:
        service_of(context.encode())
    assert caught.value.result_code == 5031
    assert caught.value.failed_avp == utf8(461, context)
