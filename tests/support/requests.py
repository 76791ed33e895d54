"""Charging requests as a protocol room would make them."""

from hashlib import blake2b

import msgspec

from ocs.messages import (
    CCRequestType,
    ChargingRequest,
    MultipleServicesCreditControl,
    ReportingReason,
    RequestedAction,
    Service,
    ServiceUnit,
    UsageContext,
)

ANNA = "e164:491710000001"
SESSION = "smf.example;1;1"
ASK_US = ServiceUnit()


def octets(total: int) -> ServiceUnit:
    return ServiceUnit(total_octets=total)


def seconds(amount: int) -> ServiceUnit:
    return ServiceUnit(time_s=amount)


def events(amount: int) -> ServiceUnit:
    return ServiceUnit(service_specific_units=amount)


def mscc(
    rating_group: int | None = 1,
    *,
    requested: ServiceUnit | None = None,
    used: ServiceUnit | tuple[ServiceUnit, ...] = (),
    service_identifiers: tuple[int, ...] = (),
    reasons: tuple[ReportingReason, ...] = (),
) -> MultipleServicesCreditControl:
    units = used if isinstance(used, tuple) else (used,)
    return MultipleServicesCreditControl(rating_group, service_identifiers, requested, units, reasons)


def request(
    request_type: CCRequestType,
    number: int,
    *services: MultipleServicesCreditControl,
    session_id: str = SESSION,
    service: Service = Service.DATA,
    identities: tuple[str, ...] = (ANNA,),
    action: RequestedAction | None = None,
    event_time_s: int | None = None,
    called_party: str = "",
    multiple_services: bool = True,
    origin_host: str = "smf.example",
    context: UsageContext | None = None,
) -> ChargingRequest:
    """A request whose fingerprint covers its content, as the decoder's does."""
    made = ChargingRequest(
        session_id, request_type, number, origin_host, "example", service, identities, services,
        multiple_services, action, event_time_s, context or UsageContext(called_party), b"",
    )  # fmt: skip
    digest = blake2b(msgspec.msgpack.encode(made), digest_size=8).digest()
    return msgspec.structs.replace(made, fingerprint=digest)


def initial(*services: MultipleServicesCreditControl, number: int = 0, **more) -> ChargingRequest:
    return request(CCRequestType.INITIAL, number, *services, **more)


def update(number: int, *services: MultipleServicesCreditControl, **more) -> ChargingRequest:
    return request(CCRequestType.UPDATE, number, *services, **more)


def termination(number: int, *services: MultipleServicesCreditControl, **more) -> ChargingRequest:
    return request(CCRequestType.TERMINATION, number, *services, **more)


def event(
    *services: MultipleServicesCreditControl,
    number: int = 0,
    action: RequestedAction | None = RequestedAction.DIRECT_DEBITING,
    service: Service = Service.SMS,
    **more,
) -> ChargingRequest:
    return request(CCRequestType.EVENT, number, *services, action=action, service=service, **more)


def copy_of(original: ChargingRequest) -> ChargingRequest:
    """The same request once more, with the T flag."""
    return msgspec.structs.replace(original, retransmitted=True)
