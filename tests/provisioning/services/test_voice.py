"""Voice services of subscribers in the IMS."""

import pytest

from ocs.inventory.model import Service
from ocs.provisioning.services.model import ServiceError
from ocs.provisioning.services.voice import Voice
from tests.support.described_network import DescribedNetwork
from tests.support.service_lab import VOICE

IDENTITY = "/ocs-voice:ims/public-identity[identity='sip:alice@ims.example.net']"
PROFILE = "/ocs-voice:ims/service-profile[name='%s']"


def service(**parameters: object) -> Service:
    return Service(service_id="s", model="voice", parameters=VOICE | parameters)


def test_identity_and_its_profile_are_on_the_ims_element() -> None:
    assert Voice().wanted(service(), DescribedNetwork()) == {
        "ims1": {
            f"{PROFILE % 'residential'}/application-server": "sip:tas.example.net",
            f"{IDENTITY}/private-identity": "alice@ims.example.net",
            f"{IDENTITY}/service-profile": "residential",
            f"{IDENTITY}/barring-indication": "false",
        }
    }


def test_barred_identity_of_a_profile_with_a_bound_says_so() -> None:
    wanted = Voice().wanted(service(is_barred=True, service_profile="office"), DescribedNetwork())["ims1"]
    assert wanted[f"{IDENTITY}/barring-indication"] == "true"
    assert wanted[f"{PROFILE % 'office'}/simultaneous-sessions-maximum"] == "4"


@pytest.mark.parametrize(
    "identity", ["alice", "sip:alice", "tel:0301234567", "sip:a'b@example.net", "mailto:alice@example.net"]
)
def test_identity_that_is_no_sip_or_tel_uri_is_refused(identity: str) -> None:
    with pytest.raises(ServiceError, match="public_identity"):
        Voice().elements(service(public_identity=identity), DescribedNetwork())
