"""Credit-Control-Answers and error answers, read back by the `diameter` package."""

import inspect
from typing import Any

import pytest
from diameter.message import Message
from diameter.message.commands import CreditControlAnswer

from ocs.diameter_gy import errors
from ocs.diameter_gy.avp import (
    encode_avp,
    enumerated,
    grouped,
    octet_string,
    split_avps,
    unsigned32,
    unsigned64,
    utf8,
)
from ocs.diameter_gy.cca import encode_cca, encode_error_answer
from ocs.diameter_gy.errors import DiameterError, FramingError
from ocs.diameter_gy.identity import NodeIdentity
from ocs.diameter_gy.message import Framer, encode_message, parse_header
from ocs.diameter_gy.policy import GyPolicy
from ocs.diameter_gy.service_answers import RESULT_CODES
from ocs.messages import (
    ChargingAnswer,
    FinalUnitAction,
    FinalUnitIndication,
    Outcome,
    RedirectAddressType,
    ServiceAnswer,
    ServiceUnit,
)
from ocs.units import Money

TGPP = 10415
IDENTITY = NodeIdentity("ocs.lab.example", "lab.example", "ocs", 7)
POLICY = GyPolicy()
PROXIES = [grouped(284, utf8(280, f"relay{number}.example"), octet_string(33, b"state")) for number in (2, 1)]
SESSION = utf8(263, "pgw.example;1;2")
MSCC = grouped(456, grouped(437), unsigned32(432, 10))
SUCCESS = ChargingAnswer(Outcome.SUCCESS)


def body(*more: bytes, kind: int = 2, session: bytes = SESSION) -> bytes:
    return b"".join(
        (
            session,
            utf8(264, "pgw.example"),
            utf8(296, "example"),
            utf8(283, "lab.example"),
            unsigned32(258, 4),
            utf8(461, "32251@3gpp.org"),
            enumerated(416, kind),
            unsigned32(415, 7),
            *more,
        )
    )


def request_of(*more: bytes, flags: int = 0xC0, **changed):
    message = encode_message(272, 4, flags, 0x11, 0x22, body(*more, **changed))
    return POLICY.decoder.decode(message, parse_header(message))


def answer_to(answer: ChargingAnswer, *more: bytes, **changed) -> bytes:
    return encode_cca(request_of(*more, **changed), answer, IDENTITY, POLICY)


def read(octets: bytes) -> CreditControlAnswer:
    """Let the independent codec read an answer; ours cuts it into AVPs too, so that it is well formed."""
    assert Framer().feed(octets) == [octets]
    found = Message.from_bytes(octets)
    assert isinstance(found, CreditControlAnswer)
    assert found.as_bytes()
    return found


def codes_of(octets: bytes) -> list[int]:
    return [avp.code for avp in split_avps(octets, 20)]


def services_of(octets: bytes) -> list[bytes]:
    return [avp.data for avp in split_avps(octets, 20) if avp.code == 456]


def one_service(**fields: Any) -> ServiceAnswer:
    known: dict[str, Any] = {"outcome": Outcome.SUCCESS, "rating_group": 10}
    return ServiceAnswer(**(known | fields))


# --- The form of the answer ------------------------------------------------------------------------------


def test_answer_has_what_open5gs_needs_exactly_once_with_session_id_first():
    octets = answer_to(ChargingAnswer(Outcome.SUCCESS, (one_service(granted=ServiceUnit(1000)),)), MSCC)
    assert codes_of(octets) == [263, 268, 264, 296, 258, 416, 415, 418, 456, 427]
    found = read(octets)
    assert found.session_id == "pgw.example;1;2"
    assert found.result_code == 2001
    assert (found.origin_host, found.origin_realm) == (b"ocs.lab.example", b"lab.example")
    assert (found.auth_application_id, found.cc_request_type, found.cc_request_number) == (4, 2, 7)
    assert (found.cc_session_failover, found.credit_control_failure_handling) == (1, 0)


