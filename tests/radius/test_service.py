"""RADIUS requests: checked, charged, answered, or met with silence."""

import pytest
from pyrad import packet as pyrad

from ocs.clock import ManualClock
from ocs.limits import RADIUS_REQUESTS_IN_FLIGHT_PER_CLIENT
from ocs.log import RepeatLimiter
from ocs.messages import CCRequestType, ChargingAnswer, Outcome
from ocs.radius.clients import Clients
from ocs.radius.codes import Code
from ocs.radius.known_sessions import KnownSessions
from ocs.radius.service import DROPPED, UNCHARGED, Door, RadiusService
from tests.radius.conftest import granted, refused

HOST = "192.0.2.1"
INITIAL, UPDATE, TERMINATION = CCRequestType.INITIAL, CCRequestType.UPDATE, CCRequestType.TERMINATION
OURS = b"ocs1;lab;ap-1;s1;00ff"
UNKNOWN = ChargingAnswer(Outcome.UNKNOWN_SESSION)


class FakeOrders:
    def __init__(self):
        self.sent = []

    def submit(self, code, session_id, place, attributes=()):
        self.sent.append((code, session_id, attributes))
        return True


class Lab:
    def __init__(self, handler, client):
        self.handler = handler
        self.replies = []
        self.restarts = []
        self.orders = FakeOrders()
        self.clock = ManualClock(1_800_000_000_000)
        clients = Clients((client,))
        self.service = RadiusService(
            clients,
            handler,
            self.orders,
            KnownSessions(clients),
            self.clock,
            RepeatLimiter(self.clock),
            on_nas_restarted=lambda *restart: self.restarts.append(restart),
            interim_interval_s=600,
        )

    def take(self, octets, door=Door.ACCOUNTING, host=HOST, port=40000):
        """The reply's code, None for silence."""
        before = len(self.replies)
        self.service.take(door, octets, host, port, self.replies.append)
        return self.replies[-1][0] if len(self.replies) > before else None

    def asks(self, request, **source):
        return self.take(request.RequestPacket(), Door.AUTHORISATION, **source)

    def reports(self, request, **source):
        return self.take(request.RequestPacket(), **source)

    @property
    def types(self):
        return [request.request_type for request in self.handler.requests]

    @property
    def ordered(self):
        return [code for code, _, _ in self.orders.sent]


@pytest.fixture
def lab(handler, client):
    return Lab(handler, client)


def count_of(counter, label):
    return {sample.labels: sample.value for sample in counter.family().samples}.get((label,), 0)


@pytest.fixture
def dropped():
    """How many packets were dropped for a reason since the test began."""
    before = {sample.labels: sample.value for sample in DROPPED.family().samples}
    return lambda reason: count_of(DROPPED, reason) - before.get((reason,), 0)


# --- Who is heard ------------------------------------------------------------------------------------------------


def test_a_stranger_hears_nothing(lab, nas, dropped):
    assert lab.asks(nas.access_request("anna"), host="198.51.100.1") is None
    assert dropped("unknown_client") == 1
    assert lab.handler.requests == []


def test_an_access_request_without_message_authenticator_is_dropped(lab, nas, dropped):
    request = nas.access_request("anna")
    request.message_authenticator = None
    assert lab.asks(request) is None
    assert dropped("no_message_authenticator") == 1


@pytest.mark.parametrize("at", [4, 25])
def test_what_was_changed_on_its_way_is_dropped(lab, nas, dropped, at):
    for request, door in (
        (nas.access_request("anna"), Door.AUTHORISATION),
        (nas.accounting_request("Start", "s1"), Door.ACCOUNTING),
    ):
        octets = bytearray(request.RequestPacket())
        octets[at] ^= 1
        assert lab.take(bytes(octets), door) is None
    assert dropped("bad_authenticator") == 2


def test_an_accounting_request_whose_message_authenticator_is_wrong_is_dropped(lab, nas, dropped):
    request = nas.accounting_request("Start", "s1")
    request[80] = [bytes(16)]
    assert lab.reports(request) is None
    assert dropped("bad_authenticator") == 1


def test_each_kind_has_its_port(lab, nas, dropped):
    assert lab.take(nas.access_request("anna").RequestPacket(), Door.ACCOUNTING) is None
    assert lab.take(nas.accounting_request("Start", "s1").RequestPacket(), Door.AUTHORISATION) is None
    assert dropped("wrong_port") == 2


def test_replies_and_orders_of_others_are_dropped(lab, nas, dropped):
    request = nas.access_request("anna")
    request.code = pyrad.AccessAccept
    assert lab.asks(request) is None
    assert lab.take(b"\x01") is None
    assert dropped("malformed") == 2


def test_the_same_packet_is_charged_once_and_answered_each_time(lab, nas):
    request = nas.accounting_request("Interim-Update", "s1", Acct_Session_Time=60)
    assert lab.reports(request) == lab.reports(request) == Code.ACCOUNTING_RESPONSE
    assert lab.replies[0] == lab.replies[1]
    assert len(lab.handler.requests) == 1


