import pytest
import structlog

from ocs.clock import ManualClock
from ocs.diameter_gy.avp import grouped, unsigned32, utf8
from ocs.diameter_gy.ccr import decode_ccr
from ocs.diameter_gy.errors import MissingAvp, RatingFailed
from ocs.diameter_gy.message import encode_message, parse_header
from ocs.diameter_gy.policy import GyPolicy
from ocs.diameter_gy.request_log import RequestLog, worst_outcome
from ocs.limits import LOG_REPEAT_INTERVAL_MS, SLOW_ANSWER_S
from ocs.log import RepeatLimiter
from ocs.messages import ChargingAnswer, Outcome, ServiceAnswer, ServiceUnit
from ocs.units import Money


class FakeConnection:
    peer_name = "pgw.example"


@pytest.fixture
def clock():
    return ManualClock(0)


@pytest.fixture
def request_log(clock):
    return RequestLog(RepeatLimiter(clock), success_sample=10)


@pytest.fixture
def request_(lab):
    message = lab.gateway(None).ccr()
    return decode_ccr(message, parse_header(message), GyPolicy())


GRANTED = ChargingAnswer(
    Outcome.SUCCESS, (ServiceAnswer(Outcome.SUCCESS, 10, granted=ServiceUnit(total_octets=5)),)
)


def refused(outcome):
    return ChargingAnswer(outcome)


def written(request_log, request, answer, *, elapsed_s=0.001, times=1):
    with structlog.testing.capture_logs() as lines:
        for _ in range(times):
            request_log.answered(FakeConnection(), request.charging, answer, worst_outcome(answer), elapsed_s)
    return lines


def test_one_of_many_successes_is_logged_with_its_grant(request_log, request_):
    assert written(request_log, request_, GRANTED, times=9) == []
    (line,) = written(request_log, request_, GRANTED)
    assert line["event"] == "request_answered"
    assert (line["session_id"], line["request_number"], line["result"]) == ("pgw.example;1;2", 0, "SUCCESS")
    assert line["elapsed_us"] == 1000
    assert line["granted"] == ["total_octets=5"]


def test_grants_are_written_in_words(request_log, request_):
    granted = (ServiceUnit(time_s=60, service_specific_units=0), ServiceUnit(money=Money(2_500_000, "EUR")))
    services = tuple(ServiceAnswer(Outcome.SUCCESS, 10, granted=unit) for unit in granted)
    (line,) = written(request_log, request_, ChargingAnswer(Outcome.SUCCESS, services), elapsed_s=5.0)
    assert line["event"] == "request_slow"
    assert line["granted"] == ["time_s=60 service_specific_units=0", "money=2500000e-6EUR"]


def test_every_refusal_is_explained_and_repeats_are_held_back(request_log, request_, clock):
    (line,) = written(request_log, request_, refused(Outcome.USER_UNKNOWN), times=5)
    assert (line["event"], line["log_level"]) == ("request_refused", "warning")
    assert "ocs account create" in line["remedy"]
    assert line["subscription_ids"] == ("imsi:262011234567890",)
    clock.advance_ms(LOG_REPEAT_INTERVAL_MS)
    (line,) = written(request_log, request_, refused(Outcome.USER_UNKNOWN))
    assert line["swallowed"] == 4


def test_other_refusals_of_the_peer_are_not_held_back(request_log, request_):
    lines = [
        line
        for outcome in (Outcome.USER_UNKNOWN, Outcome.RATING_FAILED)
        for line in written(request_log, request_, refused(outcome))
    ]
    assert [line["result"] for line in lines] == ["USER_UNKNOWN", "RATING_FAILED"]


def test_slow_success_is_logged(request_log, request_):
    (line,) = written(request_log, request_, GRANTED, elapsed_s=SLOW_ANSWER_S * 2)
    assert line["event"] == "request_slow"


def test_service_without_cost_is_no_refusal(request_log, request_):
    free = ChargingAnswer(Outcome.SUCCESS, (ServiceAnswer(Outcome.CREDIT_CONTROL_NOT_APPLICABLE, 10),))
    assert written(request_log, request_, free) == []


def test_refused_service_inside_a_success_is_the_worst_outcome():
    services = (ServiceAnswer(Outcome.SUCCESS, 1), ServiceAnswer(Outcome.CREDIT_LIMIT_REACHED, 2))
    assert worst_outcome(ChargingAnswer(Outcome.SUCCESS, services)) is Outcome.CREDIT_LIMIT_REACHED
    assert worst_outcome(ChargingAnswer(Outcome.TOO_BUSY, services)) is Outcome.TOO_BUSY
    assert worst_outcome(GRANTED) is Outcome.SUCCESS


def test_no_sample_is_written_when_none_is_wanted(clock, request_):
    assert written(RequestLog(RepeatLimiter(clock), 0), request_, GRANTED, times=100) == []


@pytest.mark.parametrize(
    ("body", "session_id", "number"),
    [
        (utf8(263, "s;1") + unsigned32(415, 3), "s;1", 3),
        (utf8(263, "s;1") + b"\0\0", "", None),
        (b"", "", None),
    ],
)
def test_refused_message_is_identified_as_far_as_it_can_be_read(request_log, body, session_id, number):
    message = encode_message(272, 4, 0xC0, 1, 1, body)
    with structlog.testing.capture_logs() as lines:
        request_log.error(
            FakeConnection(), parse_header(message), message, MissingAvp("CC-Request-Type is missing")
        )
    (line,) = lines
    assert (line["session_id"], line["request_number"], line["result_code"]) == (session_id, number, 5005)
    assert line["reason"] == "CC-Request-Type is missing"
    assert line["remedy"]


def test_tolerated_avp_is_logged_once_with_its_place(request_log, lab):
    unknown = grouped(873, unsigned32(81000, 1, vendor_id=2011), vendor_id=10415)
    message = lab.gateway(None).ccr(extra=unknown)
    request = decode_ccr(message, parse_header(message), GyPolicy())
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            request_log.tolerated(FakeConnection(), request)
    (line,) = lines
    assert (line["event"], line["container"], line["avp_code"]) == (
        "avp_tolerated",
        "Service-Information",
        81000,
    )


def test_line_of_a_refusal_is_bounded_whatever_the_message_holds(request_log):
    message = encode_message(272, 4, 0xC0, 1, 1, utf8(263, "s" * 60_000))
    with structlog.testing.capture_logs() as lines:
        request_log.error(FakeConnection(), parse_header(message), message, RatingFailed("x" * 60_000))
    assert len(str(lines)) < 1_500
