"""What clients send about orders, for the description of the API."""

from typing import Final

from ocs.api.service_activation.examples import CREATE as SERVICE

ORDER: Final = {
    "externalId": "crm-4711",
    "description": "a new subscriber",
    "priority": "1",
    "serviceOrderItem": [
        {
            "id": "1",
            "action": "add",
            "service": {
                "id": SERVICE["name"],
                "serviceSpecification": SERVICE["serviceSpecification"],
                "serviceCharacteristic": SERVICE["serviceCharacteristic"],
                "relatedParty": SERVICE["relatedParty"],
            },
        }
    ],
}
PATCH: Final = {"description": "a new subscriber, as told on the phone"}
CANCEL: Final = {
    "serviceOrder": {"id": "0123456789abcdef"},
    "cancellationReason": "the customer has changed his mind",
}
