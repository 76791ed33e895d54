"""Multiple-Services-Credit-Control and the service units in it, from octets (RFC 8506 sections 8.16 to 8.26)."""

import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from ocs.diameter_gy import codes
from ocs.diameter_gy.avp import (
    decode_integer32,
    decode_integer64,
    decode_unsigned32,
    encode_avp,
    ntp_to_unix_s,
    split_avps,
)
from ocs.diameter_gy.dictionary import VENDOR_3GPP
from ocs.diameter_gy.errors import AvpOccursTooManyTimes, DiameterError, InvalidAvpValue
from ocs.diameter_gy.grammar import (
    IGNORED,
    TOLERATED,
    VENDOR,
    ShapeTable,
    ToleratedAvp,
    avp_at,
    describe_code,
    fault_of,
    missing,
    too_many,
    wrong_length,
)
from ocs.diameter_gy.group_layouts import GroupLayouts, Span
from ocs.diameter_gy.layouts import steps_of
from ocs.diameter_gy.survey import Survey, UnitSpan
from ocs.limits import (
    AVPS_PER_SERVICE_MAX,
    CODEC_MEMO_ENTRIES,
    UNIT_VALUE_EXPONENT_MAX,
    UNITS_PER_REPORT_MAX,
)
from ocs.messages import MultipleServicesCreditControl, ReportingReason, ServiceUnit, TariffChangeUsage
from ocs.units import CURRENCY_ALPHA, Money

_unpack32: Final[Callable[[bytes, int], tuple[int]]] = struct.Struct(">I").unpack_from
_unpack64: Final[Callable[[bytes, int], tuple[int]]] = struct.Struct(">Q").unpack_from

# Kinds of a unit's AVPs: places 0 to 3 hold Unsigned64, 4 to 7 hold 32 bits, the last a group. Those before _CHANGE are
# numbers that differ in each report.
_TOTAL, _INPUT, _OUTPUT, _SPECIFIC, _TIME, _CHANGE, _EVENT_TIME, _REASON, _MONEY = range(9)
_UNIT_KINDS: Final = {
    (0, codes.CC_TOTAL_OCTETS): _TOTAL,
    (0, codes.CC_INPUT_OCTETS): _INPUT,
    (0, codes.CC_OUTPUT_OCTETS): _OUTPUT,
    (0, codes.CC_SERVICE_SPECIFIC_UNITS): _SPECIFIC,
    (0, codes.CC_TIME): _TIME,
    (0, codes.TARIFF_CHANGE_USAGE): _CHANGE,
    (VENDOR_3GPP, codes.EVENT_CHARGING_TIMESTAMP): _EVENT_TIME,
    (VENDOR_3GPP, codes.REPORTING_REASON): _REASON,
    (0, codes.CC_MONEY): _MONEY,
}
_UNIT_AVPS: Final = {kind: avp for avp, kind in _UNIT_KINDS.items()}

# A unit of which nothing is said.
NO_UNIT: Final = ServiceUnit()

CONTAINER: Final = "Multiple-Services-Credit-Control"
_RATING_GROUP, _SERVICE_IDENTIFIER, _REQUESTED, _USED, _SERVICE_REASON, _TRIGGER, _ENVELOPE = range(7)
_SERVICES_KINDS: Final = {
    (0, codes.RATING_GROUP): _RATING_GROUP,
    (0, codes.SERVICE_IDENTIFIER): _SERVICE_IDENTIFIER,
    (0, codes.REQUESTED_SERVICE_UNIT): _REQUESTED,
    (0, codes.USED_SERVICE_UNIT): _USED,
    (VENDOR_3GPP, codes.REPORTING_REASON): _SERVICE_REASON,
    (VENDOR_3GPP, codes.TRIGGER): _TRIGGER,
    (VENDOR_3GPP, codes.ENVELOPE): _ENVELOPE,
}
_SERVICES_NUMBERS: Final = {
    _RATING_GROUP: (0, codes.RATING_GROUP),
    _SERVICE_IDENTIFIER: (0, codes.SERVICE_IDENTIFIER),
    _SERVICE_REASON: (VENDOR_3GPP, codes.REPORTING_REASON),
}
_REPORTING_REASONS: Final = {reason.value: reason for reason in ReportingReason}
_TARIFF_CHANGE_USAGES: Final = {usage.value: usage for usage in TariffChangeUsage}