def test_header_of_the_answer_is_that_of_the_request_without_r_and_t():
    for flags, expected in ((0xC0, 0x40), (0xD0, 0x40), (0x80, 0)):
        header = parse_header(answer_to(SUCCESS, flags=flags))
        assert (header.flags, header.command_code, header.application_id) == (expected, 272, 4)
        assert (header.hop_by_hop_id, header.end_to_end_id) == (0x11, 0x22)


def test_session_id_is_repeated_as_sent():
    odd = encode_avp(263, b"pgw.example;1;2", flags=0x20)
    octets = answer_to(SUCCESS, session=odd)
    assert octets[20 : 20 + len(odd)] == odd
    behind = request_of(odd, session=b"")
    assert encode_cca(behind, SUCCESS, IDENTITY, POLICY)[20 : 20 + len(odd)] == odd


def test_empty_session_id_of_an_event_is_repeated_empty():
    octets = answer_to(SUCCESS, enumerated(436, 0), kind=4, session=utf8(263, ""))
    assert octets[20:28] == utf8(263, "")


def test_proxy_infos_come_back_in_order_unmodified():
    octets = answer_to(SUCCESS, PROXIES[0], MSCC, PROXIES[1])
    assert octets.endswith(b"".join(PROXIES))


def test_sub_session_is_repeated():
    assert read(answer_to(SUCCESS, unsigned64(419, 3))).cc_sub_session_id == 3


def test_event_answer_says_nothing_of_sessions():
    octets = answer_to(SUCCESS, enumerated(436, 0), kind=4)
    assert codes_of(octets) == [263, 268, 264, 296, 258, 416, 415]


# --- Services --------------------------------------------------------------------------------------------


def test_service_answer_holds_everything_that_was_decided():
    service = one_service(
        service_identifiers=(5, 6),
        granted=ServiceUnit(total_octets=1_000_000, time_s=60, service_specific_units=3),
        validity_time_s=3600,
        volume_quota_threshold_octets=200_000,
        time_quota_threshold_s=10,
        final_unit=FinalUnitIndication(FinalUnitAction.TERMINATE),
    )
    [found] = read(
        answer_to(ChargingAnswer(Outcome.SUCCESS, (service,)), MSCC)
    ).multiple_services_credit_control
    assert found.granted_service_unit.cc_total_octets == 1_000_000
    assert found.granted_service_unit.cc_time == 60
    assert found.granted_service_unit.cc_service_specific_units == 3
    assert (found.rating_group, found.service_identifier) == (10, [5, 6])
    assert (found.validity_time, found.result_code) == (3600, 2001)
    assert (found.volume_quota_threshold, found.time_quota_threshold) == (200_000, 10)
    assert found.final_unit_indication.final_unit_action == 0


def test_3gpp_avps_go_without_m_bit():
    service = one_service(volume_quota_threshold_octets=1, time_quota_threshold_s=2)
    [data] = services_of(answer_to(ChargingAnswer(Outcome.SUCCESS, (service,)), MSCC))
    thresholds = [avp for avp in split_avps(data) if avp.vendor_id]
    assert [(avp.code, avp.vendor_id, avp.flags) for avp in thresholds] == [
        (868, TGPP, 0x80),
        (869, TGPP, 0x80),
    ]


def test_service_answer_is_in_the_order_of_the_grammar():
    service = one_service(granted=ServiceUnit(1), service_identifiers=(5,), validity_time_s=1)
    [data] = services_of(answer_to(ChargingAnswer(Outcome.SUCCESS, (service,)), MSCC))
    assert [avp.code for avp in split_avps(data)] == [431, 439, 432, 448, 268]


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        (ServiceUnit(total_octets=5), [unsigned64(421, 5)]),
        (
            ServiceUnit(input_octets=2, output_octets=3),
            [unsigned64(421, 5), unsigned64(412, 2), unsigned64(414, 3)],
        ),
        (ServiceUnit(time_s=60), [unsigned32(420, 60)]),
        (ServiceUnit(service_specific_units=1), [unsigned64(417, 1)]),
        (ServiceUnit(), []),
    ],
)
def test_granted_units(unit, expected):
    [data] = services_of(answer_to(ChargingAnswer(Outcome.SUCCESS, (one_service(granted=unit),)), MSCC))
    assert data.startswith(grouped(431, *expected))


