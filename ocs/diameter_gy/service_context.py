"""Service-Context-Id: which specification charges, and so what is charged (TS 32.299 section 7.1.12)."""

from typing import Final

from ocs.diameter_gy import codes
from ocs.diameter_gy.avp import encode_avp
from ocs.diameter_gy.errors import RatingFailed
from ocs.messages import Service

# "extensions".MNC.MCC."Release"."service-context"@"domain".
_SERVICES: Final = {
    "32251": Service.DATA,
    "32260": Service.VOICE,
    "32274": Service.SMS,
    "32270": Service.MMS,
}


def service_of(data: bytes) -> Service:
    """The service that Service-Context-Id names, whatever extensions, MNC, MCC and release stand before.

    An unknown one is 5031 rather than 5004: it is well formed, but "not recognized or supported in the rating"
    (RFC 8506 section 9.2).

    Raises:
        RatingFailed: no specification that is charged here.
    """
    context, _, domain = data.decode("utf-8", "replace").strip().rpartition("@")
    service = _SERVICES.get(context.rpartition(".")[2])
    if service is None or domain.lower() != "3gpp.org":
        shown = data[:64].decode("utf-8", "replace")  # a real one has half of that
        raise RatingFailed(
            f"Service-Context-Id {shown} is not rated here", encode_avp(codes.SERVICE_CONTEXT_ID, data)
        )
    return service