def unit_of(values: Sequence[int | None], money: Money | None, like: ServiceUnit = NO_UNIT) -> ServiceUnit:
    """Make a unit of its total, input and output octets, service specific units and seconds, and of its money.

    Without a total, input and output are summed: that is what Open5GS reports.

    Args:
        values: those five.
        like: has the same Tariff-Change-Usage and Event-Charging-TimeStamp.
    """
    total, received, sent, specific, seconds = values
    if total is None and (received is not None or sent is not None):
        total = (received or 0) + (sent or 0)
    return ServiceUnit(
        total, received, sent, seconds, specific, money, like.tariff_change_usage, like.event_time_s
    )


def within(code: int, error: DiameterError) -> DiameterError:
    """Show in Failed-AVP the group in which the fault lies (RFC 6733 section 7.5)."""
    error.failed_avp = encode_avp(code, error.failed_avp)
    return error


class ServiceUnitDecoder:
    """Reads the groups that carry units; what repeats is found by its octets.

    Args:
        tolerates_unknown: let unknown AVPs with the M bit pass.
        currency: ISO 4217 code of CC-Money without Currency-Code.
        entries: how many Requested-Service-Units are remembered.
    """

    def __init__(self, *, tolerates_unknown: bool, currency: str, entries: int = CODEC_MEMO_ENTRIES) -> None:
        self._currency = currency
        self._services_table = ShapeTable(CONTAINER, _SERVICES_KINDS, tolerates_unknown=tolerates_unknown)
        self._unit_table = ShapeTable(CONTAINER, _UNIT_KINDS, tolerates_unknown=tolerates_unknown)
        self._services_layouts = GroupLayouts(_ENVELOPE)
        self._unit_layouts = GroupLayouts(len(_UNIT_KINDS) - 1)
        # Gateways ask for the same size again and again; what was used differs each time.
        self.requested: Callable[[bytes], ServiceUnit] = lru_cache(entries)(self._requested)

    def services(self, data: bytes, tolerated: list[ToleratedAvp]) -> MultipleServicesCreditControl:
        """Read the data of one Multiple-Services-Credit-Control.

        Raises:
            DiameterError: an AVP in it is malformed, unknown with the M bit, or of an impossible value.
        """
        try:
            known = self._services_layouts.read(data)
            if known is None:
                return self._step_through_services(data, tolerated)
            rating_group, identifier, asked, reported, reason, trigger = known
            reasons: list[int] = []
            return MultipleServicesCreditControl(
                rating_group,
                () if identifier is None else (identifier,),
                None if asked is None else self.requested(asked),
                () if reported is None else (self._reported(reported, tolerated, reasons),),
                () if reason is None and not reasons else _reasons_of(reasons, reason),
                () if trigger is None else _triggers_of(trigger),
            )
        except DiameterError as error:
            raise within(codes.MULTIPLE_SERVICES_CREDIT_CONTROL, error) from None

    def _step_through_services(
        self, data: bytes, tolerated: list[ToleratedAvp]
    ) -> MultipleServicesCreditControl:
        """Read a Multiple-Services-Credit-Control AVP by AVP; what is without fault is learnt."""
        table = self._services_table
        numbers: dict[int, list[int]] = {_RATING_GROUP: [], _SERVICE_IDENTIFIER: [], _SERVICE_REASON: []}
        requested: ServiceUnit | None = None
        used: tuple[ServiceUnit, ...] = ()
        triggers: tuple[int, ...] = ()
        reasons: list[int] = []
        spans: list[Span] = []
        tolerated_before = len(tolerated)
        start, end, is_learnable = 0, len(data), True
        room = AVPS_PER_SERVICE_MAX
        while start < end:
            room -= 1
            if room < 0:
                raise too_many(data, start, AVPS_PER_SERVICE_MAX)
            kind, header_octets, length, step = table[data[start : start + 8]]
            if kind == VENDOR:
                kind, header_octets, length, step = table[data[start : start + 12]]
            stop = start + length
            if stop > end or kind >= TOLERATED:
                tolerated.append(_tolerate(data, start, stop, kind))
            elif kind == _USED:
                used = (*used, self._reported(data[start + header_octets : stop], tolerated, reasons))
            elif kind == _REQUESTED:
                if requested is not None:
                    raise _repeated(data, start)
                requested = self.requested(data[start + header_octets : stop])
            elif kind == _TRIGGER:
                triggers += _triggers_of(data[start + header_octets : stop])
            elif kind == _ENVELOPE:
                _check_envelope(data[start + header_octets : stop])
                is_learnable = False  # the next one must be checked too
            elif kind != IGNORED:
                _take_number(kind, numbers[kind], data, start, start + header_octets, stop)
            if kind != IGNORED:
                form = "I" if kind in _SERVICES_NUMBERS else f"{length - header_octets}s"
                spans.append(Span(kind, start + header_octets, form))
            start += step
        if is_learnable and len(tolerated) == tolerated_before:
            self._services_layouts.learn(data, spans)
        rating_groups = numbers[_RATING_GROUP]
        return MultipleServicesCreditControl(
            rating_groups[0] if rating_groups else None,
            tuple(numbers[_SERVICE_IDENTIFIER]),
            requested,
            used,
            _reasons_of(reasons, *numbers[_SERVICE_REASON]),
            triggers,
        )

    def survey_services(self, message: bytes, start: int, end: int, survey: Survey) -> None:
        """Take down where the data of a Multiple-Services-Credit-Control without fault hold what."""
        units: list[list[UnitSpan]] = []
        for step in steps_of(self._services_table, message, start, end):
            survey.enter(step)
            if step.kind == _USED:
                units.append(self.survey_used(message, step.data, step.stop, survey))
            elif step.kind == IGNORED:
                survey.vary(step)
        survey.used.append(units)

    def survey_used(self, message: bytes, start: int, end: int, survey: Survey) -> list[UnitSpan]:
        """Take down where the data of a Used-Service-Unit without fault hold what.

        Only numbers that differ in each report are cut out: another reason, time or money makes another request.
        """
        spans: list[UnitSpan] = []
        for step in steps_of(self._unit_table, message, start, end):
            survey.enter(step)
            if step.kind < _CHANGE or step.kind == IGNORED:
                survey.vary(step)
            if step.kind < _CHANGE:
                spans.append(UnitSpan(step.kind, step.data, step.stop))
        return spans

    def _requested(self, data: bytes) -> ServiceUnit:
        try:
            return self._unit(data, [], [], is_report=False)
        except DiameterError as error:
            raise within(codes.REQUESTED_SERVICE_UNIT, error) from None

    def used(self, data: bytes, tolerated: list[ToleratedAvp]) -> ServiceUnit:
        """Read the data of one Used-Service-Unit.

        Raises:
            DiameterError: as for services; also a number of units that nobody can have used.
        """
        return self._reported(data, tolerated, [])

    def _reported(self, data: bytes, tolerated: list[ToleratedAvp], reasons: list[int]) -> ServiceUnit:
        """Read a Used-Service-Unit; a Reporting-Reason in it goes to the group's."""
        try:
            return self._unit(data, tolerated, reasons, is_report=True)
        except DiameterError as error:
            raise within(codes.USED_SERVICE_UNIT, error) from None

    def _unit(
        self, data: bytes, tolerated: list[ToleratedAvp], reasons: list[int], *, is_report: bool
    ) -> ServiceUnit:
        money: Money | None = None
        values = self._unit_layouts.read(data)
        if values is None:
            values, money = self._step_through_unit(data, tolerated)
        total, received, sent, specific, seconds, change, event_time, reason = values
        like = NO_UNIT
        if change is not None or event_time is not None:
            like = _unit_at(change, event_time)
        if reason is not None:
            reasons.append(reason)
        if (
            (total or 0) > UNITS_PER_REPORT_MAX
            or (received or 0) > UNITS_PER_REPORT_MAX
            or (sent or 0) > UNITS_PER_REPORT_MAX
            or (specific or 0) > UNITS_PER_REPORT_MAX
        ):
            if is_report:
                raise _impossible(data)
            total, received, sent, specific = (
                None if value is None else min(value, UNITS_PER_REPORT_MAX)
                for value in (total, received, sent, specific)
            )
        return unit_of((total, received, sent, specific, seconds), money, like)

    def _step_through_unit(
        self, data: bytes, tolerated: list[ToleratedAvp]
    ) -> tuple[Sequence[int | None], Money | None]:
        """Read a unit AVP by AVP; what is without fault is learnt, unless it holds money."""
        table = self._unit_table
        values: list[int | None] = [None] * _MONEY
        money: Money | None = None
        spans: list[Span] = []
        start, end = 0, len(data)
        is_learnable = True
        while start < end:
            kind, header_octets, length, step = table[data[start : start + 8]]
            if kind == VENDOR:
                kind, header_octets, length, step = table[data[start : start + 12]]
            stop = start + length
            if stop > end or kind >= TOLERATED:
                tolerated.append(_tolerate(data, start, stop, kind))
                is_learnable = False
            elif kind == _MONEY:
                if money is not None:
                    raise _repeated(data, start)
                money = self._money(data[start + header_octets : stop])
                is_learnable = False
            elif kind != IGNORED:
                if values[kind] is not None:
                    raise _repeated(data, start)
                is_short = kind >= _TIME
                if length - header_octets != (4 if is_short else 8):
                    vendor_id, code = _UNIT_AVPS[kind]
                    raise wrong_length(code, vendor_id)
                values[kind] = (_unpack32 if is_short else _unpack64)(data, start + header_octets)[0]
                spans.append(Span(kind, start + header_octets, "I" if is_short else "Q"))
            start += step
        if is_learnable and spans:
            self._unit_layouts.learn(data, spans)
        return values, money

    def _money(self, data: bytes) -> Money:
        """Read CC-Money: Value-Digits x 10^Exponent, exact (RFC 8506 sections 8.8 and 8.22)."""
        try:
            avps = {avp.code: avp for avp in split_avps(data)}
            if codes.UNIT_VALUE not in avps:
                raise missing(codes.UNIT_VALUE)
            micro = _micro_of(avps[codes.UNIT_VALUE].data)
            currency = self._currency
            if codes.CURRENCY_CODE in avps:
                avp = avps[codes.CURRENCY_CODE]
                currency = CURRENCY_ALPHA.get(decode_unsigned32(avp), "")
                if not currency:
                    raise InvalidAvpValue("Currency-Code is not known here", avp.encoded)
        except DiameterError as error:
            raise within(codes.CC_MONEY, error) from None
        return Money(micro, currency)


