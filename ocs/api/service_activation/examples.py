"""What clients send about services in the network, for the description of the API."""

from typing import Final

CREATE: Final = {
    "name": "data-4711",
    "state": "active",
    "serviceSpecification": {"id": "mobile_data"},
    "serviceCharacteristic": [
        {"name": "imsi", "value": "262011234567890"},
        {"name": "access_point", "value": "internet"},
        {"name": "qos_profile", "value": "gold"},
        {"name": "region", "value": "site/berlin"},
    ],
    "relatedParty": [{"id": "acme", "role": "customer", "@referredType": "Customer"}],
}
PATCH: Final = {
    "serviceCharacteristic": [
        {"name": "imsi", "value": "262011234567890"},
        {"name": "access_point", "value": "internet"},
        {"name": "qos_profile", "value": "silver"},
        {"name": "region", "value": "site/berlin"},
    ]
}
