"""What clients send about services, for the description of the API."""

from typing import Final

CREATE: Final = {
    "name": "vpn-acme-berlin",
    "state": "designed",
    "serviceSpecification": {"id": "vpn_site"},
    "serviceCharacteristic": [{"name": "vpn", "value": "acme"}],
    "relatedParty": [{"id": "acme", "role": "customer", "@referredType": "Customer"}],
    "supportingResource": [{"id": "pe1/if/ge-0/0/1", "role": "access"}],
}
PATCH: Final = {"state": "terminated"}