def _take_number(kind: int, found: list[int], data: bytes, start: int, value: int, stop: int) -> None:
    """Add a service's 32-bit number to those of its kind; there is one Rating-Group."""
    if stop - value != 4:
        vendor_id, code = _SERVICES_NUMBERS[kind]
        raise wrong_length(code, vendor_id)
    if kind == _RATING_GROUP and found:
        raise _repeated(data, start)
    found.append(_unpack32(data, value)[0])


def _unit_at(change: int | None, event_time: int | None) -> ServiceUnit:
    """A unit that says on which side of a tariff change and when it was used."""
    usage = None
    if change is not None:
        usage = _TARIFF_CHANGE_USAGES.get(change)
        if usage is None:
            failed = encode_avp(codes.TARIFF_CHANGE_USAGE, change.to_bytes(4, "big"))
            raise InvalidAvpValue(f"Tariff-Change-Usage {change} is unknown", failed)
    return ServiceUnit(
        tariff_change_usage=usage, event_time_s=None if event_time is None else ntp_to_unix_s(event_time)
    )


def _reasons_of(inside: list[int], *beside: int | None) -> tuple[ReportingReason, ...]:
    """The reasons of a report, those in its units first; a reason of a later release says nothing to us."""
    known = _REPORTING_REASONS
    return tuple([known[reason] for reason in (*inside, *beside) if reason in known])


