"""A session's requests after the first: read as that one was, but for the few values that move on.

From UPDATE to UPDATE of a session a gateway changes the request's number, its time and the units used; all else
is octet for octet as before. A form says which octets may change. The others are the key under which an earlier
request is found: they hold every AVP header, so that reading the new request would take the same steps to the
same places, and come to the same findings but for those values.
"""

import struct
from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import blake2b
from operator import itemgetter
from typing import Final

import msgspec

from ocs.diameter_gy.avp import ntp_to_unix_s
from ocs.diameter_gy.credit_control_request import CreditControlRequest
from ocs.diameter_gy.layouts import cutter, joined
from ocs.diameter_gy.message import HEADER_OCTETS, RETRANSMITTED, Header
from ocs.diameter_gy.service_units import unit_of
from ocs.diameter_gy.survey import Survey, UnitSpan
from ocs.limits import FAMILIAR_REQUESTS_MAX, LAYOUTS_MAX, LAYOUTS_PER_LENGTH_MAX, UNITS_PER_REPORT_MAX
from ocs.messages import ChargingRequest, MultipleServicesCreditControl

# A form is made of one strange message in so many: messages that are all different cost nothing then.
_LEARN_EVERY: Final = 16
_NUMBERS_OF_A_UNIT: Final = 5

_unpack32: Final[Callable[[bytes, int], tuple[int]]] = struct.Struct(">I").unpack_from

_UnitPicker = Callable[[tuple[int | None, ...]], tuple[int | None, ...]]


class _Form(msgspec.Struct, frozen=True, eq=False):
    """What messages of one make-up hold where; compiled from a survey.

    Attributes:
        mask: ones where AVP headers stand. headers: those headers.
        lasting: cuts out what stays the same. content: cuts out what the fingerprint covers.
        number: where CC-Request-Number's value stands. event_time: likewise, 0 where there is none.
        units: cuts out the numbers of all Used-Service-Units.
        used: by service and unit, picks its numbers out of (None, *numbers).
    """

    mask: int
    headers: int
    lasting: Callable[[bytes], tuple[bytes, ...]]
    content: Callable[[bytes], tuple[bytes, ...]]
    number: int
    event_time: int
    proxy_info: slice
    units: Callable[[bytes], tuple[int, ...]]
    used: tuple[tuple[_UnitPicker, ...], ...]