def test_granted_money_is_an_exact_amount():
    unit = ServiceUnit(money=Money(2_300_000, "USD"))
    answer = read(answer_to(ChargingAnswer(Outcome.SUCCESS, (one_service(granted=unit),)), MSCC))
    money = answer.multiple_services_credit_control[0].granted_service_unit.cc_money
    assert (money.unit_value.value_digits, money.unit_value.exponent, money.currency_code) == (23, -1, 840)


def test_redirect_and_restriction_are_told():
    redirect = FinalUnitIndication(FinalUnitAction.REDIRECT, RedirectAddressType.URL, "http://topup.example/")
    restrict = FinalUnitIndication(
        FinalUnitAction.RESTRICT_ACCESS,
        restriction_filter_rules=("permit in ip from any to 10.0.0.1",),
        filter_ids=("topup", "dns"),
    )
    services = (one_service(final_unit=redirect), one_service(rating_group=11, final_unit=restrict))
    first, second = read(
        answer_to(ChargingAnswer(Outcome.SUCCESS, services), MSCC)
    ).multiple_services_credit_control
    server = first.final_unit_indication.redirect_server
    assert first.final_unit_indication.final_unit_action == 1
    assert (server.redirect_address_type, server.redirect_server_address) == (2, "http://topup.example/")
    assert second.final_unit_indication.final_unit_action == 2
    assert second.final_unit_indication.restriction_filter_rule == [b"permit in ip from any to 10.0.0.1"]
    assert second.final_unit_indication.filter_id == ["topup", "dns"]


def test_each_service_has_its_own_result():
    services = (one_service(), one_service(outcome=Outcome.CREDIT_LIMIT_REACHED, rating_group=11))
    found = read(answer_to(ChargingAnswer(Outcome.SUCCESS, services), MSCC))
    assert found.result_code == 2001
    assert [service.result_code for service in found.multiple_services_credit_control] == [2001, 4012]


def test_plain_form_is_answered_at_the_level_of_the_command():
    service = ServiceAnswer(
        Outcome.SUCCESS,
        granted=ServiceUnit(time_s=60),
        validity_time_s=120,
        final_unit=FinalUnitIndication(FinalUnitAction.TERMINATE),
    )
    octets = answer_to(ChargingAnswer(Outcome.SUCCESS, (service,)), grouped(437))
    assert services_of(octets) == []
    found = read(octets)
    assert (found.granted_service_unit.cc_time, found.validity_time) == (60, 120)
    assert found.final_unit_indication.final_unit_action == 0


# --- Balance ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("micro", "digits", "exponent"),
    [(50_000, 5, -2), (5_000_000, 5, 0), (120_000_000, 120, 0), (1, 1, -6), (0, 0, 0), (-1_500_000, -15, -1)],
)
def test_cost_is_exact(micro, digits, exponent):
    cost = read(answer_to(ChargingAnswer(Outcome.SUCCESS, cost=Money(micro, "EUR")))).cost_information
    assert (cost.unit_value.value_digits, cost.unit_value.exponent) == (digits, exponent)
    assert cost.currency_code == 978


@pytest.mark.parametrize(("enough", "result"), [(True, 0), (False, 1)])
def test_balance_check_is_answered(enough, result):
    answer = ChargingAnswer(Outcome.SUCCESS, enough_credit=enough)
    assert read(answer_to(answer, enumerated(436, 2), kind=4)).check_balance_result == result