def test_a_repeat_while_the_first_is_under_way_is_silent(lab, nas, handler):
    handler.holds = True
    request = nas.access_request("anna")
    assert lab.asks(request) is None
    assert lab.asks(request) is None
    assert len(handler.requests) == 1
    reply, answer = handler.held.pop()
    reply(answer)
    assert [octets[0] for octets in lab.replies] == [Code.ACCESS_ACCEPT]
    assert lab.service.in_flight == 0


@pytest.mark.parametrize("outcome", [Outcome.TOO_BUSY, Outcome.UNABLE_TO_DELIVER, Outcome.UNABLE_TO_COMPLY])
def test_what_is_not_durable_is_not_acknowledged_and_tried_anew(lab, nas, handler, outcome):
    report = nas.accounting_request("Interim-Update", "s1")
    login = nas.access_request("anna")
    handler.answers = [refused(outcome), refused(outcome)]
    assert lab.reports(report) is None
    assert lab.asks(login) is None
    assert lab.ordered == []
    assert lab.reports(report) == Code.ACCOUNTING_RESPONSE
    assert lab.asks(login) == Code.ACCESS_ACCEPT


def test_logins_give_way_before_reports_when_there_is_no_room(lab, nas, handler, dropped):
    handler.holds = True
    for number in range(RADIUS_REQUESTS_IN_FLIGHT_PER_CLIENT // 2):
        lab.reports(nas.accounting_request("Interim-Update", f"s{number}"))
    assert lab.asks(nas.access_request("anna")) is None
    assert dropped("busy") == 1
    for number in range(RADIUS_REQUESTS_IN_FLIGHT_PER_CLIENT // 2 + 1):
        lab.reports(nas.accounting_request("Interim-Update", f"t{number}"))
    assert dropped("busy") == 2
    assert lab.service.in_flight == RADIUS_REQUESTS_IN_FLIGHT_PER_CLIENT


def test_a_fault_of_one_request_leaves_the_others_alone(lab, nas, handler, monkeypatch):
    monkeypatch.setattr(handler, "submit", lambda *_: 1 / 0)
    assert lab.asks(nas.access_request("anna")) is None
    monkeypatch.undo()
    assert lab.asks(nas.access_request("anna")) == Code.ACCESS_ACCEPT
    assert lab.service.in_flight == 0


def test_a_reply_that_cannot_be_written_leaves_charging_alone(lab, nas, handler):
    handler.answers = [object()]
    assert lab.asks(nas.access_request("anna")) is None
    assert lab.service.in_flight == 0


# --- Authorisation -----------------------------------------------------------------------------------------------


def test_a_refused_login_is_rejected(lab, nas, handler):
    handler.answers = [refused(Outcome.CREDIT_LIMIT_REACHED)]
    assert lab.asks(nas.access_request("anna")) == Code.ACCESS_REJECT


def test_a_password_is_rejected_before_charging_sees_it(lab, nas, handler):
    assert lab.asks(nas.access_request("anna", User_Password="0123456789abcdef")) == Code.ACCESS_REJECT
    assert handler.requests == []


# --- Accounting --------------------------------------------------------------------------------------------------


def test_an_interim_brings_the_next_quota_by_coa(lab, nas):
    assert lab.reports(nas.accounting_request("Interim-Update", "s1", Class=OURS)) == Code.ACCOUNTING_RESPONSE
    assert lab.types == [UPDATE]
    assert lab.ordered == [Code.COA_REQUEST]


def test_a_client_without_coa_is_not_sent_one(handler, client, nas):
    lab = Lab(handler, client._replace(coa_port=0))
    assert lab.reports(nas.accounting_request("Interim-Update", "s1")) == Code.ACCOUNTING_RESPONSE
    assert lab.ordered == []


@pytest.mark.parametrize(
    "outcome", [Outcome.CREDIT_LIMIT_REACHED, Outcome.END_USER_SERVICE_DENIED, Outcome.RATING_FAILED]
)
def test_a_session_that_gets_nothing_more_is_disconnected(lab, nas, handler, outcome):
    handler.answers = [refused(outcome)]
    assert lab.reports(nas.accounting_request("Interim-Update", "s1", Class=OURS)) == Code.ACCOUNTING_RESPONSE
    assert lab.ordered == [Code.DISCONNECT_REQUEST]


def test_a_start_of_a_session_of_ours_changes_nothing(lab, nas, handler):
    handler.answers = [ChargingAnswer(Outcome.SUCCESS)]
    assert lab.reports(nas.accounting_request("Start", "s1", Class=OURS)) == Code.ACCOUNTING_RESPONSE
    assert lab.types == [UPDATE]
    assert lab.ordered == []


def test_a_start_without_login_opens_its_session_and_limits_it(lab, nas):
    assert lab.reports(nas.accounting_request("Start", "s1")) == Code.ACCOUNTING_RESPONSE
    assert lab.types == [INITIAL]
    assert lab.ordered == [Code.COA_REQUEST]


def test_an_interim_of_a_lost_start_opens_its_session(lab, nas, handler):
    handler.answers = [UNKNOWN]
    assert lab.reports(nas.accounting_request("Interim-Update", "s1")) == Code.ACCOUNTING_RESPONSE
    assert lab.types == [UPDATE, INITIAL]
    assert lab.ordered == [Code.COA_REQUEST]


def test_a_stop_of_a_lost_start_is_charged_and_ends(lab, nas, handler):
    handler.answers = [UNKNOWN, granted(5), ChargingAnswer(Outcome.SUCCESS)]
    assert lab.reports(nas.accounting_request("Stop", "s1")) == Code.ACCOUNTING_RESPONSE
    assert lab.types == [TERMINATION, INITIAL, TERMINATION]
    assert lab.ordered == []


def test_a_stop_that_never_finds_its_session_is_not_asked_about_for_ever(lab, nas, handler):
    handler.answers = [UNKNOWN, granted(5), UNKNOWN]
    assert lab.reports(nas.accounting_request("Stop", "s1")) == Code.ACCOUNTING_RESPONSE
    assert len(handler.requests) == 3


def test_the_store_may_go_away_between_the_steps_of_a_stop(lab, nas, handler):
    handler.answers = [UNKNOWN, granted(5), ChargingAnswer(Outcome.UNABLE_TO_DELIVER)]
    stop = nas.accounting_request("Stop", "s1")
    assert lab.reports(stop) is None
    handler.answers = [ChargingAnswer(Outcome.SUCCESS)]
    assert lab.reports(stop) == Code.ACCOUNTING_RESPONSE


def test_a_session_of_ours_that_is_over_is_disconnected_and_its_stop_told(lab, nas, handler):
    before = count_of(UNCHARGED, "unknown_session")
    handler.answers = [UNKNOWN, UNKNOWN]
    assert lab.reports(nas.accounting_request("Interim-Update", "s1", Class=OURS)) == Code.ACCOUNTING_RESPONSE
    assert lab.types == [UPDATE]
    assert lab.ordered == [Code.DISCONNECT_REQUEST]
    assert count_of(UNCHARGED, "unknown_session") == before
    assert lab.reports(nas.accounting_request("Stop", "s1", Class=OURS)) == Code.ACCOUNTING_RESPONSE
    assert count_of(UNCHARGED, "unknown_session") == before + 1


def test_use_of_nobody_is_acknowledged_told_and_ended(lab, nas, handler):
    before = count_of(UNCHARGED, "user_unknown")
    handler.answers = [UNKNOWN, refused(Outcome.USER_UNKNOWN)]
    assert lab.reports(nas.accounting_request("Interim-Update", "s1")) == Code.ACCOUNTING_RESPONSE
    assert lab.ordered == [Code.DISCONNECT_REQUEST]
    assert count_of(UNCHARGED, "user_unknown") == before + 1


def test_a_report_that_came_too_late_leads_to_nothing(lab, nas, handler):
    handler.answers = [ChargingAnswer(Outcome.REPEATED_WITH_OTHER_CONTENT)]
    assert lab.reports(nas.accounting_request("Interim-Update", "s1", Class=OURS)) == Code.ACCOUNTING_RESPONSE
    assert lab.ordered == []


def test_an_unusable_report_is_acknowledged_and_told(lab, nas):
    before = count_of(UNCHARGED, "unusable")
    assert lab.reports(nas.accounting_request("Stop", "")) == Code.ACCOUNTING_RESPONSE
    assert count_of(UNCHARGED, "unusable") == before + 1


@pytest.mark.parametrize("status", ["Accounting-On", "Accounting-Off"])
def test_a_server_that_begins_anew_ends_its_older_sessions(lab, nas, status):
    request = nas.accounting_request(status, "", Acct_Delay_Time=5)
    assert lab.reports(request) == Code.ACCOUNTING_RESPONSE
    assert lab.restarts == [("radius:lab/ap-1", 1_800_000_000_000 - 5_000)]


def test_links_and_tunnels_are_acknowledged_and_not_charged(lab, nas, handler):
    assert lab.reports(nas.accounting_request(9, "s1")) == Code.ACCOUNTING_RESPONSE
    assert handler.requests == []


def test_status_server_is_answered_on_either_port(lab, nas):
    request = nas.access_request("anna")
    request.code = pyrad.StatusServer
    octets = request.RequestPacket()
    assert lab.take(octets, Door.AUTHORISATION) == Code.ACCESS_ACCEPT
    assert lab.take(octets, Door.ACCOUNTING, port=40001) == Code.ACCOUNTING_RESPONSE


# --- Of our own accord -------------------------------------------------------------------------------------------


def test_a_session_whose_packets_came_here_is_ended_when_asked(lab, nas):
    lab.reports(nas.accounting_request("Start", "s1"))
    (_, session_id, _), *_ = lab.orders.sent
    assert lab.service.end_session(session_id)
    assert lab.ordered[-1] == Code.DISCONNECT_REQUEST
    assert not lab.service.end_session("radius;gone;ap-1;s1;")