class _Known(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A request that was read, and the form of its message."""

    form: _Form
    request: CreditControlRequest


class FamiliarRequests:
    """The requests that were read last, by what is the same in the next, and the forms of their messages.

    Invariant: at most limits.FAMILIAR_REQUESTS_MAX requests, of which the oldest gives way; forms are bounded as
    layouts are.
    """

    def __init__(self) -> None:
        self._forms: dict[int, list[_Form]] = {}
        self._forms_count = 0
        self._strange = 0
        self._known: OrderedDict[bytes, _Known] = OrderedDict()

    def read(self, message: bytes, header: Header) -> CreditControlRequest | None:
        """Read a request that differs from one read before in nothing but what may differ.

        Returns:
            The request; None when it is none of these, or reports more units than anyone can have used.
        """
        for form in self._forms.get(len(message), ()):
            known = self._known.get(b"".join(form.lasting(message)))
            if known is not None and known.form is form:
                return _alike(form, known.request, message, header)
        return None

    def remember(
        self, message: bytes, request: CreditControlRequest, survey_of: Callable[[bytes], Survey | None]
    ) -> None:
        """Keep a request that was read without fault, if the form of its message is known, or is learnt now.

        Args:
            survey_of: takes down what the message holds where; None when it cannot be told by places.
        """
        form = self._form_of(message) or self._learn(message, survey_of)
        if form is None:
            return
        if len(self._known) >= FAMILIAR_REQUESTS_MAX:
            self._known.popitem(last=False)
        lasting = b"".join(form.lasting(message))
        self._known[lasting] = _Known(form, msgspec.structs.replace(request, message=b"", proxy_info=b""))

    def _form_of(self, message: bytes) -> _Form | None:
        forms = self._forms.get(len(message))
        if forms is None:
            return None
        octets = int.from_bytes(message, "big")
        for form in forms:
            if octets & form.mask == form.headers:
                return form
        return None

    def _learn(self, message: bytes, survey_of: Callable[[bytes], Survey | None]) -> _Form | None:
        self._strange += 1
        survey = survey_of(message) if self._strange % _LEARN_EVERY == 1 and not len(message) & 3 else None
        if survey is None:
            return None
        if self._forms_count >= LAYOUTS_MAX:
            self._forms.clear()
            self._known.clear()
            self._forms_count = 0
        forms = self._forms.setdefault(len(message), [])
        if len(forms) >= LAYOUTS_PER_LENGTH_MAX:
            forms.pop(0)
            self._forms_count -= 1
        form = _compile(message, survey)
        forms.append(form)
        self._forms_count += 1
        return form


def _compile(message: bytes, survey: Survey) -> _Form:
    mask = bytearray(len(message))
    for start, stop in survey.headers:
        mask[start:stop] = b"\xff" * (stop - start)
    bits = int.from_bytes(mask, "big")
    edges = [HEADER_OCTETS, *[edge for span in survey.varying for edge in span], len(message)]
    lasting = [(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True) if start < stop]
    spans = [span for service in survey.used for unit in service for span in unit]
    place_of = {span: place for place, span in enumerate(spans, start=1)}
    return _Form(
        bits,
        int.from_bytes(message, "big") & bits,
        cutter(lasting, len(message)),
        cutter(joined(survey.content), len(message)),
        survey.number,
        survey.event_time,
        survey.proxy_info,
        _numbers_of(spans, len(message)),
        tuple([tuple([_picker(unit, place_of) for unit in service]) for service in survey.used]),
    )


def _numbers_of(spans: Sequence[UnitSpan], length: int) -> Callable[[bytes], tuple[int, ...]]:
    """Make a function that reads these numbers, which stand in order, out of a message."""
    form, at = ">", 0
    for span in spans:
        form += f"{span.start - at}x{'Q' if span.stop - span.start == 8 else 'I'}"
        at = span.stop
    return struct.Struct(f"{form}{length - at}x").unpack


def _picker(unit: Sequence[UnitSpan], place_of: dict[UnitSpan, int]) -> _UnitPicker:
    places = {span.place: place_of[span] for span in unit}
    return itemgetter(*[places.get(place, 0) for place in range(_NUMBERS_OF_A_UNIT)])


def _alike(
    form: _Form, known: CreditControlRequest, message: bytes, header: Header
) -> CreditControlRequest | None:
    """The request of a message that is like a known one."""
    earlier = known.charging
    services = earlier.services
    units = form.units(message)
    if units:
        if max(units) > UNITS_PER_REPORT_MAX:
            return None
        services = _with_units(services, form, units)
    event_time_s = None
    if form.event_time:
        event_time_s = ntp_to_unix_s(_unpack32(message, form.event_time)[0])
    charging = ChargingRequest(
        earlier.session_id,
        earlier.request_type,
        _unpack32(message, form.number)[0],
        earlier.origin_host,
        earlier.origin_realm,
        earlier.service,
        earlier.subscription_ids,
        services,
        earlier.multiple_services,
        earlier.requested_action,
        event_time_s,
        earlier.context,
        blake2b(b"".join(form.content(message)), digest_size=8).digest(),
        header.flags & RETRANSMITTED != 0,
        header.end_to_end_id,
    )
    return CreditControlRequest(
        charging,
        message,
        known.session_id_avp,
        header.flags,
        header.application_id,
        header.hop_by_hop_id,
        header.end_to_end_id,
        known.sub_session_id,
        message[form.proxy_info],
        known.destination_host,
        known.destination_realm,
        known.route_records,
        known.tolerated,
    )


def _with_units(
    services: tuple[MultipleServicesCreditControl, ...], form: _Form, units: tuple[int, ...]
) -> tuple[MultipleServicesCreditControl, ...]:
    """The same services with other units used."""
    numbers = (None, *units)
    changed: list[MultipleServicesCreditControl] = []
    for service, picks in zip(services, form.used, strict=True):
        used = [
            unit_of(pick(numbers), unit.money, unit) for pick, unit in zip(picks, service.used, strict=True)
        ]
        changed.append(
            MultipleServicesCreditControl(
                service.rating_group,
                service.service_identifiers,
                service.requested,
                tuple(used),
                service.reporting_reasons,
                service.triggers,
            )
        )
    return tuple(changed)