def test_remaining_balance_goes_without_m_bit():
    octets = answer_to(ChargingAnswer(Outcome.SUCCESS, remaining=Money(7_250_000, "EUR")))
    [avp] = [avp for avp in split_avps(octets, 20) if avp.code == 2021]
    assert (avp.vendor_id, avp.flags) == (TGPP, 0x80)
    assert avp.data == grouped(
        445, encode_avp(447, (725).to_bytes(8, "big")), enumerated(429, -2)
    ) + unsigned32(425, 978)


# --- Outcomes --------------------------------------------------------------------------------------------


def test_every_outcome_has_its_result_code():
    assert {outcome.name: RESULT_CODES[outcome] for outcome in Outcome} == {
        "SUCCESS": 2001,
        "USER_UNKNOWN": 5030,
        "END_USER_SERVICE_DENIED": 4010,
        "CREDIT_CONTROL_NOT_APPLICABLE": 4011,
        "CREDIT_LIMIT_REACHED": 4012,
        "RATING_FAILED": 5031,
        "UNKNOWN_SESSION": 5002,
        "REPEATED_WITH_OTHER_CONTENT": 5004,
        "TOO_BUSY": 3004,
        "UNABLE_TO_DELIVER": 3004,
        "UNABLE_TO_COMPLY": 5012,
        "MISSING_SUBSCRIPTION": 5005,
    }


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_is_answered_in_its_form(outcome):
    octets = answer_to(ChargingAnswer(outcome), MSCC, *PROXIES)
    found = read(octets)
    is_busy = outcome in (Outcome.TOO_BUSY, Outcome.UNABLE_TO_DELIVER)
    assert found.result_code == RESULT_CODES[outcome]
    assert parse_header(octets).is_error == is_busy
    assert codes_of(octets)[0] == 263
    assert [avp.encoded for avp in split_avps(octets, 20) if avp.code == 284] == PROXIES
    if not is_busy:
        assert [codes_of(octets).count(code) for code in (263, 268, 264, 296, 258, 416, 415)] == [1] * 7


def failed_of(octets: bytes) -> list[bytes]:
    return [avp.data for avp in split_avps(octets, 20) if avp.code == 279]


def test_rating_failure_shows_what_could_not_be_rated():
    def failed(*services):
        return failed_of(answer_to(ChargingAnswer(Outcome.RATING_FAILED, services), MSCC))

    group = one_service(outcome=Outcome.RATING_FAILED)
    assert failed(group) == [unsigned32(432, 10)]
    assert failed(
        one_service(outcome=Outcome.RATING_FAILED, rating_group=None, service_identifiers=(5,))
    ) == [unsigned32(439, 5)]
    assert failed(one_service(outcome=Outcome.RATING_FAILED, rating_group=None)) == [
        utf8(461, "32251@3gpp.org")
    ]
    assert failed() == [utf8(461, "32251@3gpp.org")]


def test_rating_failure_of_one_service_among_others_is_shown_too():
    services = (one_service(), one_service(outcome=Outcome.RATING_FAILED, rating_group=11))
    assert failed_of(answer_to(ChargingAnswer(Outcome.SUCCESS, services), MSCC)) == [unsigned32(432, 11)]


def test_repeat_with_other_content_shows_its_number():
    assert failed_of(answer_to(ChargingAnswer(Outcome.REPEATED_WITH_OTHER_CONTENT))) == [unsigned32(415, 7)]


def test_missing_subscription_shows_an_example():
    example = grouped(443, enumerated(450, 0), utf8(444, ""))
    assert failed_of(answer_to(ChargingAnswer(Outcome.MISSING_SUBSCRIPTION))) == [example]


# --- Error answers ---------------------------------------------------------------------------------------

CLASSES = [
    found
    for _, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, DiameterError) and found not in (DiameterError, FramingError)
]


def refuse(
    error: DiameterError, octets: bytes, *, flags: int = 0xC0, command: int = 272, application: int = 4
) -> bytes:
    message = encode_message(command, application, flags, 0x11, 0x22, octets)
    answer = encode_error_answer(message, parse_header(message), error, IDENTITY)
    assert Framer().feed(answer) == [answer]
    return answer


