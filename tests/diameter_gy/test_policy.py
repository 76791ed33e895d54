"""The operator's decisions as the codec follows them."""

import pytest

from ocs.diameter_gy.avp import encode_avp, enumerated, grouped
from ocs.diameter_gy.policy import GyPolicy, PolicyError
from ocs.settings import ChargingSettings, DiameterSettings, Settings


def test_answers_say_what_the_configuration_says():
    settings = Settings(
        charging=ChargingSettings(
            session_failover=False, credit_control_failure_handling="retry_and_terminate"
        )
    )
    policy = GyPolicy.from_settings(settings)
    assert policy.session_failover_avp == enumerated(418, 0)
    assert policy.failure_handling_avp == enumerated(427, 2)


def test_failover_is_supported_and_failure_terminates_by_default():
    policy = GyPolicy.from_settings(Settings())
    assert policy.session_failover_avp == enumerated(418, 1)
    assert policy.failure_handling_avp == enumerated(427, 0)


def test_tolerance_comes_from_the_configuration():
    unknown = encode_avp(7, b"", 666)
    settings = Settings(
        diameter=DiameterSettings(tolerate_unknown_mandatory_in=("Multiple-Services-Credit-Control",))
    )
    tolerated = []
    GyPolicy.from_settings(settings).decoder._units.services(unknown + grouped(437), tolerated)
    assert [avp.code for avp in tolerated] == [7]


def test_container_that_cannot_tolerate_is_a_configuration_error():
    with pytest.raises(PolicyError, match="PS-Information is none of"):
        GyPolicy(tolerate_unknown_mandatory_in=["PS-Information"])