def _triggers_of(data: bytes) -> tuple[int, ...]:
    """The Trigger-Types of a Trigger (TS 32.299 section 7.2)."""
    try:
        return tuple([
            decode_unsigned32(avp)
            for avp in split_avps(data)
            if avp.code == codes.TRIGGER_TYPE and avp.vendor_id == VENDOR_3GPP
        ])  # fmt: skip
    except DiameterError as error:
        raise _within_3gpp(codes.TRIGGER, error) from None


def _check_envelope(data: bytes) -> None:
    """Envelopes are accepted and change no price: units in them are counted in Used-Service-Unit too."""
    try:
        if not any(avp.code == codes.ENVELOPE_START_TIME for avp in split_avps(data)):
            raise missing(codes.ENVELOPE_START_TIME, VENDOR_3GPP)
    except DiameterError as error:
        raise _within_3gpp(codes.ENVELOPE, error) from None


def _within_3gpp(code: int, error: DiameterError) -> DiameterError:
    error.failed_avp = encode_avp(code, error.failed_avp, VENDOR_3GPP, flags=0)
    return error


def _impossible(data: bytes) -> InvalidAvpValue:
    """Name the first AVP of a unit that reports more than anyone can have used."""
    for avp in split_avps(data):
        kind = _UNIT_KINDS.get((avp.vendor_id, avp.code))
        if kind is not None and kind < _TIME:
            units = _unpack64(avp.data, 0)[0]
            if units > UNITS_PER_REPORT_MAX:
                return InvalidAvpValue(f"{describe_code(0, avp.code)} reports {units} units", avp.encoded)
    raise AssertionError("no unit is impossible")