@pytest.mark.parametrize("octets", [1_000, 60_000, 65_300, 65_490, 65_500])
@pytest.mark.parametrize("code", [461, 263, 284])
def test_no_error_answer_is_longer_than_a_message_may_be(octets, code):
    """`refuse` reads the answer with our own limit."""
    long = encode_avp(code, b"x" * octets)
    answer = refuse(errors.RatingFailed("x" * octets, long), (SESSION if code == 461 else b"") + long)
    found = split_avps(answer, 20)
    assert {264, 296, 268} <= {avp.code for avp in found}
    assert all(len(avp.data) <= 256 for avp in found if avp.code == 281)
    assert (279 in {avp.code for avp in found}) == (octets <= (60_000 if code == 461 else 1_000))


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_has_an_answer_that_others_can_read(error):
    failed = encode_avp(9999, b"x", 666)
    octets = refuse(error("because", failed), body(*PROXIES))
    header = parse_header(octets)
    assert header.is_error == error("").is_protocol_error
    assert header.is_proxiable
    assert not header.is_request
    assert (header.hop_by_hop_id, header.end_to_end_id) == (0x11, 0x22)
    found = read(octets)
    assert found.session_id == "pgw.example;1;2"
    assert found.result_code == error.result_code
    assert codes_of(octets)[0] == 263
    assert failed_of(octets) == [failed]
    [message] = [avp for avp in split_avps(octets, 20) if avp.code == 281]
    assert (message.data, message.flags) == (b"because", 0)
    assert [avp.encoded for avp in split_avps(octets, 20) if avp.code == 284] == PROXIES


def test_protocol_error_leaves_the_grammar_of_the_command():
    assert codes_of(refuse(errors.TooBusy("full"), body())) == [263, 264, 296, 268, 281]


def test_other_errors_keep_what_open5gs_needs():
    octets = refuse(errors.MissingAvp("gone", utf8(461, "")), body())
    assert codes_of(octets) == [263, 268, 264, 296, 258, 416, 415, 281, 279]


def test_type_and_number_are_repeated_only_when_they_have_the_right_size():
    octets = refuse(
        errors.InvalidAvpLength("short"), SESSION + octet_string(416, b"\1") + octet_string(415, bytes(8))
    )
    assert codes_of(octets) == [263, 268, 264, 296, 258, 281]


def test_repeated_avps_are_answered_once():
    octets = refuse(errors.AvpOccursTooManyTimes("twice"), body(SESSION, unsigned32(415, 8)))
    assert codes_of(octets) == [263, 268, 264, 296, 258, 416, 415, 281]
    assert read(octets).cc_request_number == 7


def test_what_stands_before_a_malformed_avp_is_repeated():
    octets = refuse(errors.InvalidAvpLength("long"), body(PROXIES[0]) + bytes.fromhex("0000010c400000ff"))
    assert codes_of(octets) == [263, 268, 264, 296, 258, 416, 415, 281, 284]


def test_header_alone_can_be_answered():
    octets = refuse(errors.UnsupportedVersion("version 2"), b"")
    assert codes_of(octets) == [268, 264, 296, 258, 281]


def test_other_commands_are_answered_without_credit_control():
    octets = refuse(errors.CommandUnsupported("no"), body(), command=271, application=3, flags=0x80)
    assert codes_of(octets) == [263, 264, 296, 268, 281]
    header = parse_header(octets)
    assert (header.command_code, header.application_id, header.flags) == (271, 3, 0x20)
    assert codes_of(refuse(errors.UnableToComply("no"), body(), command=280, application=0)) == [
        263,
        268,
        264,
        296,
        281,
    ]


def test_error_without_message_or_failed_avp_has_neither():
    assert codes_of(refuse(errors.TooBusy(""), SESSION)) == [263, 264, 296, 268]