def _tolerate(data: bytes, start: int, stop: int, kind: int) -> ToleratedAvp:
    if kind != TOLERATED or stop > len(data):
        raise fault_of(data, start, len(data), kind)
    avp = avp_at(data, start)
    return ToleratedAvp(CONTAINER, avp.vendor_id, avp.code)


def _micro_of(data: bytes) -> int:
    """The micro-units of a Unit-Value's data; an amount that they cannot hold exactly is refused, not rounded."""
    try:
        avps = {avp.code: avp for avp in split_avps(data)}
        if codes.VALUE_DIGITS not in avps:
            raise missing(codes.VALUE_DIGITS)
        digits = decode_integer64(avps[codes.VALUE_DIGITS])
        if digits < 0:
            raise InvalidAvpValue("an amount of money is negative", avps[codes.VALUE_DIGITS].encoded)
        exponent = 6
        if codes.EXPONENT in avps:
            exponent += decode_integer32(avps[codes.EXPONENT])
        micro = -1
        if abs(exponent) <= UNIT_VALUE_EXPONENT_MAX:
            scale = 10 ** abs(exponent)
            if exponent >= 0:
                micro = digits * scale
            elif digits % scale == 0:
                micro = digits // scale
        if not 0 <= micro <= UNITS_PER_REPORT_MAX:
            failed = avps.get(codes.EXPONENT, avps[codes.VALUE_DIGITS])
            raise InvalidAvpValue("an amount is no whole number of micro-units, or too large", failed.encoded)
    except DiameterError as error:
        raise within(codes.UNIT_VALUE, error) from None
    return micro


def _repeated(data: bytes, start: int) -> AvpOccursTooManyTimes:
    avp = avp_at(data, start)
    return AvpOccursTooManyTimes(f"{describe_code(0, avp.code)} occurs more than once", avp.encoded)
